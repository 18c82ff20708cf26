import pytest

from adapter.controller.statuses.conditions import Condition, merged, readiness
from adapter.controller.statuses.standing import Failure, ModelState, Standing
from tests.unit.controller.statuses.status_builders import NOW, NOW_MS, observed, reported

EARLIER = "2025-10-01T00:00:00Z"
READY = Condition(type="Ready", holds=True)
NOT_READY = Condition(type="Ready", holds=False, reason="ModelLoadFailed", message="no file")


def test_a_condition_has_the_time_of_its_last_change() -> None:
    before = [{"type": "Ready", "status": "False", "lastTransitionTime": EARLIER, "reason": "Loading"}]
    assert merged(before, [NOT_READY], now_ms=NOW_MS) == [
        {
            "type": "Ready",
            "status": "False",
            "lastTransitionTime": EARLIER,
            "reason": "ModelLoadFailed",
            "message": "no file",
        }
    ]
    assert merged(before, [READY], now_ms=NOW_MS) == [
        {"type": "Ready", "status": "True", "lastTransitionTime": NOW}
    ]


def test_conditions_of_others_stay_where_they_are() -> None:
    theirs = {"type": "TransformerReady", "status": "True", "severity": "Info"}
    before = [theirs, {"type": "Ready", "status": "True", "lastTransitionTime": EARLIER}]
    after = merged(before, [Condition(type="PredictorReady", holds=True), READY], now_ms=NOW_MS)
    assert [each["type"] for each in after] == ["TransformerReady", "Ready", "PredictorReady"]
    assert after[0] == theirs


def test_each_of_ours_is_there_once() -> None:
    before = [{"type": "Ready", "status": "True"}, {"type": "Ready", "status": "False"}]
    assert len(merged(before, [READY], now_ms=NOW_MS)) == 1


@pytest.mark.parametrize("before", [None, "x", {}, [None, 7]], ids=str)
def test_what_is_no_list_of_conditions_is_none(before: object) -> None:
    assert len(merged(before, [READY], now_ms=NOW_MS)) == 1


def test_the_same_again_is_the_same() -> None:
    once = merged([], [NOT_READY, READY], now_ms=NOW_MS)
    assert merged(once, [NOT_READY, READY], now_ms=NOW_MS + 60_000) == once


def test_what_is_not_ready_says_why() -> None:
    failing = Standing(active=ModelState.FAILED, failure=Failure(reason="ModelLoadFailed", message="no file"))
    assert readiness("Ready", failing, observed(reported(None))) == NOT_READY
    assert readiness("Ready", Standing(available=True), observed(reported(None))) == READY
    pending = readiness("Ready", Standing(), observed(reported(None)))
    assert (pending.reason, pending.message) == ("Pending", "The model is not registered yet")
