import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from adapter.controller.workqueue import PAUSE_S_MAX, Backoff, WorkQueue


def test_a_key_that_comes_often_is_looked_at_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [queue.take(0), queue.take(0), queue.take(0)] == ["a", "b", None]


def test_what_comes_while_it_is_worked_on_is_looked_at_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert queue.take(0) == "a"
    queue.add("a")
    assert queue.take(0) is None
    queue.done("a")
    assert queue.take(0) == "a"


@pytest.mark.parametrize(
    ("first", "second", "taken_at"), [(5.0, 3.0, 3.0), (3.0, 5.0, 3.0)], ids=["sooner", "later"]
)
def test_the_sooner_of_two_times_counts(first: float, second: float, taken_at: float) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_later("a", first)
    queue.add_later("a", second)
    assert queue.next_due_s() == taken_at
    assert queue.take(taken_at - 0.1) is None
    assert queue.take(taken_at) == "a"
    queue.done("a")
    assert queue.take(10.0) is None


def test_what_is_wanted_now_is_not_looked_at_a_second_time_later() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_later("a", 5.0)
    queue.add("a")
    assert queue.take(0) == "a"
    queue.done("a")
    assert queue.next_due_s() is None


def test_what_somebody_waits_for_comes_before_what_is_routine() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "c"):
        queue.add(key, routine=True)
    queue.add("d")
    queue.add("b")
    queue.add("d", routine=True)
    assert len(queue) == 4
    assert [queue.take(0) for _ in range(5)] == ["d", "b", "a", "c", None]


def test_pauses_double_and_end_with_a_success() -> None:
    queue: WorkQueue[str] = WorkQueue(Backoff(first_s=1.0))
    now_s, pauses = 0.0, []
    for _ in range(9):
        queue.add("a")
        assert queue.take(now_s) == "a"
        pauses.append(queue.failed("a", now_s) - now_s)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, PAUSE_S_MAX, PAUSE_S_MAX, PAUSE_S_MAX]
    queue.add("a")
    queue.take(now_s)
    queue.done("a")
    queue.add("a")
    queue.take(now_s)
    assert queue.failed("a", now_s) == 1.0


def test_very_many_failures_are_no_overflow() -> None:
    assert Backoff().pause_s(100_000) == PAUSE_S_MAX


class QueueMachine(RuleBasedStateMachine):
    """A key that was added is taken sooner or later, however things fall."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: WorkQueue[int] = WorkQueue(Backoff(first_s=1.0, longest_s=4.0))
        self.now_s = 0.0
        self.taken: set[int] = set()
        self.owed: set[int] = set()
        """Added and not taken since."""

    @rule(key=st.integers(0, 4), routine=st.booleans())
    def add(self, key: int, routine: bool) -> None:
        self.queue.add(key, routine=routine)
        self.owed.add(key)

    @rule(key=st.integers(0, 4), delay=st.integers(0, 5))
    def add_later(self, key: int, delay: int) -> None:
        self.queue.add_later(key, self.now_s + delay)

    @rule()
    def take(self) -> None:
        key = self.queue.take(self.now_s)
        if key is None:
            assert self.owed <= self.taken
        else:
            assert key not in self.taken
            self.taken.add(key)
            self.owed.discard(key)

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), well=st.booleans())
    def give_back(self, data: st.DataObject, well: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.taken)))
        self.taken.discard(key)
        if well:
            self.queue.done(key)
        else:
            assert self.queue.failed(key, self.now_s) > self.now_s

    @rule(seconds=st.integers(1, 5))
    def pass_time(self, seconds: int) -> None:
        self.now_s += seconds

    @invariant()
    def holds(self) -> None:
        self.queue.check()


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
