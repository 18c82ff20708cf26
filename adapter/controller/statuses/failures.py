"""`lastFailureInfo` (reference: serving controller 5.5)."""

from typing import Final

from adapter.controller.statuses import times
from adapter.controller.statuses.standing import Failure, ModelState
from adapter.controller.statuses.states import Judged, Note
from adapter.controller.statuses.wording import shortened
from adapter.domain.specs import FailureReason
from adapter.domain.status import ModelReport, ModelStatus

_ON_ITS_WAY: Final = (ModelState.PENDING, ModelState.LOADING)


def failure_of(wanted: Judged, before: Failure | None, *, model: str, now_ms: int) -> Failure | None:
    """Of the model that the spec asks for; None: nothing is wrong with it any more.

    That it waited for a runtime is forgotten only when it is loaded, or failed: until then each of the mesh's
    answers may be about a load that comes to nothing.
    """
    if wanted.is_loaded:
        return None
    if wanted.note is not None:
        return noted(wanted.note, before, model=model, now_ms=now_ms, report=wanted.report)
    waited = before is not None and before.reason == FailureReason.RUNTIME_UNHEALTHY.value
    return before if waited and wanted.state in _ON_ITS_WAY else None


def noted(
    note: Note, before: Failure | None, *, model: str, now_ms: int, report: ModelReport | None = None
) -> Failure:
    """The time of a failed load is the mesh's, with the place; else it is when this was first found so."""
    message = shortened(note.message)
    failed = [copy for copy in report.copies if copy.status is ModelStatus.LOADING_FAILED] if report else []
    if note.reason is FailureReason.MODEL_LOAD_FAILED and failed:
        first = failed[0]
        return Failure(
            reason=note.reason.value,
            message=message,
            model=model,
            location=first.instance,
            time=times.written(first.since_ms),
        )
    same = before is not None and (before.reason, before.message, before.model) == (
        note.reason.value,
        message,
        model,
    )
    since = before.time if same and before is not None else ""
    return Failure(
        reason=note.reason.value, message=message, model=model, time=since or times.written(now_ms)
    )
