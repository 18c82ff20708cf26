from typing import Final

import pytest

from adapter.controller.statuses.parts import count, failure_as, failure_in, one_of, part, text
from adapter.controller.statuses.standing import Failure, ModelState

FAILURE: Final = Failure(reason="ModelLoadFailed", message="no file", model="m", location="a", time="t")


def test_a_part_that_is_not_there_is_empty() -> None:
    assert part({"a": {"b": {"c": 1}}}, "a", "b") == {"c": 1}
    assert part({"a": 7}, "a", "b") == {}
    assert part(None) == {}


@pytest.mark.parametrize("value", [None, 7, [], {}], ids=str)
def test_what_is_no_text_is_none(value: object) -> None:
    assert text({"a": value}, "a") == ""


@pytest.mark.parametrize("value", [None, "7", True, 1.5], ids=str)
def test_what_is_no_number_is_none(value: object) -> None:
    assert count({"a": value}, "a") == 0


@pytest.mark.parametrize("value", [None, "Levitating", 7, [], {}], ids=str)
def test_what_is_no_state_is_the_default(value: object) -> None:
    assert one_of(ModelState, value, ModelState.PENDING) is ModelState.PENDING
    assert one_of(ModelState, "Loaded", ModelState.PENDING) is ModelState.LOADED


def test_a_failure_is_read_as_it_was_written() -> None:
    written = failure_as(FAILURE, model="modelId")
    assert written is not None
    assert failure_in(written, model="modelId") == FAILURE


def test_what_a_failure_does_not_say_takes_away_what_the_last_one_said() -> None:
    assert failure_as(Failure(reason="x"), model="modelId") == {
        "reason": "x",
        "message": None,
        "modelId": None,
        "location": None,
        "time": None,
    }
    assert failure_as(None, model="modelId") is None
    assert failure_in({"message": "without a reason"}, model="modelId") is None
