"""What the mesh says of one model, as a state (reference: serving controller 5.4).

Where selection knows better than the mesh, it is believed: a mesh that has not heard of a runtime yet says
that there is none, and one whose runtime was taken away says nothing at all.
"""

import re
from dataclasses import dataclass
from typing import Final

from adapter.controller.selection.modelmesh import NOT_RECOGNIZED, NOT_SUPPORTED
from adapter.controller.statuses.standing import ModelState, Observed
from adapter.controller.statuses.wording import NO_SUPPORTING_POD
from adapter.controller.verdicts import Chosen, NoRuntime
from adapter.domain.specs import FailureReason
from adapter.domain.status import ModelReport, ModelStatus

_NO_INSTANCE: Final = re.compile(
    r"(?:[A-Z_]+: )?There are no running instances that meet the label requirements of type (?P<type>.*)",
    re.DOTALL,
)
"""The mesh's sentence; its code may stand before it."""
_NO_RUNTIME: Final = "[_no_runtime]"
_RUNTIME_NAMED: Final = "rt:"

_STATES: Final = {
    ModelStatus.NOT_LOADED: ModelState.STANDBY,
    ModelStatus.LOADING: ModelState.LOADING,
    ModelStatus.LOADED: ModelState.LOADED,
    ModelStatus.LOADING_FAILED: ModelState.FAILED,
}
"""NOT_FOUND and UNKNOWN say nothing: the state stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Why a model is in its state."""

    reason: FailureReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One model of an alias."""

    state: ModelState
    note: Note | None = None
    report: ModelReport | None = None
    """What the mesh said; None: nothing."""

    @property
    def is_waiting(self) -> bool:
        """For a runtime that is to come."""
        return self.note is not None and self.note.reason is FailureReason.RUNTIME_UNHEALTHY

    @property
    def is_loaded(self) -> bool:
        """By the mesh's word."""
        return self.report is not None and self.report.status is ModelStatus.LOADED


WAITING: Final = Note(reason=FailureReason.RUNTIME_UNHEALTHY, message=NO_SUPPORTING_POD)


def told(report: ModelReport | None, before: ModelState) -> Judged:
    """What the mesh's words alone say; `before` is the state that the status has."""
    if report is None:
        return Judged(state=ModelState.PENDING)
    first = report.errors[0] if report.errors else ""
    if report.status is ModelStatus.LOADING_FAILED and (match := _NO_INSTANCE.fullmatch(first)):
        return _without_instance(match["type"], report)
    note = Note(reason=FailureReason.MODEL_LOAD_FAILED, message=first) if first else None
    if report.status is ModelStatus.LOADING_FAILED and note is None:
        note = Note(reason=FailureReason.MODEL_LOAD_FAILED, message="")
    return Judged(state=_STATES.get(report.status, before), note=note, report=report)


def judged(report: ModelReport | None, before: ModelState, observed: Observed) -> Judged:
    """The same of the model that the spec asks for: what is known of its runtimes counts too."""
    said = told(report, before)
    if said.is_loaded:
        return said
    match observed.selection:
        case NoRuntime(reason=reason, message=message):
            return Judged(
                state=ModelState.FAILED, note=Note(reason=reason, message=message), report=said.report
            )
        case Chosen() if said.note is not None and said.note.reason in _NO_SUCH_RUNTIME:
            return Judged(state=ModelState.LOADING, note=WAITING, report=said.report)
        case Chosen() if observed.has_no_instance and said.note is None:
            return Judged(state=said.state, note=WAITING, report=said.report)
    return said


_NO_SUCH_RUNTIME: Final = (FailureReason.NO_SUPPORTING_RUNTIME, FailureReason.RUNTIME_NOT_RECOGNIZED)


def _without_instance(type_and_labels: str, report: ModelReport) -> Judged:
    if not type_and_labels.endswith(_NO_RUNTIME):
        return Judged(state=ModelState.LOADING, note=WAITING, report=report)
    if type_and_labels.startswith(_RUNTIME_NAMED):
        note = Note(reason=FailureReason.RUNTIME_NOT_RECOGNIZED, message=NOT_RECOGNIZED)
    else:
        note = Note(reason=FailureReason.NO_SUPPORTING_RUNTIME, message=NOT_SUPPORTED)
    return Judged(state=ModelState.FAILED, note=note, report=report)
