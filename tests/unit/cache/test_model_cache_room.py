"""The machine in scenes: who gets the room."""

import pytest

from adapter.cache.entry import EntryState
from adapter.cache.messages import (
    DiscardFiles,
    StartLoad,
    StartPull,
    StartUnload,
)
from adapter.domain.errors import (
    CacheBusy,
    ModelTooBig,
)
from adapter.domain.ids import ModelId
from tests.unit.cache.play import Play, error_of, only

A, B = ModelId("a"), ModelId("b")


def test_a_load_waits_until_the_evicted_is_confirmed_to_be_gone() -> None:
    play = Play(capacity=200)
    play.load("a")
    play.load("b")
    play.ask("c")
    assert play.pulled("c") == [StartUnload(model=A, cause="room for c", makes_room=True)]
    assert (play.state("a"), play.state("c"), play.cache.used_bytes) == (
        EntryState.UNLOADING,
        EntryState.WAITING,
        200,
    )
    assert play.unloaded("a") == [StartLoad(model=ModelId("c"), size_hint_bytes=100)]
    assert play.state("a") is None


def test_room_that_is_made_for_one_is_not_given_to_another() -> None:
    play = Play(capacity=200)
    play.load("a", size=200)
    play.ask("big")
    play.ask("small")
    play.pulled("big", disk=120)
    assert play.pulled("small", disk=40) == []
    commands = play.unloaded("a")
    assert {command.model for command in only(commands, StartLoad)} == {"big", "small"}


def test_the_least_valuable_go_and_no_more_than_needed() -> None:
    play = Play(capacity=300)
    play.load("dear", load_s=50)
    play.load("cheap", load_s=1)
    play.load("used", load_s=1)
    play.use("used")
    play.ask("new")
    assert [c.model for c in only(play.pulled("new"), StartUnload)] == ["cheap"]


def test_with_lru_the_longest_unused_goes() -> None:
    play = Play(capacity=200, policy="lru")
    play.load("a", load_s=50)
    play.load("b", load_s=1)
    play.ask("new")
    assert [c.model for c in only(play.pulled("new"), StartUnload)] == ["a"]


def test_when_all_is_in_use_a_load_waits_for_a_release() -> None:
    play = Play(capacity=100)
    play.load("a")
    play.acquire("a")
    play.ask("b")
    assert play.pulled("b") == []
    assert play.release("a") == [StartUnload(model=A, cause="room for b", makes_room=True)]


def test_a_wait_for_room_is_bounded_and_not_remembered() -> None:
    play = Play(capacity=100, waiting_for_room_s_max=30)
    play.load("a")
    play.acquire("a")
    play.ask("b")
    play.pulled("b")
    assert play.tick(29.0) == []
    commands = play.tick(1.0)
    assert isinstance(error_of(commands), CacheBusy)
    assert only(commands, DiscardFiles) == [DiscardFiles(model=B)]
    assert (play.state("b"), play.ask("b")) == (None, [StartPull(model=B)])


def test_two_models_do_not_chase_each_other_before_either_is_used() -> None:
    play = Play(capacity=100)
    play.load("a", used=False)
    play.ask("b")
    assert play.pulled("b") == []
    assert play.acquire("a")
    assert play.release("a") == [StartUnload(model=A, cause="room for b", makes_room=True)]


def test_whoever_does_not_come_for_his_model_loses_it() -> None:
    play = Play(capacity=100, first_use_s_max=5)
    play.load("a", used=False)
    play.ask("b")
    play.pulled("b")
    assert play.tick(5.0) == [StartUnload(model=A, cause="room for b", makes_room=True)]


def test_what_was_loaded_in_the_background_may_go_at_once() -> None:
    play = Play(capacity=100)
    play.ask("a", waiting=False)
    play.pulled("a")
    play.loaded("a")
    play.ask("b")
    assert only(play.pulled("b"), StartUnload) == [StartUnload(model=A, cause="room for b", makes_room=True)]


def test_a_model_that_can_never_fit_is_refused_before_anything_is_unloaded() -> None:
    play = Play(capacity=300)
    play.load("a")
    play.ask("b")
    commands = play.pulled("b", disk=301)
    assert isinstance(error_of(commands), ModelTooBig)
    assert (only(commands, DiscardFiles), only(commands, StartUnload)) == ([DiscardFiles(model=B)], [])
    assert isinstance(error_of(play.ask("b")), ModelTooBig)


def test_a_model_measured_to_be_bigger_than_predicted_sends_others_away() -> None:
    play = Play(capacity=300)
    play.load("a")
    play.load("b")
    play.ask("c")
    play.pulled("c")
    commands = play.loaded("c", 150)
    assert [command.model for command in only(commands, StartUnload)] == ["a"]
    assert (play.cache.used_bytes, play.cache.deficit_bytes) == (350, 50)
    play.unloaded("a")
    assert (play.cache.used_bytes, play.cache.deficit_bytes) == (250, 0)


def test_a_deficit_in_use_is_repaid_as_soon_as_it_is_not() -> None:
    play = Play(capacity=300)
    play.load("a", size=200)
    play.acquire("a")
    play.ask("c")
    play.pulled("c")
    play.loaded("c", 150)
    assert play.cache.deficit_bytes == 50
    assert play.acquire("c")
    because = "evicted because more is loaded than there is room"
    assert play.release("c") == [StartUnload(model=ModelId("c"), cause=because, makes_room=True)]


def test_a_model_measured_to_be_bigger_than_all_the_room_is_unloaded_and_not_tried_again() -> None:
    play = Play(capacity=300)
    play.load("a")
    play.ask("b")
    play.pulled("b")
    commands = play.loaded("b", 301)
    assert isinstance(error_of(commands), ModelTooBig)
    assert [command.model for command in only(commands, StartUnload)] == ["b"]
    assert isinstance(error_of(play.ask("b")), ModelTooBig)
    play.unloaded("b")
    assert (play.state("b"), play.state("a")) == (EntryState.FAILED, EntryState.ACTIVE)
    assert isinstance(error_of(play.ask("b")), ModelTooBig)


@pytest.mark.parametrize("disk", [None, 50], ids=["files unknown", "files known"])
def test_a_size_that_never_fits_says_nothing_of_the_next_model(disk: int | None) -> None:
    play = Play(capacity=300)
    play.load("a")
    play.ask("b")
    play.pulled("b", disk=disk)
    play.loaded("b", 1 << 50)
    play.unloaded("b")
    play.ask("c")
    commands = play.pulled("c", disk=disk)
    assert only(commands, StartUnload) == []
    assert len(only(commands, StartLoad)) == 1


def test_an_unload_that_fails_for_good_takes_its_room_until_the_model_is_loaded_again() -> None:
    play = Play(capacity=200)
    play.load("a")
    play.load("b")
    play.ask("c")
    play.pulled("c")
    [second] = only(play.unloaded("a", failure="it will not"), StartUnload)
    assert (second.model, play.cache.capacity_bytes, play.cache.stranded_bytes) == ("b", 100, 100)
    play.unloaded("b")
    play.loaded("c")
    play.use("c")
    play.load("a")
    assert (play.cache.capacity_bytes, play.cache.stranded_bytes) == (200, 0)


def test_a_runtime_with_less_room_gives_up_what_is_too_much() -> None:
    play = Play(capacity=300)
    for model in "abc":
        play.load(model)
    commands = play.cache.reset_capacity(
        capacity_bytes=100, loading_slots=1, default_size_bytes=10, now_s=play.now_s
    )
    assert [command.model for command in only(commands, StartUnload)] == ["a", "b"]
    assert (play.cache.capacity_bytes, play.cache.deficit_bytes) == (100, 200)
    play.cache.check()
