"""The machine in scenes. What random events do to it is in `test_model_cache_machine.py`."""

import pytest

from adapter.cache.entry import EntryState, IllegalTransition
from adapter.cache.messages import (
    CopyLost,
    DiscardFiles,
    Dropped,
    MeasureSize,
    RuntimeReset,
    Settled,
    Sized,
    StartLoad,
    StartPull,
    StartUnload,
)
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import (
    CacheBusy,
    ModelCorrupt,
    ModelNotFound,
    ModelTooBig,
    RuntimeUnavailable,
    StorageUnreachable,
)
from adapter.domain.ids import ModelId
from tests.unit.cache.play import Play, only

A, B = ModelId("a"), ModelId("b")


def error_of(commands: list[object]) -> Exception | None:
    """Why those who wait for the one settled model fail."""
    [settled] = [command for command in commands if isinstance(command, Settled)]
    return None if settled.failure is None else settled.failure.error


# From asked for to loaded.


def test_a_model_is_pulled_loaded_and_settled() -> None:
    play = Play()
    assert play.ask("a") == [StartPull(model=A)]
    assert play.pulled("a", disk=80) == [StartLoad(model=A, size_hint_bytes=100)]
    assert play.loaded("a", 120) == [Settled(model=A)]
    assert (play.state("a"), play.cache.used_bytes) == (EntryState.ACTIVE, 120)


def test_all_who_ask_share_one_load() -> None:
    play = Play()
    assert len(play.ask("a")) == 1
    assert [play.ask("a") for _ in range(3)] == [[], [], []]
    play.pulled("a")
    assert play.ask("a") == []
    assert play.loaded("a") == [Settled(model=A)]
    assert play.ask("a") == [Settled(model=A)]


def test_a_model_without_a_known_size_can_be_used_while_it_is_measured() -> None:
    play = Play()
    play.ask("a")
    play.pulled("a")
    assert play.loaded("a", None) == [MeasureSize(model=A), Settled(model=A)]
    assert (play.state("a"), play.acquire("a"), play.cache.used_bytes) == (EntryState.SIZING, True, 100)
    assert play.tell(Sized(model=A, size_bytes=70)) == []
    assert (play.state("a"), play.cache.used_bytes) == (EntryState.ACTIVE, 70)


def test_when_the_size_cannot_be_told_the_prediction_stands() -> None:
    play = Play()
    play.ask("a")
    play.pulled("a")
    play.loaded("a", None)
    play.tell(Sized(model=A, size_bytes=None))
    assert (play.state("a"), play.cache.used_bytes) == (EntryState.ACTIVE, 100)


def test_a_size_that_comes_too_late_is_ignored() -> None:
    play = Play()
    play.load("a")
    assert play.tell(Sized(model=A, size_bytes=7)) == []
    assert play.tell(Sized(model=B, size_bytes=7)) == []
    assert play.cache.used_bytes == 100


def test_a_measure_frees_the_slot_for_the_next() -> None:
    play = Play(slots=1)
    play.ask("a")
    assert play.ask("b") == []
    play.pulled("a")
    assert StartPull(model=B) in play.loaded("a", None)


def test_a_user_who_comes_later_brings_background_work_forward() -> None:
    play = Play(slots=1)
    play.ask("busy")
    play.ask("x", waiting=False)
    play.ask("a", waiting=False, used_s=play.now_s - 500)
    play.ask("a")
    assert only(play.failed("busy", RuntimeUnavailable("away")), StartPull) == [StartPull(model=A)]


def test_what_cannot_have_happened_raises_with_the_story() -> None:
    play = Play()
    play.load("a")
    with pytest.raises(IllegalTransition, match=r"a is active[\s\S]*because there is room"):
        play.pulled("a")
    with pytest.raises(IllegalTransition, match="b is removed: 'Loaded'"):
        play.loaded("b")


@pytest.mark.parametrize(
    ("capacity", "slots", "size"),
    [
        pytest.param(-1, 1, 1, id="negative capacity"),
        pytest.param(1, 0, 1, id="no slot"),
        pytest.param(1, 1, 0, id="no size"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(capacity: int, slots: int, size: int) -> None:
    with pytest.raises(ValueError, match="there must be a slot"):
        ModelCache(capacity_bytes=capacity, loading_slots=slots, default_size_bytes=size)


# Room.


def test_a_load_waits_until_the_evicted_is_confirmed_to_be_gone() -> None:
    play = Play(capacity=200)
    play.load("a")
    play.load("b")
    play.ask("c")
    assert play.pulled("c") == [StartUnload(model=A, cause="room for c")]
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
    assert play.release("a") == [StartUnload(model=A, cause="room for b")]


def test_a_wait_for_room_is_bounded_and_not_remembered() -> None:
    play = Play(capacity=100, waiting_for_room_s_max=30)
    play.load("a")
    play.acquire("a")
    play.ask("b")
    play.pulled("b")
    assert play.tick(29.0) == []
    commands = play.tick(1.0)
    assert isinstance(error_of([*commands]), CacheBusy)
    assert only(commands, DiscardFiles) == [DiscardFiles(model=B)]
    assert (play.state("b"), play.ask("b")) == (None, [StartPull(model=B)])


def test_two_models_do_not_chase_each_other_before_either_is_used() -> None:
    play = Play(capacity=100)
    play.load("a", used=False)
    play.ask("b")
    assert play.pulled("b") == []
    assert play.acquire("a")
    assert play.release("a") == [StartUnload(model=A, cause="room for b")]


def test_whoever_does_not_come_for_his_model_loses_it() -> None:
    play = Play(capacity=100, first_use_s_max=5)
    play.load("a", used=False)
    play.ask("b")
    play.pulled("b")
    assert play.tick(5.0) == [StartUnload(model=A, cause="room for b")]


def test_what_was_loaded_in_the_background_may_go_at_once() -> None:
    play = Play(capacity=100)
    play.ask("a", waiting=False)
    play.pulled("a")
    play.loaded("a")
    play.ask("b")
    assert only(play.pulled("b"), StartUnload) == [StartUnload(model=A, cause="room for b")]


def test_a_model_that_can_never_fit_is_refused_before_anything_is_unloaded() -> None:
    play = Play(capacity=300)
    play.load("a")
    play.ask("b")
    commands = play.pulled("b", disk=301)
    assert isinstance(error_of([*commands]), ModelTooBig)
    assert (only(commands, DiscardFiles), only(commands, StartUnload)) == ([DiscardFiles(model=B)], [])
    assert isinstance(error_of([*play.ask("b")]), ModelTooBig)


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
    assert play.release("c") == [StartUnload(model=ModelId("c"), cause=because)]


def test_a_model_measured_to_be_bigger_than_all_the_room_is_unloaded_and_not_tried_again() -> None:
    play = Play(capacity=300)
    play.load("a")
    play.ask("b")
    play.pulled("b")
    commands = play.loaded("b", 301)
    assert isinstance(error_of([*commands]), ModelTooBig)
    assert [command.model for command in only(commands, StartUnload)] == ["b"]
    assert isinstance(error_of([*play.ask("b")]), ModelTooBig)
    play.unloaded("b")
    assert (play.state("b"), play.state("a")) == (EntryState.FAILED, EntryState.ACTIVE)
    assert isinstance(error_of([*play.ask("b")]), ModelTooBig)


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
    assert isinstance(error_of([*play.tell(Dropped(model=A))]), ModelNotFound)


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


# Failures.


def test_a_failure_is_told_remembered_and_then_tried_again() -> None:
    play = Play()
    play.ask("a")
    assert isinstance(error_of([*play.failed("a", ModelCorrupt("broken"))]), ModelCorrupt)
    play.now_s += 449
    assert isinstance(error_of([*play.ask("a")]), ModelCorrupt)
    failure = play.cache.failure(A, play.now_s)
    assert failure is not None
    assert (failure.text, play.state("a")) == ("DATA_LOSS: broken", EntryState.FAILED)
    play.now_s += 1
    assert play.cache.failure(A, play.now_s) is None
    assert play.ask("a") == [StartPull(model=A)]


def test_background_work_waits_the_whole_time() -> None:
    play = Play()
    play.ask("a", waiting=False, used_s=play.now_s - 1000)
    play.failed("a", ModelCorrupt("broken"))
    play.now_s += 899
    assert isinstance(error_of([*play.ask("a", waiting=False)]), ModelCorrupt)
    play.now_s += 1
    assert play.ask("a", waiting=False) == [StartPull(model=A)]


def test_the_files_of_a_failed_load_are_discarded_and_a_failed_pull_left_none() -> None:
    play = Play()
    play.ask("a")
    assert only(play.failed("a", StorageUnreachable("away")), DiscardFiles) == []
    play.ask("b")
    play.pulled("b")
    assert only(play.failed("b", ModelCorrupt("broken")), DiscardFiles) == [DiscardFiles(model=B)]
    assert play.cache.used_bytes == 0


def test_what_mends_itself_soon_is_tried_again_soon() -> None:
    play = Play()
    play.ask("a")
    play.failed("a", StorageUnreachable("away"))
    play.now_s += 10
    assert play.ask("a") == [StartPull(model=A)]


def test_expired_failures_are_forgotten_with_time() -> None:
    play = Play()
    play.ask("a")
    play.failed("a", StorageUnreachable("away"))
    play.tick(10)
    assert len(play.cache) == 0


def test_failures_are_bounded_and_the_oldest_is_forgotten() -> None:
    play = Play(failed_max=1)
    for model in "ab":
        play.ask(model)
        play.failed(model, ModelCorrupt("broken"))
    assert list(play.cache) == ["b"]


def test_one_failure_leaves_others_alone() -> None:
    play = Play()
    play.ask("a")
    play.ask("b")
    play.failed("a", ModelCorrupt("broken"))
    play.pulled("b")
    assert play.loaded("b") == [Settled(model=B)]


# The queue.


def test_a_full_queue_refuses_at_once() -> None:
    play = Play(slots=1, queue_max=1)
    play.ask("pulling")
    play.ask("queued")
    assert isinstance(error_of([*play.ask("a")]), CacheBusy)
    assert play.state("a") is None


def test_a_full_queue_of_background_work_takes_a_user() -> None:
    play = Play(slots=1, queue_max=1)
    play.ask("pulling")
    play.ask("b", waiting=False)
    [settled] = play.ask("a")
    assert isinstance(settled, Settled)
    assert settled.failure is not None
    assert (settled.model, type(settled.failure.error)) == ("b", CacheBusy)
    assert play.where(lambda state: state is EntryState.QUEUED) == {"a"}


# What it tells of itself.


def test_it_tells_since_when_a_model_is_on_its_way() -> None:
    play = Play()
    play.ask("a")
    play.load("b", load_s=7)
    assert (play.cache.loading_since(A), play.cache.loading_since(B)) == (1000.0, 1000.0)
    play.tell(Dropped(model=B))
    assert play.cache.loading_since(B) is None
    assert play.cache.loading_since(ModelId("c")) is None
    assert repr(play.cache) == "<ModelCache 2 models, 100 of 300 bytes>"


def test_of_many_who_use_a_model_each_release_counts() -> None:
    play = Play(capacity=100)
    play.load("a")
    for _ in range(50):
        assert play.acquire("a")
    play.ask("b")
    play.pulled("b")
    assert [play.release("a") for _ in range(49)] == [[]] * 49
    assert play.release("a") == [StartUnload(model=A, cause="room for b")]
