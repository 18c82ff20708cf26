"""The machine in scenes: what is not evicted for another model, and who hears of it."""

import pytest

from adapter.cache.entry import EntryState
from adapter.cache.messages import Dropped, PinRuled, RuntimeReset, StartLoad, StartUnload, WakeAt
from adapter.domain.errors import CacheBusy
from adapter.domain.ids import ModelId
from tests.unit.cache.play import Play, error_of, only

A, B = ModelId("a"), ModelId("b")


def churning(waiting_for_room_s_max: float = 30.0) -> Play:
    """A cache that is full of a model that was loaded in two seconds, just now."""
    play = Play(capacity=100, churn_factor=10.0, waiting_for_room_s_max=waiting_for_room_s_max)
    play.load("a", load_s=2.0)
    return play


def test_what_was_loaded_a_moment_ago_stays_and_its_end_is_told() -> None:
    play = churning()
    play.ask("b")
    assert play.pulled("b") == [WakeAt(model=B, at_s=play.now_s + 20.0)]
    assert play.state("b") is EntryState.WAITING


def test_the_end_of_a_guard_makes_room() -> None:
    play = churning()
    play.ask("b")
    play.pulled("b")
    assert play.tick(19.9) == []
    assert only(play.tick(0.1), StartUnload) == [StartUnload(model=A, cause="room for b", makes_room=True)]
    assert only(play.unloaded("a"), StartLoad)


def test_one_end_is_told_once_and_the_next_when_it_was_not_enough() -> None:
    play = Play(capacity=200, churn_factor=10.0)
    play.load("a", load_s=1.0)
    play.load("b", load_s=3.0)
    a_ends_s, b_ends_s = play.now_s - 3.0 + 10.0, play.now_s + 30.0
    play.ask("c")
    assert only(play.pulled("c", disk=160), WakeAt) == [WakeAt(model=ModelId("c"), at_s=a_ends_s)]
    assert play.tick(1.0) == []
    assert only(play.tick(a_ends_s - play.now_s), WakeAt) == [WakeAt(model=ModelId("c"), at_s=b_ends_s)]


def test_who_waits_for_the_end_of_guards_for_too_long_is_told_what_is_missing() -> None:
    play = churning(waiting_for_room_s_max=5.0)
    play.ask("b")
    play.pulled("b")
    error = error_of(play.tick(5.0))
    assert isinstance(error, CacheBusy)
    assert "100 are missing" in str(error)
    assert "100 are models loaded a moment ago" in str(error)
    assert "the last for 15.0 s more" in str(error)


@pytest.mark.parametrize("unregistered", [True, False])
def test_a_guard_does_not_keep_what_is_to_go(unregistered: bool) -> None:
    play = churning()
    commands = play.tell(Dropped(model=A, unregistered=unregistered))
    assert [command.model for command in only(commands, StartUnload)] == [A]


def test_more_than_there_is_room_is_worse_than_churn() -> None:
    play = Play(capacity=200, churn_factor=10.0)
    play.load("a")
    play.ask("b")
    play.pulled("b", disk=80)
    commands = play.loaded("b", 150)
    assert [command.model for command in only(commands, StartUnload)] == [A]


def test_what_is_pinned_is_never_evicted_to_make_room() -> None:
    play = Play(capacity=200)
    play.ask("a", pinned=True)
    play.pulled("a")
    play.loaded("a")
    play.use("a")
    play.load("b", load_s=50)
    play.ask("c")
    assert [command.model for command in only(play.pulled("c"), StartUnload)] == [B]


def test_a_cache_full_of_what_is_pinned_refuses_at_once_and_says_so() -> None:
    play = Play(capacity=100)
    play.load("a")
    play.tell(PinRuled(model=A, pinned=True))
    play.ask("b")
    error = error_of(play.pulled("b"))
    assert isinstance(error, CacheBusy)
    assert "100 of 100 bytes are taken by models that are pinned here" in str(error)


def test_what_is_unpinned_may_be_evicted_and_room_is_made_at_once() -> None:
    play = Play(capacity=200)
    play.load("a")
    play.load("b")
    for model in (A, B):
        play.tell(PinRuled(model=model, pinned=True))
    play.tell(PinRuled(model=B, pinned=False))
    play.acquire("b")
    play.ask("c")
    assert play.pulled("c") == []
    assert play.release("b") == [StartUnload(model=B, cause="room for c", makes_room=True)]


@pytest.mark.parametrize(("later", "pinned"), [(None, True), (True, True), (False, False)])
def test_a_later_request_knows_the_rule_or_leaves_it(later: bool | None, pinned: bool) -> None:
    play = Play()
    play.ask("a", pinned=True)
    play.ask("a", pinned=later)
    standing = play.cache.worth(A, play.now_s)
    assert standing is not None
    assert standing.pinned is pinned


def test_a_rule_for_what_is_not_here_is_no_business_of_the_cache() -> None:
    play = Play()
    assert play.tell(PinRuled(model=A, pinned=True)) == []
    assert play.cache.worth(A, play.now_s) is None


def test_what_is_pinned_goes_with_the_runtime_and_counts_no_longer() -> None:
    play = Play(capacity=100)
    play.ask("a", pinned=True)
    play.pulled("a")
    play.loaded("a")
    play.tell(RuntimeReset())
    play.load("b")
    assert play.state("b") is EntryState.ACTIVE


def test_what_is_pinned_can_still_be_unloaded_by_wish() -> None:
    play = Play(capacity=100)
    play.ask("a", pinned=True)
    play.pulled("a")
    play.loaded("a")
    play.use("a")
    [command] = play.tell(Dropped(model=A, unregistered=False, because="scaled down"))
    assert command == StartUnload(model=A, cause="scaled down")
    departure = play.cache.departure(A)
    assert departure is not None
    assert departure.because == "scaled down"
