"""`status` of an `InferenceService` (reference: serving controller 5.6).

Only what is ours is in it: what others wrote there (the conditions of a transformer, say) stays, and a
condition keeps the time of its last change (D14).
"""

from collections.abc import Mapping
from typing import Final

from adapter.controller.statuses.conditions import PREDICTOR_READY, READY, merged, readiness
from adapter.controller.statuses.events import news
from adapter.controller.statuses.judging import stands
from adapter.controller.statuses.parts import count, failure_as, failure_in, one_of, part
from adapter.controller.statuses.pauses import pause_s
from adapter.controller.statuses.standing import ModelState, Observed, Standing, Transition
from adapter.controller.verdicts import StatusPatch
from adapter.domain.kinds import Manifest

_MODEL: Final = "modelRevisionName"


def read_standing(manifest: Manifest) -> Standing:
    """How it stood when its status was written; without one, as it was just created."""
    status = part(manifest, "status")
    model = part(status, "modelStatus")
    states, copies = part(model, "states"), part(model, "copies")
    return Standing(
        active=one_of(ModelState, states.get("activeModelState"), ModelState.PENDING),
        target=one_of(ModelState, states.get("targetModelState"), ModelState.NONE),
        transition=one_of(Transition, model.get("transitionStatus"), Transition.UP_TO_DATE),
        failure=failure_in(part(model, "lastFailureInfo"), model=_MODEL),
        failed_copies=count(copies, "failedCopies"),
        total_copies=count(copies, "totalCopies"),
        available=_holds(status.get("conditions"), PREDICTOR_READY),
    )


def isvc_status(manifest: Manifest, observed: Observed) -> StatusPatch:
    """What our part of its status becomes."""
    before = read_standing(manifest)
    after = stands(before, observed)
    return StatusPatch(
        status=_rendered(part(manifest, "status"), after, observed),
        look_again_s=pause_s(after, observed),
        events=news(before, after, observed),
    )


def _rendered(before: Mapping[str, object], standing: Standing, observed: Observed) -> Mapping[str, object]:
    grpc = observed.served.grpc_url if standing.available else None
    rest = (observed.served.rest_url or None) if standing.available else None
    ours = [readiness(type_, standing, observed) for type_ in (PREDICTOR_READY, READY)]
    rendered: dict[str, object] = {
        "url": grpc,
        "components": {"predictor": {"url": grpc, "grpcUrl": grpc, "restUrl": rest}},
        "conditions": merged(before.get("conditions"), ours, now_ms=observed.now_ms),
        "modelStatus": {
            "transitionStatus": standing.transition.value,
            "states": {
                "activeModelState": standing.active.value,
                "targetModelState": standing.target.value,
            },
            "copies": {"failedCopies": standing.failed_copies, "totalCopies": standing.total_copies},
            "lastFailureInfo": failure_as(standing.failure, model=_MODEL),
        },
    }
    if observed.generation:
        rendered["observedGeneration"] = observed.generation
    return rendered


def _holds(conditions: object, type_: str) -> bool:
    if not isinstance(conditions, list):
        return False
    return any(part(each).get("type") == type_ and part(each).get("status") == "True" for each in conditions)
