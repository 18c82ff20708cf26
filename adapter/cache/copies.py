"""The copies that the runtime holds: who uses them, who is evicted, how each is given up.

A copy is in use while it is *pinned*. What is in use is not evicted; if it must go all the same (it was
unregistered, say), no further request gets it, and the unload waits for those that run, for a bounded time.
"""

from collections.abc import Callable, Iterator
from typing import Final

from adapter.cache.bounds import CacheBounds
from adapter.cache.entry import CacheEntry, Cause, EntryState, IllegalTransition
from adapter.cache.eviction import EvictionOrder, Policy
from adapter.cache.messages import CacheCommand, StartUnload
from adapter.cache.room import Room
from adapter.domain.ids import ModelId

IN_THE_RUNTIME: Final = (EntryState.SIZING, EntryState.ACTIVE, EntryState.UNLOADING)
_MAKE_ROOM: Final = (Cause.EVICTED, Cause.SURPLUS)


class Copies:
    """The entries that are SIZING, ACTIVE or UNLOADING, and the room that they take."""

    def __init__(
        self, *, room: Room, policy: Policy, bounds: CacheBounds, emit: Callable[[CacheCommand], None]
    ) -> None:
        self._room = room
        self._order = EvictionOrder(policy)
        self._bounds = bounds
        self._emit = emit
        self._copies: dict[ModelId, CacheEntry] = {}
        self._held: dict[ModelId, float] = {}
        # Pinned by us for those who waited for the load, and since when: until one of them has come, the
        # next load could take the copy away again, and two models could chase each other for ever.
        self._draining: dict[ModelId, tuple[float, StartUnload]] = {}
        # To be unloaded once nobody uses them: since when they wait for that, and what is said then.
        self._orphaned_pins: dict[ModelId, int] = {}
        # Requests that still run on a copy that is gone. The next copy of the model inherits them, so that
        # each release finds its acquire.

    def __len__(self) -> int:
        return len(self._copies)

    def __iter__(self) -> Iterator[CacheEntry]:
        return iter(list(self._copies.values()))

    @property
    def pinned_bytes(self) -> int:
        """What is loaded and in use."""
        return self._order.pinned_bytes

    def coldest_used_s(self) -> float | None:
        """When the copy that is unused for longest was last used; None: there is no copy. Looks at each."""
        return min((entry.worth.used_s for entry in self._copies.values()), default=None)

    # Use.

    def acquire(self, model: ModelId, now_s: float) -> bool:
        """Pin the copy and count a use, if there is a usable one."""
        entry = self._copies.get(model)
        if entry is None or entry.state is EntryState.UNLOADING:
            return False
        self._order.use(entry.worth, now_s)
        if model in self._held:
            self._let_go(entry)
        return True

    def release(self, model: ModelId) -> bool:
        """Take back one pin. Whether that makes the copy free to go."""
        entry = self._copies.get(model)
        if entry is None:
            self._release_orphan(model)
            return False
        self._order.unpin(entry.worth)
        if entry.worth.pins:
            return False
        if model in self._draining:
            self._unload_drained(entry)
        return True

    def hold(self, entry: CacheEntry, now_s: float) -> None:
        """Keep the copy until its first use, for a bounded time."""
        self._order.pin(entry.worth)
        self._held[entry.model] = now_s

    def _let_go(self, entry: CacheEntry) -> None:
        if self._held.pop(entry.model, None) is not None:
            self._order.unpin(entry.worth)

    def _release_orphan(self, model: ModelId) -> None:
        pins = self._orphaned_pins.get(model, 0)
        assert pins > 0, f"{model} is released more often than it was acquired"
        if pins == 1:
            del self._orphaned_pins[model]
        else:
            self._orphaned_pins[model] = pins - 1

    # Coming and going.

    def arrive(self, entry: CacheEntry) -> None:
        """The runtime loaded it."""
        assert entry.model not in self._copies, f"{entry} is there twice"
        self._copies[entry.model] = entry
        entry.worth.pins = self._orphaned_pins.pop(entry.model, 0)

    def measured(self, entry: CacheEntry, size_bytes: int) -> None:
        """Its size is known, so that from now on it may be evicted."""
        self._room.correct(before_bytes=entry.worth.size_bytes, after_bytes=size_bytes)
        entry.worth.size_bytes = size_bytes
        self._order.add(entry.worth)

    def unload(self, entry: CacheEntry, cause: Cause, now_s: float, *, because: str = "") -> None:
        """Have it unloaded: at once, or when the last request that uses it has ended."""
        entry.move(cause, now_s)
        self._let_go(entry)
        self._order.remove(entry.worth)
        self._room.begin_unload(entry.worth.size_bytes)
        command = StartUnload(model=entry.model, cause=because or cause.value, makes_room=cause in _MAKE_ROOM)
        self._draining[entry.model] = (now_s, command)
        if not entry.worth.pins:
            self._unload_drained(entry)

    def unloaded(self, entry: CacheEntry, *, cause: Cause, stays: bool, now_s: float) -> None:
        """The unload has ended; what `stays` could not be unloaded, and takes its room for good."""
        if entry.model in self._draining:
            raise IllegalTransition(entry.model, entry.state, "unloaded before it was to be", entry.story)
        entry.move(cause, now_s)
        self._room.end_unload(entry.worth.size_bytes)
        if stays:
            self._room.strand(entry.model, entry.worth.size_bytes)
        self._depart(entry)

    def lose(self, entry: CacheEntry, cause: Cause, now_s: float) -> None:
        """The runtime does not hold it any more, and need not be told to unload it."""
        unloading = entry.state is EntryState.UNLOADING
        entry.move(cause, now_s)
        self._let_go(entry)
        self._order.remove(entry.worth)
        if unloading:
            self._room.end_unload(entry.worth.size_bytes)
        else:
            self._room.give_back(entry.worth.size_bytes)
        self._depart(entry)

    def _depart(self, entry: CacheEntry) -> None:
        del self._copies[entry.model]
        self._draining.pop(entry.model, None)
        if entry.worth.pins:
            self._orphaned_pins[entry.model] = entry.worth.pins
        entry.worth.pins = entry.worth.size_bytes = 0

    def _unload_drained(self, entry: CacheEntry) -> None:
        drained = self._draining.pop(entry.model, None)
        if drained is not None:
            self._emit(drained[1])

    # Room.

    def make_room(self, wanted_bytes: int, now_s: float, *, because: str) -> bool:
        """See to it that so many bytes will be free, once what is unloading is gone.

        False: too much is in use, and nothing is evicted, since it would not serve the purpose.
        """
        missing_bytes = wanted_bytes - self._room.free_bytes - self._room.unloading_bytes
        if missing_bytes > self._order.evictable_bytes:
            return False
        while missing_bytes > 0:
            missing_bytes -= self._evict(Cause.EVICTED, now_s, because=because)
        return True

    def shed_surplus(self, now_s: float) -> None:
        """Unload what is loaded beyond the capacity, as far as it is not in use."""
        while self._room.surplus_bytes and self._order.evictable_bytes:
            self._evict(Cause.SURPLUS, now_s, because=Cause.SURPLUS.value)

    def _evict(self, cause: Cause, now_s: float, *, because: str) -> int:
        worth = self._order.evict()
        assert worth is not None, "what can be evicted cannot be found"
        self.unload(self._copies[worth.model], cause, now_s, because=because)
        return worth.size_bytes

    def tick(self, now_s: float) -> None:
        """Whoever has not come for his model, or does not leave a going one, has had his time."""
        for model, since_s in list(self._held.items()):
            if now_s - since_s >= self._bounds.first_use_s_max:
                self._let_go(self._copies[model])
        for model, (since_s, _) in list(self._draining.items()):
            if now_s - since_s >= self._bounds.drain_s_max:
                self._unload_drained(self._copies[model])

    def check(self) -> None:
        """The sums are right, and every pin, hold and drain belongs to a copy."""
        self._order.check()
        by_state = {state: [e for e in self._copies.values() if e.state is state] for state in IN_THE_RUNTIME}
        assert sum(map(len, by_state.values())) == len(self._copies), "a copy that the runtime cannot hold"
        active, going = by_state[EntryState.ACTIVE], by_state[EntryState.UNLOADING]
        assert len(self._order) == len(active)
        assert all(entry.worth.listed for entry in active)
        assert self._room.unloading_bytes == sum(entry.worth.size_bytes for entry in going)
        assert all(self._copies[model].worth.pins for model in (*self._held, *self._draining))
        assert not any(model in self._held for model in self._draining)
        assert all(self._copies[model] in going for model in self._draining)
        assert not any(model in self._copies for model in self._orphaned_pins)
        assert all(pins > 0 for pins in self._orphaned_pins.values())
