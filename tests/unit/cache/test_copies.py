import pytest

from adapter.cache.bounds import CacheBounds
from adapter.cache.copies import Bound, Copies
from adapter.cache.entry import CacheEntry, Cause, EntryState, IllegalTransition
from adapter.cache.messages import CacheCommand, StartUnload
from adapter.cache.room import Room
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId


class Held:
    """Copies in a runtime with room for 300 bytes."""

    def __init__(self, *, churn_factor: float = 0.0, **sizes: int) -> None:
        self.said: list[CacheCommand] = []
        self.room = Room(300)
        bounds = CacheBounds(first_use_s_max=5, drain_s_max=60, churn_factor=churn_factor)
        self.copies = Copies(room=self.room, policy="gdsf", bounds=bounds, emit=self.said.append)
        self.entries = {model: self.arrives(model, size) for model, size in sizes.items()}

    def arrives(self, model: str, size: int) -> CacheEntry:
        worth = Worth(model=ModelId(model), used_s=0.0, size_bytes=size, load_s=1.0)
        entry = CacheEntry(type="t", requested_s=0.0, waiting=True, worth=worth, state=EntryState.ACTIVE)
        self.room.take(size)
        self.copies.arrive(entry, 0.0)
        self.copies.measured(entry, size)
        self.copies.check()
        return entry

    def acquire(self, model: str, now_s: float = 0.0) -> bool:
        return self.copies.acquire(ModelId(model), now_s)

    def release(self, model: str) -> bool:
        freed = self.copies.release(ModelId(model))
        self.copies.check()
        return freed

    def unload(self, model: str, now_s: float = 0.0) -> None:
        self.copies.unload(self.entries[model], Cause.UNREGISTERED, now_s)
        self.copies.check()

    def unloaded(self, model: str, *, stays: bool = False) -> None:
        cause = Cause.UNLOAD_FAILED if stays else Cause.UNLOADED
        self.copies.unloaded(self.entries[model], cause=cause, stays=stays, now_s=0.0)
        self.copies.check()

    @property
    def unloads(self) -> list[str]:
        return [command.model for command in self.said if isinstance(command, StartUnload)]


def test_what_is_not_there_cannot_be_used() -> None:
    assert not Held().acquire("iris")


def test_a_copy_that_goes_is_not_given_to_another_request() -> None:
    held = Held(iris=100)
    held.unload("iris")
    assert not held.acquire("iris")


def test_an_unload_waits_for_the_requests_that_run() -> None:
    held = Held(iris=100)
    assert held.acquire("iris")
    assert held.acquire("iris")
    held.unload("iris")
    assert not held.release("iris")
    assert held.unloads == []
    assert held.release("iris")
    assert held.unloads == ["iris"]


def test_an_unload_does_not_wait_for_ever_and_the_late_release_is_in_order() -> None:
    held = Held(iris=100)
    held.acquire("iris")
    held.unload("iris", now_s=10)
    held.copies.tick(69.9)
    assert held.unloads == []
    held.copies.tick(70.0)
    held.unloaded("iris")
    assert held.unloads == ["iris"]
    assert not held.release("iris")


def test_a_report_of_an_unload_that_was_not_begun_is_a_mistake() -> None:
    held = Held(iris=100)
    held.acquire("iris")
    held.unload("iris")
    with pytest.raises(IllegalTransition, match="before it was to be"):
        held.unloaded("iris")


def test_a_held_copy_stays_until_its_first_use() -> None:
    held = Held(iris=300)
    held.copies.hold(held.entries["iris"], 10.0)
    assert not held.copies.make_room(100, 10.0, because="room for mnist")
    assert held.acquire("iris")
    held.release("iris")
    assert held.copies.make_room(100, 10.0, because="room for mnist")


def test_a_held_copy_does_not_stay_for_ever() -> None:
    held = Held(iris=300)
    held.copies.hold(held.entries["iris"], 10.0)
    held.copies.tick(14.9)
    assert held.copies.pinned_bytes == 300
    held.copies.tick(15.0)
    assert held.copies.pinned_bytes == 0


def test_requests_on_a_lost_copy_pin_the_next_one() -> None:
    held = Held(iris=100)
    held.acquire("iris")
    held.copies.lose(held.entries["iris"], Cause.COPY_LOST, 0.0)
    held.entries["iris"] = held.arrives("iris", 100)
    assert held.copies.pinned_bytes == 100
    assert held.release("iris")
    assert held.copies.pinned_bytes == 0


@pytest.mark.parametrize("there", [True, False], ids=["a copy is there", "none is there"])
def test_more_releases_than_acquires_are_a_mistake(there: bool) -> None:
    held = Held(iris=100) if there else Held()
    with pytest.raises(AssertionError, match="iris is released more often"):
        held.release("iris")


def test_room_is_made_by_as_few_as_will_do() -> None:
    held = Held(a=100, b=100, c=100)
    assert held.copies.make_room(150, 0.0, because="room for d")
    assert held.unloads == ["a", "b"]
    assert held.said[0] == StartUnload(model=ModelId("a"), cause="room for d", makes_room=True)
    assert held.copies.make_room(200, 0.0, because="room for d"), "what unloads already is counted on"
    assert held.unloads == ["a", "b"]


def test_nothing_is_evicted_when_too_much_is_in_use() -> None:
    held = Held(a=100, b=100, c=100)
    held.acquire("a")
    assert not held.copies.make_room(250, 0.0, because="room for d")
    assert held.unloads == []


def test_room_is_free_when_the_unload_is_confirmed() -> None:
    held = Held(iris=300)
    held.unload("iris")
    assert held.room.free_bytes == 0
    held.unloaded("iris")
    assert held.room.free_bytes == 300


def test_what_stays_takes_its_room_for_good() -> None:
    held = Held(iris=100)
    held.unload("iris")
    held.unloaded("iris", stays=True)
    assert (held.room.capacity_bytes, held.room.stranded_bytes) == (200, 100)


def test_a_surplus_is_shed_as_far_as_it_is_not_in_use() -> None:
    held = Held(a=100, b=100, c=100)
    held.acquire("a")
    held.room.resize(50)
    held.copies.shed_surplus(0.0)
    held.copies.check()
    assert held.unloads == ["b", "c"]
    assert held.entries["a"].state is EntryState.ACTIVE


def test_the_coldest_copy_is_the_one_unused_for_longest() -> None:
    held = Held(a=100, b=100)
    assert held.acquire("a", 7.0)
    assert held.copies.coldest_used_s() == 0.0
    assert held.acquire("b", 5.0)
    assert held.copies.coldest_used_s() == 5.0
    assert Held().copies.coldest_used_s() is None


def test_a_rule_pins_what_is_there_and_counts_its_room() -> None:
    held = Held(a=100, b=100)
    held.copies.pin(held.entries["a"], pinned=True)
    held.copies.pin(held.entries["a"], pinned=True)
    held.copies.check()
    assert (held.copies.ruled_bytes, held.copies.evictable_bytes) == (100, 100)
    assert not held.copies.make_room(250, 0.0, because="room for c")
    held.copies.pin(held.entries["a"], pinned=False)
    held.copies.check()
    assert held.copies.ruled_bytes == 0
    assert held.copies.make_room(250, 0.0, because="room for c")


def test_why_nothing_can_be_evicted_is_known() -> None:
    held = Held(churn_factor=10.0, pinned=50, used=70, young=80)
    held.copies.pin(held.entries["pinned"], pinned=True)
    held.acquire("used")
    assert held.copies.bound() == Bound(pinned_bytes=50, in_use_bytes=70, guarded_bytes=80)
    held.copies.guards.expire(10.0)
    assert held.copies.bound() == Bound(pinned_bytes=50, in_use_bytes=70, guarded_bytes=0)


def test_how_a_copy_went_is_remembered() -> None:
    held = Held(a=100, b=100, c=100)
    held.copies.make_room(100, 5.0, because="room for d")
    held.copies.lose(held.entries["b"], Cause.COPY_LOST, 6.0)
    told = {name: held.copies.departures.latest(ModelId(name)) for name in "abc"}
    assert {name: each and each.because for name, each in told.items()} == {
        "a": "evicted to make room for d",
        "b": "the runtime does not hold it",
        "c": None,
    }
    assert (told["a"] and told["a"].size_bytes) == 100
