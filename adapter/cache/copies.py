"""The copies that the runtime holds: who uses them, who is evicted, how each is given up.

A copy is in use while it is *pinned*. What is in use is not evicted; if it must go all the same (it was
unregistered, say), no further request gets it, and the unload waits for those that run, for a bounded time.
What is kept by a rule, or was loaded a moment ago (`guards`), is not evicted for another model either.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from adapter.cache.bounds import CacheBounds
from adapter.cache.coldest import Coldest
from adapter.cache.departures import Departures
from adapter.cache.entry import CacheEntry, Cause, EntryState, IllegalTransition
from adapter.cache.eviction import EvictionOrder, Policy
from adapter.cache.guards import Guards
from adapter.cache.messages import CacheCommand, StartUnload
from adapter.cache.room import Room
from adapter.cache.shadow import ShadowLru
from adapter.domain.ids import ModelId

IN_THE_RUNTIME: Final = (EntryState.SIZING, EntryState.ACTIVE, EntryState.UNLOADING)
_MAKE_ROOM: Final = (Cause.EVICTED, Cause.SURPLUS)


class Bound(NamedTuple):
    """What cannot be evicted now; what is bound in several ways counts with the first."""

    pinned_bytes: int
    """By rule."""
    in_use_bytes: int
    guarded_bytes: int


class Copies:
    """The entries that are SIZING, ACTIVE or UNLOADING, and the room that they take."""

    def __init__(
        self, *, room: Room, policy: Policy, bounds: CacheBounds, emit: Callable[[CacheCommand], None]
    ) -> None:
        self._room = room
        self.order: Final = EvictionOrder(policy)
        self.guards: Final = Guards(self.order, factor=bounds.churn_factor)
        self.departures: Final = Departures()
        self.shadow: Final = ShadowLru()
        self.uses = 0
        """Of all copies since the start."""
        self._bounds = bounds
        self._emit = emit
        self._copies: dict[ModelId, CacheEntry] = {}
        self._coldest = Coldest()
        self._pinned_bytes = 0
        # What is pinned by rule.
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
        """What cannot be evicted now."""
        return self.order.pinned_bytes

    @property
    def evictable_bytes(self) -> int:
        """What could be evicted now."""
        return self.order.evictable_bytes

    @property
    def ruled_bytes(self) -> int:
        """What is pinned by rule, and is never evicted to make room."""
        return self._pinned_bytes

    def bound(self) -> Bound:
        """Why what cannot be evicted cannot. Looks at each."""
        pinned = in_use = guarded = 0
        for entry in self._copies.values():
            if entry.state is EntryState.UNLOADING:
                continue
            if entry.pinned:
                pinned += entry.worth.size_bytes
            elif entry.worth.pins:
                in_use += entry.worth.size_bytes
            elif entry.worth.keeps:
                guarded += entry.worth.size_bytes
        return Bound(pinned, in_use, guarded)

    def coldest_used_s(self) -> float | None:
        """When the copy that is unused for longest was last used; None: there is no copy."""
        return self._coldest.used_s()

    # Use.

    def acquire(self, model: ModelId, now_s: float) -> bool:
        """Pin the copy and count a use, if there is a usable one."""
        entry = self._copies.get(model)
        if entry is None or entry.state is EntryState.UNLOADING:
            return False
        self.uses += 1
        if self.order.use(entry.worth, now_s) and entry.worth.sampled:
            self.shadow.used(entry.worth, room_bytes=self._room.capacity_bytes)
        if model in self._held:
            self._let_go(entry)
        return True

    def release(self, model: ModelId) -> bool:
        """Take back one pin. Whether that makes the copy free to go."""
        entry = self._copies.get(model)
        if entry is None:
            self._release_orphan(model)
            return False
        self.order.unpin(entry.worth)
        if entry.worth.pins:
            return False
        if model in self._draining:
            self._unload_drained(entry)
        return True

    def hold(self, entry: CacheEntry, now_s: float) -> None:
        """Keep the copy until its first use, for a bounded time."""
        self.order.pin(entry.worth)
        self._held[entry.model] = now_s

    def pin(self, entry: CacheEntry, *, pinned: bool) -> None:
        """By rule it is never evicted to make room, or it may be again."""
        if entry.pinned == pinned:
            return
        entry.pinned = pinned
        if entry.model in self._copies and entry.state is not EntryState.UNLOADING:
            self._bind(entry)

    def _bind(self, entry: CacheEntry) -> None:
        self._pinned_bytes += entry.worth.size_bytes if entry.pinned else -entry.worth.size_bytes
        if entry.pinned:
            self.order.keep(entry.worth)
        else:
            self.order.let_go(entry.worth)

    def _let_go(self, entry: CacheEntry) -> None:
        if self._held.pop(entry.model, None) is not None:
            self.order.unpin(entry.worth)

    def _release_orphan(self, model: ModelId) -> None:
        pins = self._orphaned_pins.get(model, 0)
        assert pins > 0, f"{model} is released more often than it was acquired"
        if pins == 1:
            del self._orphaned_pins[model]
        else:
            self._orphaned_pins[model] = pins - 1

    # Coming and going.

    def arrive(self, entry: CacheEntry, now_s: float) -> None:
        """The runtime loaded it."""
        assert entry.model not in self._copies, f"{entry} is there twice"
        worth = entry.worth
        self._copies[entry.model] = entry
        worth.pins = self._orphaned_pins.pop(entry.model, 0)
        if entry.waiting:
            worth.used_s = now_s  # those who waited use it now, and that is one use
        self._coldest.put(worth)
        self.guards.begin(worth, now_s)
        self.shadow.loaded(worth, waiting=entry.waiting, room_bytes=self._room.capacity_bytes)
        if entry.pinned:
            self._bind(entry)

    def measured(self, entry: CacheEntry, size_bytes: int) -> None:
        """Its size is known, so that from now on it may be evicted."""
        self._room.correct(before_bytes=entry.worth.size_bytes, after_bytes=size_bytes)
        self._pinned_bytes += size_bytes - entry.worth.size_bytes if entry.pinned else 0
        entry.worth.size_bytes = size_bytes
        self.order.add(entry.worth)

    def unload(self, entry: CacheEntry, cause: Cause, now_s: float, *, because: str = "") -> None:
        """Have it unloaded: at once, or when the last request that uses it has ended."""
        entry.move(cause, now_s)
        self._recall(entry, cause, now_s, because=because)
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
        if unloading:
            self._room.end_unload(entry.worth.size_bytes)
        else:
            self._recall(entry, cause, now_s)
            self._room.give_back(entry.worth.size_bytes)
        self._depart(entry)

    def _recall(self, entry: CacheEntry, cause: Cause, now_s: float, *, because: str = "") -> None:
        """From now on nobody gets it, and nothing keeps it."""
        worth = entry.worth
        in_words = f"evicted to make {because}" if cause is Cause.EVICTED else because or cause.value
        self.departures.add(worth, cause=cause, because=in_words, now_s=now_s)
        self._let_go(entry)
        self.guards.end(worth)
        if entry.pinned:
            self._pinned_bytes -= worth.size_bytes
            self.order.let_go(worth)
        self.order.remove(worth)
        self._coldest.discard(worth)
        if cause not in _MAKE_ROOM:
            self.shadow.discard(worth.model)

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

        False: too much is in use or kept, and nothing is evicted, since it would not serve the purpose.
        """
        missing_bytes = wanted_bytes - self._room.free_bytes - self._room.unloading_bytes
        if missing_bytes > self.order.evictable_bytes:
            return False
        while missing_bytes > 0:
            missing_bytes -= self._evict(Cause.EVICTED, now_s, because=because)
        return True

    def shed_surplus(self, now_s: float) -> None:
        """Unload what is loaded beyond the capacity, as far as it is neither in use nor pinned by rule."""
        if self._room.surplus_bytes > self.order.evictable_bytes:
            self.guards.end_all()
        while self._room.surplus_bytes and self.order.evictable_bytes:
            self._evict(Cause.SURPLUS, now_s, because=Cause.SURPLUS.value)

    def _evict(self, cause: Cause, now_s: float, *, because: str) -> int:
        worth = self.order.evict(now_s)
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
        self.order.look(now_s)

    def check(self) -> None:
        """The sums are right, and every pin, hold and drain belongs to a copy."""
        self.order.check()
        self.guards.check()
        self.shadow.check()
        by_state = {state: [e for e in self._copies.values() if e.state is state] for state in IN_THE_RUNTIME}
        assert sum(map(len, by_state.values())) == len(self._copies), "a copy that the runtime cannot hold"
        active, going = by_state[EntryState.ACTIVE], by_state[EntryState.UNLOADING]
        usable = [*by_state[EntryState.SIZING], *active]
        self._coldest.check([entry.worth for entry in usable])
        assert len(self.order) == len(active)
        assert all(entry.worth.listed for entry in active)
        assert self._room.unloading_bytes == sum(entry.worth.size_bytes for entry in going)
        assert self._pinned_bytes == sum(entry.worth.size_bytes for entry in usable if entry.pinned)
        assert all(
            entry.worth.keeps == entry.pinned + (self.guards.until_s(entry.model) is not None)
            for entry in usable
        )
        assert not any(entry.worth.keeps for entry in going)
        assert all(self._copies[model].worth.pins for model in (*self._held, *self._draining))
        assert not any(model in self._held for model in self._draining)
        assert all(self._copies[model] in going for model in self._draining)
        assert not any(model in self._copies for model in self._orphaned_pins)
        assert all(pins > 0 for pins in self._orphaned_pins.values())
