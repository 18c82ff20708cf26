"""The machine in scenes: loads that nobody waits for any more, and models that go and stay registered."""

import pytest

from adapter.cache.entry import EntryState
from adapter.cache.messages import (
    Abandoned,
    DiscardFiles,
    Dropped,
    Settled,
    StartPull,
    StartUnload,
    StopPull,
)
from adapter.domain.errors import CacheBusy, ModelCorrupt, Refused
from adapter.domain.ids import ModelId
from tests.unit.cache.play import Play, error_of, only

A, B = ModelId("a"), ModelId("b")


# Nobody waits any more.


def test_a_queued_load_is_given_up_at_once() -> None:
    play = Play(slots=1)
    play.ask("b")
    play.ask("a")
    assert isinstance(error_of(play.tell(Abandoned(model=A))), CacheBusy)
    assert play.state("a") is None


def test_a_pull_is_stopped_when_nobody_comes_back_and_its_slot_is_free_then() -> None:
    play = Play(slots=1)
    play.ask("a")
    play.ask("b")
    assert play.tell(Abandoned(model=A)) == []
    assert play.tick(1.0) == []
    commands = play.tick(1.0)
    assert commands[1:] == [StopPull(model=A)]
    assert isinstance(error_of(commands), CacheBusy)
    assert play.tick(10.0) == []
    assert play.failed("a", CacheBusy("stopped")) == [StartPull(model=B)]
    assert play.state("a") is None


@pytest.mark.parametrize("waiting", [True, False], ids=["a user", "background work"])
def test_a_load_goes_on_for_who_comes_back_in_time(waiting: bool) -> None:
    play = Play()
    play.ask("a")
    play.tell(Abandoned(model=A))
    play.tick(1.0)
    play.ask("a", waiting=waiting)
    assert play.tick(10.0) == []
    play.pulled("a")
    assert play.loaded("a") == [Settled(model=A)]


def test_who_comes_too_late_has_the_model_pulled_anew() -> None:
    play = Play()
    play.ask("a")
    play.tell(Abandoned(model=A))
    play.tick(2.0)
    assert play.ask("a") == []
    assert play.failed("a", CacheBusy("stopped")) == [StartPull(model=A)]


def test_a_pull_that_ended_before_it_was_stopped_is_discarded() -> None:
    play = Play()
    play.ask("a")
    play.tell(Abandoned(model=A))
    play.tick(2.0)
    assert play.pulled("a") == [DiscardFiles(model=A)]
    assert len(play.cache) == 0


def test_what_waits_for_room_is_discarded() -> None:
    play = Play(capacity=100)
    play.load("b")
    play.acquire("b")
    play.ask("a")
    play.pulled("a")
    play.tell(Abandoned(model=A))
    assert DiscardFiles(model=A) in play.tick(2.0)
    assert play.state("a") is None


def test_what_the_runtime_loads_already_is_loaded_to_the_end() -> None:
    play = Play()
    play.ask("a")
    play.pulled("a")
    play.tell(Abandoned(model=A))
    assert play.tick(10.0) == []
    assert play.loaded("a") == [Settled(model=A)]
    assert play.state("a") is EntryState.ACTIVE


def test_what_was_asked_for_while_it_goes_is_not_loaded_again_for_nobody() -> None:
    play = Play()
    play.load("a")
    play.tell(Dropped(model=A))
    play.ask("a")
    assert isinstance(error_of(play.tell(Abandoned(model=A))), CacheBusy)
    assert play.unloaded("a") == []
    assert len(play.cache) == 0


def test_nothing_is_given_up_that_is_not_on_its_way() -> None:
    play = Play()
    play.load("a")
    for model in (A, B):
        assert play.tell(Abandoned(model=model)) == []
    assert play.tick(10.0) == []
    assert play.state("a") is EntryState.ACTIVE


# To go, and to stay registered.


def test_a_copy_is_unloaded_and_loaded_again_when_it_is_asked_for() -> None:
    play = Play()
    play.load("a")
    unload = play.tell(Dropped(model=A, unregistered=False))
    assert unload == [StartUnload(model=A, cause="its unload was asked for")]
    assert play.ask("a") == []
    assert play.unloaded("a") == [StartPull(model=A)]


@pytest.mark.parametrize("step", ["queued", "pulling", "waiting for room", "loading"])
def test_a_load_under_way_is_given_up_and_who_waits_is_told(step: str) -> None:
    play = Play(capacity=100, slots=1)
    if step == "waiting for room":
        play.load("b")
        play.acquire("b")
    elif step == "queued":
        play.ask("b")
    play.ask("a")
    if step in ("waiting for room", "loading"):
        play.pulled("a")
    commands = play.tell(Dropped(model=A, unregistered=False))
    assert type(error_of(commands)) is Refused
    assert len(only(commands, StopPull)) == (step == "pulling")
    if step == "loading":
        (unload,) = play.loaded("a")
        assert unload == StartUnload(model=A, cause="its unload was asked for")
        play.unloaded("a")
    elif step == "pulling":
        play.failed("a", CacheBusy("stopped"))
    assert play.state("a") is None


def test_an_unload_forgets_the_failure() -> None:
    play = Play()
    play.ask("a")
    play.failed("a", ModelCorrupt("broken"))
    play.tell(Dropped(model=A, unregistered=False))
    assert play.ask("a") == [StartPull(model=A)]


def test_a_pull_for_nobody_is_stopped_once() -> None:
    play = Play()
    play.ask("a")
    assert only(play.tell(Dropped(model=A, unregistered=False)), StopPull) == [StopPull(model=A)]
    assert play.tell(Dropped(model=A)) == []
