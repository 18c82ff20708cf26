"""When a model is to be looked at again though nothing was heard of it.

Events come first: these pauses are for what has none, and for events that were missed. They grow with the
time that something takes, so that thousands of models that wait together cost little (D19).
"""

from typing import Final

from adapter.controller.statuses import times
from adapter.controller.statuses.standing import ModelState, Observed, Standing
from adapter.controller.verdicts import MeshAway, NameTaken, SpecInvalid
from adapter.domain.specs import FailureReason
from adapter.mesh.vmodels import VModelReport

LOADING_S_MIN: Final = 1.0
LOADING_S_MAX: Final = 5.0
WAITING_S_MIN: Final = 3.0
"""For a runtime, and for a mesh that can be called (reference: serving controller 0.5)."""
WAITING_S_MAX: Final = 30.0
MESH_FAILED_S: Final = 5.0
NAME_TAKEN_S: Final = 15.0
"""Nobody tells when the other object of that name goes."""
_SHARE: Final = 4
"""Looked at again after a quarter of the time that it has taken so far."""


def pause_s(standing: Standing, observed: Observed) -> float | None:
    """None: what comes next is heard of."""
    match observed.answer:
        case NameTaken():
            return NAME_TAKEN_S
        case SpecInvalid():
            return None
        case MeshAway(no_pods=False):
            return MESH_FAILED_S
    return _until_served(standing, observed)


def _until_served(standing: Standing, observed: Observed) -> float | None:
    failure = standing.failure
    if failure is not None and failure.reason == FailureReason.RUNTIME_UNHEALTHY.value:
        since_ms = times.read(failure.time)
        return _grown(since_ms, observed.now_ms, WAITING_S_MIN, WAITING_S_MAX)
    if ModelState.LOADING in (standing.active, standing.target):
        return _grown(_loading_since_ms(observed.answer), observed.now_ms, LOADING_S_MIN, LOADING_S_MAX)
    if standing.active is ModelState.PENDING and not observed.asleep and standing.failure is None:
        return WAITING_S_MIN
    return None


def _loading_since_ms(answer: object) -> int | None:
    if not isinstance(answer, VModelReport):
        return None
    reports = [report for report in (answer.target, answer.active) if report is not None]
    return max((copy.since_ms for report in reports for copy in report.copies), default=None)


def _grown(since_ms: int | None, now_ms: int, least_s: float, longest_s: float) -> float:
    if since_ms is None:
        return least_s
    return min(max((now_ms - since_ms) / 1000 / _SHARE, least_s), longest_s)
