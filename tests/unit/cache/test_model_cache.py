"""The machine in scenes: from being asked for to being loaded, or not.

What goes, who gets the room, and what random events do to it, is in the files beside this one.
"""

import pytest

from adapter.cache.entry import EntryState, IllegalTransition
from adapter.cache.messages import (
    DiscardFiles,
    Dropped,
    MeasureSize,
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
    RuntimeUnavailable,
    StorageUnreachable,
)
from adapter.domain.ids import ModelId
from tests.unit.cache.play import Play, error_of, only

A, B = ModelId("a"), ModelId("b")


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


# Failures.


def test_a_failure_is_told_remembered_and_then_tried_again() -> None:
    play = Play()
    play.ask("a")
    assert isinstance(error_of(play.failed("a", ModelCorrupt("broken"))), ModelCorrupt)
    play.now_s += 449
    assert isinstance(error_of(play.ask("a")), ModelCorrupt)
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
    assert isinstance(error_of(play.ask("a", waiting=False)), ModelCorrupt)
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
    assert isinstance(error_of(play.ask("a")), CacheBusy)
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
    assert play.release("a") == [StartUnload(model=A, cause="room for b", makes_room=True)]
