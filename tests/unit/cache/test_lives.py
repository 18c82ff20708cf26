"""How entries begin and end, seen by what is known of them afterwards."""

from adapter.cache.entry import Cause
from adapter.cache.messages import Dropped
from adapter.domain.ids import ModelId
from tests.unit.cache.play import Play

A = ModelId("a")


def test_what_comes_back_is_known_by_its_earlier_uses() -> None:
    play = Play(policy="lhd")
    play.load("a")
    for _ in range(5):
        play.now_s += 10.0
        play.use("a")
    expected = play.cache.worth(A, play.now_s)
    play.tell(Dropped(model=A, unregistered=False))
    play.unloaded("a")
    play.now_s += 10.0
    play.load("a", used=False)
    again = play.cache.worth(A, play.now_s)
    assert expected is not None
    assert again is not None
    assert again.uses_expected == expected.uses_expected


def test_what_was_unregistered_comes_back_as_a_stranger() -> None:
    play = Play(policy="lhd")
    play.load("a")
    play.tell(Dropped(model=A))
    play.unloaded("a")
    assert len(play.cache._copies.order.reuse) == 0


def test_what_left_and_is_unregistered_then_is_forgotten() -> None:
    play = Play(policy="lhd")
    play.load("a")
    play.tell(Dropped(model=A, unregistered=False))
    play.unloaded("a")
    assert len(play.cache._copies.order.reuse) == 1
    play.tell(Dropped(model=A))
    assert len(play.cache._copies.order.reuse) == 0


def test_a_load_that_was_given_up_before_it_was_there_leaves_what_is_known_of_the_copy_before() -> None:
    play = Play(capacity=100)
    play.load("a")
    play.load("b")
    play.ask("a")
    play.tell(Dropped(model=A, unregistered=False))
    departure = play.cache.departure(A)
    assert departure is not None
    assert (departure.cause, departure.because) == (Cause.EVICTED, "evicted to make room for b")
