"""What a user sees (reference: serving controller 5.5), row by row, and the defects that are not copied."""

from typing import Final

import pytest

from adapter.controller.statuses.judging import stands
from adapter.controller.statuses.standing import Failure, ModelState, Observed, Standing, Transition
from adapter.controller.verdicts import MeshAway, NameTaken, SpecInvalid
from adapter.domain.status import ModelStatus
from adapter.mesh.vmodel_states import VModelStatus
from adapter.mesh.vmodels import VModelReport
from tests.unit.controller.statuses.status_builders import (
    NEW,
    NO_RUNTIME,
    NOT_RECOGNIZED,
    NOW,
    NOW_MS,
    a_copy,
    failed,
    loaded,
    loading,
    no_instance,
    not_loaded,
    observed,
    reported,
    told,
)

S, T = ModelState, Transition
FRESH: Final = Standing()
STEADY: Final = Standing(active=S.LOADED, available=True, total_copies=1)
WAITED: Final = Failure(
    reason="RuntimeUnhealthy", message="Waiting ...", model=NEW, time="2025-10-09T08:00:00Z"
)
FAILED_STATUS: Final = VModelStatus.TRANSITION_FAILED
GONE: Final = MeshAway(no_pods=True)

ROWS = [
    pytest.param(
        FRESH,
        observed(GONE, instances=0),
        ("Pending", "", "UpToDate", "RuntimeUnhealthy", False),
        id="no pod of any runtime yet",
    ),
    pytest.param(
        FRESH,
        observed(reported(no_instance()), instances=0),
        ("Loading", "", "UpToDate", "RuntimeUnhealthy", False),
        id="mesh is up, the right runtime is not",
    ),
    pytest.param(
        FRESH, observed(reported(loading())), ("Loading", "", "UpToDate", "", True), id="first load running"
    ),
    pytest.param(FRESH, observed(reported(loaded())), ("Loaded", "", "UpToDate", "", True), id="steady"),
    pytest.param(
        STEADY, observed(reported(not_loaded())), ("Standby", "", "UpToDate", "", True), id="evicted"
    ),
    pytest.param(
        FRESH,
        observed(reported(failed())),
        ("FailedToLoad", "", "UpToDate", "ModelLoadFailed", False),
        id="first load failed",
    ),
    pytest.param(
        FRESH,
        observed(reported(no_instance("mt:foo: [_no_runtime]")), selection=None),
        ("FailedToLoad", "", "UpToDate", "NoSupportingRuntime", False),
        id="nothing serves it, by the mesh's word",
    ),
    pytest.param(
        FRESH,
        observed(reported(not_loaded()), selection=NO_RUNTIME),
        ("FailedToLoad", "", "UpToDate", "NoSupportingRuntime", False),
        id="nothing serves it, by selection",
    ),
    pytest.param(
        FRESH,
        observed(reported(not_loaded()), selection=NOT_RECOGNIZED),
        ("FailedToLoad", "", "UpToDate", "RuntimeNotRecognized", False),
        id="no runtime of this name",
    ),
    pytest.param(
        STEADY,
        observed(reported(loaded(), loading())),
        ("Loaded", "Loading", "InProgress", "", True),
        id="spec changed, the old model serves",
    ),
    pytest.param(
        STEADY,
        observed(reported(loaded(), failed(), FAILED_STATUS)),
        ("Loaded", "FailedToLoad", "BlockedByFailedLoad", "ModelLoadFailed", True),
        id="new spec bad, the old model serves",
    ),
    pytest.param(
        STEADY,
        observed(reported(loaded(), loading(), FAILED_STATUS)),
        ("Loaded", "Loading", "InProgress", "", True),
        id="tried once more",
    ),
    pytest.param(
        STEADY,
        observed(reported(loaded(), loading()), selection=NO_RUNTIME),
        ("Loaded", "FailedToLoad", "BlockedByFailedLoad", "NoSupportingRuntime", True),
        id="nothing serves the new spec, the old model serves",
    ),
    pytest.param(
        STEADY,
        observed(reported(loaded(), no_instance(), FAILED_STATUS), instances=0),
        ("Loaded", "Loading", "InProgress", "RuntimeUnhealthy", True),
        id="new spec needs a runtime that is starting (D15)",
    ),
    pytest.param(
        STEADY,
        observed(SpecInvalid(message="no", report=reported(loaded()))),
        ("Loaded", "", "InvalidSpec", "InvalidPredictorSpec", True),
        id="spec rejected, the old model serves",
    ),
    pytest.param(
        STEADY,
        observed(SpecInvalid(message="no", report=reported(loaded(), failed(), FAILED_STATUS))),
        ("Loaded", "FailedToLoad", "InvalidSpec", "InvalidPredictorSpec", True),
        id="spec rejected, while the one before cannot be loaded",
    ),
    pytest.param(
        FRESH,
        observed(SpecInvalid(message="no", report=VModelReport()), selection=None),
        ("Pending", "", "InvalidSpec", "InvalidPredictorSpec", False),
        id="never valid (D16)",
    ),
    pytest.param(
        STEADY,
        observed(SpecInvalid(message="no"), selection=None, instances=None),
        ("Loaded", "", "InvalidSpec", "InvalidPredictorSpec", True),
        id="spec rejected, the mesh was not asked",
    ),
    pytest.param(
        STEADY,
        observed(SpecInvalid(message="no"), selection=None, instances=0),
        ("Standby", "", "InvalidSpec", "InvalidPredictorSpec", False),
        id="spec rejected, and no pod is left (D13)",
    ),
    pytest.param(
        FRESH,
        observed(NameTaken()),
        ("Pending", "", "InvalidSpec", "InvalidPredictorSpec", False),
        id="name taken by the other kind",
    ),
    pytest.param(
        STEADY,
        observed(GONE, instances=0),
        ("Standby", "", "UpToDate", "RuntimeUnhealthy", False),
        id="the last pod is gone (D13)",
    ),
    pytest.param(
        STEADY,
        observed(reported(not_loaded()), instances=0),
        ("Standby", "", "UpToDate", "RuntimeUnhealthy", False),
        id="the last pod of its runtime is gone, others are there (D13)",
    ),
    pytest.param(
        Standing(active=S.LOADED, target=S.FAILED, transition=T.BLOCKED, available=True),
        observed(GONE, instances=0),
        ("Standby", "Pending", "InProgress", "RuntimeUnhealthy", False),
        id="the last pod is gone amid a change",
    ),
    pytest.param(
        FRESH,
        observed(GONE, instances=0, selection=NO_RUNTIME),
        ("FailedToLoad", "", "UpToDate", "NoSupportingRuntime", False),
        id="nothing runs, and nothing would serve it",
    ),
    pytest.param(
        STEADY,
        observed(GONE, instances=0, asleep=True),
        ("Standby", "", "UpToDate", "", True),
        id="its runtime sleeps",
    ),
    pytest.param(
        FRESH,
        observed(GONE, instances=0, asleep=True),
        ("Pending", "", "UpToDate", "", False),
        id="declared while its runtime sleeps",
    ),
    pytest.param(
        STEADY,
        observed(MeshAway(no_pods=False, text="deadline")),
        ("Loaded", "", "UpToDate", "", True),
        id="the mesh does not answer: as it was",
    ),
    pytest.param(
        STEADY,
        observed(VModelReport()),
        ("Pending", "", "UpToDate", "", False),
        id="the alias is lost",
    ),
]


def shown(standing: Standing) -> tuple[str, str, str, str, bool]:
    reason = standing.failure.reason if standing.failure else ""
    return (
        standing.active.value,
        standing.target.value,
        standing.transition.value,
        reason,
        standing.available,
    )


@pytest.mark.parametrize(("before", "seen", "expected"), ROWS)
def test_a_user_sees(before: Standing, seen: Observed, expected: tuple[str, str, str, str, bool]) -> None:
    assert shown(stands(before, seen)) == expected


@pytest.mark.parametrize(("before", "seen", "expected"), ROWS)
def test_the_same_again_changes_nothing(before: Standing, seen: Observed, expected: object) -> None:
    assert expected
    once = stands(before, seen)
    assert stands(once, seen) == once


def test_who_waited_waits_until_it_is_loaded() -> None:
    waiting = Standing(active=S.LOADING, failure=WAITED)
    still = stands(waiting, observed(reported(loading())))
    assert shown(still) == ("Loading", "", "UpToDate", "RuntimeUnhealthy", False)
    assert shown(stands(still, observed(reported(loaded())))) == ("Loaded", "", "UpToDate", "", True)
    assert stands(waiting, observed(reported(not_loaded()))).failure is None


def test_what_waits_for_a_runtime_has_no_copies_though_the_mesh_tells_of_one() -> None:
    after = stands(FRESH, observed(reported(no_instance())))
    assert (after.failed_copies, after.total_copies) == (0, 0)


def test_copies_of_both_models_are_counted() -> None:
    target = told(ModelStatus.LOADING_FAILED, "bad", copies=(a_copy(ModelStatus.LOADING_FAILED), a_copy()))
    after = stands(STEADY, observed(reported(loaded(), target, FAILED_STATUS)))
    assert (after.failed_copies, after.total_copies) == (1, 3)


def test_a_failure_is_of_the_target_at_its_first_failed_copy() -> None:
    report = told(
        ModelStatus.LOADING_FAILED,
        "INTERNAL: no such file",
        copies=(a_copy(), a_copy(ModelStatus.LOADING_FAILED, at="pod-1", ms=NOW_MS - 61_000)),
    )
    after = stands(STEADY, observed(reported(loaded(), report, FAILED_STATUS)))
    assert after.failure == Failure(
        reason="ModelLoadFailed",
        message="INTERNAL: no such file",
        model=NEW,
        location="pod-1",
        time="2025-10-09T08:52:19Z",
    )


def test_another_failure_has_the_time_when_it_was_first_found() -> None:
    first = stands(FRESH, observed(NameTaken()))
    assert first.failure is not None
    assert first.failure.time == NOW
    assert stands(first, observed(NameTaken(), now_ms=NOW_MS + 600_000)) == first
    other = stands(first, observed(SpecInvalid(message="else"), now_ms=NOW_MS + 600_000))
    assert other.failure is not None
    assert other.failure.time == "2025-10-09T09:03:20Z"


def test_a_spec_that_is_mended_is_invalid_no_more() -> None:
    invalid = stands(STEADY, observed(SpecInvalid(message="no", report=reported(loaded()))))
    assert shown(stands(invalid, observed(reported(loaded())))) == ("Loaded", "", "UpToDate", "", True)
    assert stands(invalid, observed(VModelReport())).transition is T.UP_TO_DATE
