import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.ids import ModelId
from adapter.mesh.usage_marks import HEAVY_MINUTES_MAX, MINUTE_MS, UsageMarks

A, B, C = ModelId("a"), ModelId("b"), ModelId("c")


def used_at(*minutes: int, marks: UsageMarks | None = None) -> bool:
    """Whether the use in the last of these minutes makes it steady."""
    marks = UsageMarks() if marks is None else marks
    steady: list[ModelId] = []
    for minute in minutes:
        steady = marks.used([A], minute * MINUTE_MS + 1)
        marks.check()
    return bool(steady)


@pytest.mark.parametrize(
    ("minutes", "steady"),
    [
        pytest.param([100], False, id="first use"),
        pytest.param([94, 100], False, id="six minutes ago is too new"),
        pytest.param([93, 100], True, id="seven minutes ago"),
        pytest.param([60, 100], True, id="forty minutes ago"),
        pytest.param([59, 100], False, id="41 minutes ago is too old"),
        pytest.param([0, 62, 99, 100], True, id="one of several"),
        pytest.param([0, 50, 99, 100], False, id="none of several"),
        pytest.param(list(range(80, 101)), True, id="all the time, which the reference overlooks"),
    ],
)
def test_steady_is_used_now_and_between_7_and_40_minutes_ago(minutes: list[int], steady: bool) -> None:
    assert used_at(*minutes) is steady


def test_a_model_comes_back_at_most_once_a_minute() -> None:
    marks = UsageMarks()
    marks.used([A], 0)
    assert marks.used([A], 10 * MINUTE_MS) == [A]
    assert marks.used([A], 10 * MINUTE_MS + 59_999) == []
    assert marks.used([A], 11 * MINUTE_MS) == [A]


def test_a_clock_that_goes_back_does_no_harm() -> None:
    marks = UsageMarks()
    marks.used([A], 60 * MINUTE_MS)
    assert marks.used([A], 0) == []
    assert marks.used([A], 70 * MINUTE_MS) == [A]


def test_what_was_unused_for_longest_is_forgotten_first_when_there_are_too_many() -> None:
    marks = UsageMarks(models_max=2)
    for minute, models in enumerate([[A], [B], [A], [C]]):
        marks.used(models, minute * MINUTE_MS)
        marks.used_heavily(models, minute * MINUTE_MS)
        marks.check()
    assert [marks.heavy_ms(model) for model in (A, B, C)] == [2 * MINUTE_MS, None, 3 * MINUTE_MS]
    assert marks.used([A, B, C], 10 * MINUTE_MS) == [A, C]


def test_what_no_rule_asks_for_any_more_is_forgotten() -> None:
    marks = UsageMarks()
    marks.used([A, B], 0)
    marks.used([C], 41 * MINUTE_MS)
    assert len(marks) == 1
    marks.used_heavily([A], 0)
    marks.used_heavily([], HEAVY_MINUTES_MAX * MINUTE_MS)
    assert marks.heavy_ms(A) == 0
    marks.used_heavily([], HEAVY_MINUTES_MAX * MINUTE_MS + 1)
    assert marks.heavy_ms(A) is None


def test_a_model_can_be_forgotten() -> None:
    marks = UsageMarks()
    marks.used([A], 0)
    marks.used_heavily([A], 0)
    marks.forget(A)
    marks.forget(B)
    assert len(marks) == 0
    assert marks.heavy_ms(A) is None


@given(st.sets(st.integers(0, 200), min_size=1, max_size=40).map(sorted))
def test_the_bits_say_what_the_list_of_uses_says(minutes: list[int]) -> None:
    now = minutes[-1]
    steady = any(7 <= now - minute <= 40 for minute in minutes)
    assert used_at(*minutes) is steady
