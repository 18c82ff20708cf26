"""How a model stands, out of how it stood and what was observed (reference: serving controller 5.4, 5.5).

Every row of ModelMesh's table holds, but for what the reference names as its defects: without a pod nothing
is available (D13); who merely waits for a runtime is on the way and not blocked, and the old model serves
meanwhile (D15); what was never valid is not available (D16).
"""

from dataclasses import replace
from typing import Final

from adapter.controller.statuses.failures import failure_of, noted
from adapter.controller.statuses.standing import ModelState, Observed, Standing, Transition
from adapter.controller.statuses.states import Judged, Note, judged, told
from adapter.controller.statuses.wording import NAME_TAKEN, NO_POD
from adapter.controller.verdicts import MeshAway, NameTaken, NoRuntime, SpecInvalid
from adapter.domain.specs import FailureReason
from adapter.domain.status import ModelStatus
from adapter.mesh.vmodel_states import VModelStatus
from adapter.mesh.vmodels import VModelReport

_TRANSITIONS: Final = {
    VModelStatus.DEFINED: Transition.UP_TO_DATE,
    VModelStatus.TRANSITIONING: Transition.IN_PROGRESS,
    VModelStatus.TRANSITION_FAILED: Transition.BLOCKED,
}
_OF_NO_ALIAS: Final = (VModelStatus.NOT_FOUND, VModelStatus.UNKNOWN)
_NOT_AVAILABLE: Final = (ModelState.NONE, ModelState.FAILED)
_WAS_REGISTERED: Final = (ModelState.STANDBY, ModelState.LOADED)


def stands(before: Standing, observed: Observed) -> Standing:
    """How it stands now; the same inputs give the same."""
    match observed.answer:
        case VModelReport() as report:
            return _reported(before, observed, report)
        case SpecInvalid() as invalid:
            return _refused(before, observed, invalid)
        case NameTaken():
            note = Note(reason=FailureReason.INVALID_PREDICTOR_SPEC, message=NAME_TAKEN)
            failure = noted(note, before.failure, model=observed.target, now_ms=observed.now_ms)
            return Standing(transition=Transition.INVALID, failure=failure)
        case MeshAway(no_pods=True):
            return _asleep(before) if observed.asleep else _without_pods(before, observed)
        case MeshAway():
            return before


def _reported(before: Standing, observed: Observed, report: VModelReport) -> Standing:
    """The mesh has it registered, and says how its models do."""
    active, target = _models(before, observed, report)
    wanted = target or active
    model = report.record.target if report.record is not None else observed.target
    failure = failure_of(wanted, before.failure, model=model, now_ms=observed.now_ms)
    failed, total = _copies(active, target)
    # Who waited counts as waiting until it is loaded; an old model that serves meanwhile is judged by itself.
    waits = failure is not None and failure.reason == FailureReason.RUNTIME_UNHEALTHY.value and target is None
    return Standing(
        active=active.state,
        target=ModelState.NONE if target is None else target.state,
        transition=_transition(before, observed, report, target),
        failure=failure,
        failed_copies=failed,
        total_copies=total,
        available=_serves(report, active) and not waits,
    )


def _models(before: Standing, observed: Observed, report: VModelReport) -> tuple[Judged, Judged | None]:
    """The active model, and the target if that is another one: it is then what the spec asks for."""
    record = report.record
    if record is None or record.active == record.target:
        return judged(report.active, before.active, observed), None
    target_before = ModelState.LOADING if before.target is ModelState.NONE else before.target
    return told(report.active, before.active), judged(report.target, target_before, observed)


def _transition(
    before: Standing, observed: Observed, report: VModelReport, target: Judged | None
) -> Transition:
    if report.status in _OF_NO_ALIAS:
        return Transition.UP_TO_DATE if before.transition is Transition.INVALID else before.transition
    if target is None:
        return Transition.UP_TO_DATE
    if isinstance(observed.selection, NoRuntime) and not target.is_loaded:
        return Transition.BLOCKED
    if target.is_waiting or (target.report is not None and target.report.status is ModelStatus.LOADING):
        return Transition.IN_PROGRESS
    return _TRANSITIONS[report.status]


def _serves(report: VModelReport, active: Judged) -> bool:
    """Whether a request would be answered, perhaps after a load."""
    known = report.status not in _OF_NO_ALIAS
    return known and active.state not in _NOT_AVAILABLE and not active.is_waiting


def _copies(*models: Judged | None) -> tuple[int, int]:
    """Failed ones and all. Of a model that no instance may hold the mesh tells of a copy that is none."""
    failed = total = 0
    for model in models:
        if model is None or model.report is None:
            continue
        if model.note is not None and model.note.reason is not FailureReason.MODEL_LOAD_FAILED:
            continue
        copies = model.report.copies
        total += len(copies)
        failed += sum(copy.status is ModelStatus.LOADING_FAILED for copy in copies)
    return failed, total


def _refused(before: Standing, observed: Observed, invalid: SpecInvalid) -> Standing:
    """The spec is invalid. What was registered before goes on as it does."""
    note = Note(reason=FailureReason.INVALID_PREDICTOR_SPEC, message=invalid.message)
    failure = noted(note, before.failure, model=observed.target, now_ms=observed.now_ms)
    report = invalid.report
    if report is None:
        there = _nothing_runs(before) if observed.has_no_instance else before
        return replace(there, transition=Transition.INVALID, failure=failure)
    record = report.record
    active = told(report.active, before.active)
    target: Judged | None = None
    if record is not None and record.active != record.target:
        target = told(report.target, before.target)
    failed, total = _copies(active, target)
    return Standing(
        active=active.state,
        target=ModelState.NONE if target is None else target.state,
        transition=Transition.INVALID,
        failure=failure,
        failed_copies=failed,
        total_copies=total,
        available=_serves(report, active),
    )


def _nothing_runs(before: Standing) -> Standing:
    """No copy is left; what was loaded, or could have been, is so no more."""
    was_registered = before.active in _WAS_REGISTERED
    return Standing(
        active=ModelState.STANDBY if was_registered else ModelState.PENDING,
        target=ModelState.NONE if before.target is ModelState.NONE else ModelState.PENDING,
        transition=Transition.UP_TO_DATE if before.target is ModelState.NONE else Transition.IN_PROGRESS,
    )


def _without_pods(before: Standing, observed: Observed) -> Standing:
    """Nobody is there to be asked; that no runtime would take it is known all the same."""
    there = _nothing_runs(before)
    if isinstance(observed.selection, NoRuntime):
        there = replace(there, active=ModelState.FAILED, target=ModelState.NONE)
        there = replace(there, transition=Transition.UP_TO_DATE)
        note = Note(reason=observed.selection.reason, message=observed.selection.message)
    else:
        note = Note(reason=FailureReason.RUNTIME_UNHEALTHY, message=NO_POD)
    failure = noted(note, before.failure, model=observed.target, now_ms=observed.now_ms)
    return replace(there, failure=failure)


def _asleep(before: Standing) -> Standing:
    """Its runtime was stopped because nobody asked; what can be loaded again is as good as unloaded."""
    if before.active in _NOT_AVAILABLE or before.active is ModelState.PENDING:
        return before
    failure = before.failure
    if failure is not None and failure.reason == FailureReason.RUNTIME_UNHEALTHY.value:
        failure = None
    return replace(
        before, active=ModelState.STANDBY, failure=failure, failed_copies=0, total_copies=0, available=True
    )
