from adapter.controller.statuses.failures import failure_of, noted
from adapter.controller.statuses.standing import Failure, ModelState
from adapter.controller.statuses.states import WAITING, Judged, Note, told
from adapter.domain.specs import FailureReason
from tests.unit.controller.statuses.status_builders import (
    NEW,
    NOW,
    NOW_MS,
    failed,
    loaded,
    loading,
    no_instance,
)

BEFORE = Failure(reason="ModelLoadFailed", message="old", model=NEW, time="2025-10-09T08:00:00Z")
NOTE = Note(reason=FailureReason.INVALID_PREDICTOR_SPEC, message="spec.x: no")


def test_what_is_loaded_has_not_failed() -> None:
    assert failure_of(told(loaded(), ModelState.LOADED), BEFORE, model=NEW, now_ms=NOW_MS) is None


def test_a_failure_that_is_over_is_forgotten_while_it_loads() -> None:
    assert failure_of(told(loading(), ModelState.FAILED), BEFORE, model=NEW, now_ms=NOW_MS) is None


def test_waiting_is_remembered_while_it_loads() -> None:
    waited = noted(WAITING, None, model=NEW, now_ms=NOW_MS)
    assert failure_of(told(loading(), ModelState.LOADING), waited, model=NEW, now_ms=NOW_MS) == waited
    standby = Judged(state=ModelState.STANDBY)
    assert failure_of(standby, waited, model=NEW, now_ms=NOW_MS) is None


def test_a_failed_load_is_where_and_when_the_mesh_says() -> None:
    found = failure_of(told(failed("bad"), ModelState.FAILED), BEFORE, model=NEW, now_ms=NOW_MS + 5_000)
    assert found == Failure(
        reason="ModelLoadFailed", message="bad", model=NEW, location="abc-12345", time=NOW
    )


def test_a_copy_that_is_none_is_no_place() -> None:
    found = failure_of(told(no_instance(), ModelState.PENDING), None, model=NEW, now_ms=NOW_MS)
    assert found is not None
    assert (found.location, found.time) == ("", NOW)


def test_the_same_failure_keeps_its_time_and_another_has_its_own() -> None:
    first = noted(NOTE, BEFORE, model=NEW, now_ms=NOW_MS)
    assert first.time == NOW
    assert noted(NOTE, first, model=NEW, now_ms=NOW_MS + 99_000) == first
    assert noted(NOTE, first, model="another", now_ms=NOW_MS + 99_000).time == "2025-10-09T08:54:59Z"


def test_a_long_message_is_the_same_one_the_next_time() -> None:
    long = Note(reason=FailureReason.MODEL_LOAD_FAILED, message="x" * 10_000)
    first = noted(long, None, model=NEW, now_ms=NOW_MS)
    assert noted(long, first, model=NEW, now_ms=NOW_MS + 60_000) == first
