"""`status` of a `Predictor` (reference: serving controller 1.5, 5.5).

`conditions` is ours: so `kubectl wait --for=condition=Ready` works, and every refusal has its place. A
cluster with ModelMesh's own definition of the kind leaves it out.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from adapter.controller.statuses.conditions import READY, merged, readiness
from adapter.controller.statuses.events import news
from adapter.controller.statuses.judging import stands
from adapter.controller.statuses.parts import count, failure_as, failure_in, one_of, part, text
from adapter.controller.statuses.pauses import pause_s
from adapter.controller.statuses.standing import ModelState, Observed, Standing, Transition
from adapter.controller.verdicts import NoRuntime, StatusPatch
from adapter.domain.kinds import Manifest
from adapter.domain.specs import FailureReason

_MODEL: Final = "modelId"


def read_standing(manifest: Manifest) -> Standing:
    """How it stood when its status was written; without one, as it was just created."""
    status = part(manifest, "status")
    return Standing(
        active=one_of(ModelState, status.get("activeModelState"), ModelState.PENDING),
        target=one_of(ModelState, status.get("targetModelState"), ModelState.NONE),
        transition=one_of(Transition, status.get("transitionStatus"), Transition.UP_TO_DATE),
        failure=failure_in(part(status, "lastFailureInfo"), model=_MODEL),
        failed_copies=count(status, "failedCopies"),
        total_copies=count(status, "totalCopies"),
        available=status.get("available") is True,
    )


def predictor_status(manifest: Manifest, observed: Observed) -> StatusPatch:
    """What its status becomes."""
    observed = _in_known_words(observed)
    before = read_standing(manifest)
    after = stands(before, observed)
    return StatusPatch(
        status=_rendered(part(manifest, "status"), after, observed),
        look_again_s=pause_s(after, observed),
        events=news(before, after, observed),
    )


def _in_known_words(observed: Observed) -> Observed:
    """The schema of this kind does not know `RuntimeDisabled`; this is the nearest that it does."""
    selection = observed.selection
    if not isinstance(selection, NoRuntime) or selection.reason is not FailureReason.RUNTIME_DISABLED:
        return observed
    return replace(observed, selection=replace(selection, reason=FailureReason.NO_SUPPORTING_RUNTIME))


def _rendered(before: Mapping[str, object], standing: Standing, observed: Observed) -> Mapping[str, object]:
    # Where it will be served is known before it is: ModelMesh tells both from the mesh's first answer on.
    return {
        "available": standing.available,
        "transitionStatus": standing.transition.value,
        "activeModelState": standing.active.value,
        "targetModelState": standing.target.value,
        "failedCopies": standing.failed_copies,
        "totalCopies": standing.total_copies,
        "lastFailureInfo": failure_as(standing.failure, model=_MODEL),
        "grpcEndpoint": observed.served.grpc_url or text(before, "grpcEndpoint"),
        "httpEndpoint": observed.served.rest_url,
        "conditions": merged(
            before.get("conditions"), [readiness(READY, standing, observed)], now_ms=observed.now_ms
        ),
    }
