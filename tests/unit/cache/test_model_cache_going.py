"""The machine in scenes: copies that are lost, models that are unregistered, or asked for while they go."""

import pytest

from adapter.cache.entry import EntryState
from adapter.cache.messages import (
    CopyLost,
    DiscardFiles,
    Dropped,
    RuntimeReset,
    Settled,
    StartLoad,
    StartPull,
    StartUnload,
)
from adapter.domain.errors import (
    ModelCorrupt,
    ModelNotFound,
    RuntimeUnavailable,
)
from adapter.domain.ids import ModelId
from tests.unit.cache.play import Play, error_of

A, B = ModelId("a"), ModelId("b")


# A model that goes while it is wanted.


def test_a_model_that_is_asked_for_while_it_goes_is_loaded_again_afterwards() -> None:
    play = Play(capacity=100)
    play.load("a")
    play.ask("b")
    play.pulled("b")
    assert play.ask("a") == []
    assert play.ask("a", waiting=False) == []
    assert set(play.unloaded("a")) == {StartLoad(model=B, size_hint_bytes=100), StartPull(model=A)}


def test_a_lost_copy_is_gone_at_once_and_loaded_anew() -> None:
    play = Play()
    play.load("a")
    play.acquire("a")
    assert play.tell(CopyLost(model=A)) == []
    assert play.tell(CopyLost(model=A)) == []
    assert (play.state("a"), play.acquire("a"), play.cache.used_bytes) == (None, False, 0)
    assert play.ask("a") == [StartPull(model=A)]
    assert play.tell(CopyLost(model=A)) == []
    assert play.release("a") == []


def test_after_a_restart_of_the_runtime_nothing_is_there_but_what_is_on_its_way() -> None:
    play = Play(capacity=300, slots=1)
    play.load("active")
    play.ask("sizing")
    play.pulled("sizing")
    play.loaded("sizing", None)
    play.tell(Dropped(model=ModelId("active")))
    play.ask("active")
    play.ask("loading")
    play.pulled("loading")
    play.tell(RuntimeReset())
    assert play.cache.used_bytes == 100
    assert {model: play.state(model) for model in play.cache} == {
        "loading": EntryState.LOADING,
        "active": EntryState.QUEUED,
    }
    assert StartPull(model=ModelId("active")) in play.failed("loading", RuntimeUnavailable("restarts"))


def test_a_restart_frees_what_was_stranded() -> None:
    play = Play()
    play.load("a")
    play.tell(Dropped(model=A))
    play.unloaded("a", failure="it will not")
    play.tell(RuntimeReset())
    assert (play.cache.stranded_bytes, play.cache.capacity_bytes) == (0, 300)


# Unregistered.


def test_an_unregistered_model_is_unloaded() -> None:
    play = Play()
    play.load("a")
    assert play.tell(Dropped(model=A)) == [StartUnload(model=A, cause="unregistered")]
    assert play.tell(Dropped(model=A)) == []
    assert play.tell(Dropped(model=B)) == []
    play.unloaded("a")
    assert (len(play.cache), play.cache.used_bytes) == (0, 0)


def test_an_unregistered_model_in_use_is_unloaded_when_it_is_not() -> None:
    play = Play()
    play.load("a")
    play.acquire("a")
    assert play.tell(Dropped(model=A)) == []
    assert not play.acquire("a")
    assert play.release("a") == [StartUnload(model=A, cause="unregistered")]


@pytest.mark.parametrize("queued_behind", [True, False], ids=["queued", "pulling"])
def test_whoever_waits_for_an_unregistered_model_is_told(queued_behind: bool) -> None:
    play = Play(slots=1)
    if queued_behind:
        play.ask("b")
    play.ask("a")
    assert isinstance(error_of(play.tell(Dropped(model=A))), ModelNotFound)


def test_a_model_unregistered_while_it_is_pulled_is_discarded_then() -> None:
    play = Play()
    play.ask("a")
    play.tell(Dropped(model=A))
    assert play.pulled("a") == [DiscardFiles(model=A)]
    assert len(play.cache) == 0


def test_a_model_unregistered_while_it_waits_for_room_is_discarded() -> None:
    play = Play(capacity=100)
    play.load("b")
    play.acquire("b")
    play.ask("a")
    play.pulled("a")
    assert DiscardFiles(model=A) in play.tell(Dropped(model=A))
    assert play.state("a") is None


def test_a_model_unregistered_while_it_is_loaded_is_unloaded_then() -> None:
    play = Play()
    play.ask("a")
    play.pulled("a")
    play.tell(Dropped(model=A))
    assert play.loaded("a", None) == [StartUnload(model=A, cause="unregistered")]


def test_a_model_unregistered_and_registered_anew_while_it_is_pulled_is_pulled_anew() -> None:
    play = Play()
    play.ask("a")
    play.tell(Dropped(model=A))
    assert play.ask("a") == []
    assert play.pulled("a") == [DiscardFiles(model=A), StartPull(model=A)]
    play.pulled("a")
    assert play.loaded("a") == [Settled(model=A)]


def test_a_failure_of_an_unregistered_model_is_not_remembered() -> None:
    play = Play()
    play.ask("a")
    play.tell(Dropped(model=A))
    assert play.failed("a", ModelCorrupt("broken")) == []
    assert play.ask("a") == [StartPull(model=A)]


def test_unregistering_forgets_the_failure() -> None:
    play = Play()
    play.ask("a")
    play.failed("a", ModelCorrupt("broken"))
    play.tell(Dropped(model=A))
    assert play.ask("a") == [StartPull(model=A)]


@pytest.mark.parametrize("unloaded", [True, False], ids=["unloaded", "unloading"])
def test_unregistering_forgets_that_a_model_was_too_big(unloaded: bool) -> None:
    play = Play(capacity=300)
    play.ask("a")
    play.pulled("a")
    play.loaded("a", 301)
    if unloaded:
        play.unloaded("a")
    play.tell(Dropped(model=A))
    if not unloaded:
        play.unloaded("a")
    assert (play.cache.used_bytes, play.ask("a")) == (0, [StartPull(model=A)])
