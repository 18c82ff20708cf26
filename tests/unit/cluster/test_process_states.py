import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cluster.process_states import NEXT, Backoff, ProcessEvent, ProcessLife, ProcessState

PATIENCE = Backoff(pause_s_first=1.0, pause_s_max=8.0, good_s=60.0, tries_max=5)


def a_life(*, ready: bool = False) -> ProcessLife:
    life = ProcessLife("minio", PATIENCE)
    if ready:
        life.answered(now_s=0.0)
    return life


def test_a_process_that_never_answered_is_not_started_again() -> None:
    life = a_life()
    assert life.ended(now_s=1.0) is None
    assert life.state is ProcessState.GONE


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    life = a_life(ready=True)
    pauses = []
    for _ in range(PATIENCE.tries_max):
        pauses.append(life.ended(now_s=1.0))
        life.paused()
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0]


def test_after_the_last_try_it_is_given_up() -> None:
    life = a_life(ready=True)
    for _ in range(PATIENCE.tries_max):
        life.ended(now_s=1.0)
        life.paused()
    assert life.ended(now_s=1.0) is None
    assert life.state is ProcessState.GONE


def test_a_good_while_makes_up_for_earlier_failures() -> None:
    life = a_life(ready=True)
    for _ in range(3):
        life.ended(now_s=1.0)
        life.paused()
    life.answered(now_s=100.0)
    assert life.ended(now_s=159.0) == 8.0
    life.paused()
    life.answered(now_s=200.0)
    assert life.ended(now_s=260.0) == 1.0


@pytest.mark.parametrize(
    "ended",
    [
        pytest.param(False, id="while it starts"),
        pytest.param(True, id="while it pauses"),
    ],
)
def test_it_can_be_told_to_stop_at_any_time(ended: bool) -> None:
    life = a_life(ready=ended)
    if ended:
        life.ended(now_s=1.0)
    life.stop_asked()
    life.stop_asked()
    life.stopped()
    life.stopped()
    assert life.state is ProcessState.GONE


def test_what_is_not_in_the_table_cannot_happen_and_the_error_tells_the_story() -> None:
    life = a_life(ready=True)
    with pytest.raises(AssertionError, match=r"(?s)the pause is over.*because it answers"):
        life.paused()


def test_every_state_but_the_last_can_be_left_and_the_last_never() -> None:
    left = {state for state, _ in NEXT}
    assert left == set(ProcessState) - {ProcessState.GONE}
    assert set(NEXT.values()) == set(ProcessState)
    assert {event for _, event in NEXT} == set(ProcessEvent)


@given(st.integers(min_value=1, max_value=10_000))
def test_a_pause_is_never_longer_than_the_longest(failures: int) -> None:
    assert 0 < PATIENCE.pause_s(failures) <= PATIENCE.pause_s_max


@given(st.lists(st.floats(min_value=0.0, max_value=200.0), max_size=30))
def test_a_process_in_any_life_is_restarted_at_most_so_often_in_a_row(lives_s: list[float]) -> None:
    life, now_s = a_life(ready=True), 0.0
    for up_s in lives_s:
        now_s += up_s
        pause_s = life.ended(now_s=now_s)
        assert life.failures <= PATIENCE.tries_max + 1
        if pause_s is None:
            assert life.state is ProcessState.GONE
            return
        now_s += pause_s
        life.paused()
        life.answered(now_s=now_s)
