"""The loads on their way: who is next, who has a slot, who waits for room, and for how much of it."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from adapter.cache.bounds import CacheBounds
from adapter.cache.copies import Copies
from adapter.cache.entry import CacheEntry, Cause, EntryState
from adapter.cache.loading_queue import LoadingQueue
from adapter.cache.messages import CacheCommand, StartLoad, StartPull, WakeAt
from adapter.cache.refusals import all_pinned, no_room, too_big
from adapter.cache.room import Room
from adapter.cache.sizes import SizePredictor
from adapter.domain.errors import AdapterError, CacheBusy
from adapter.domain.ids import ModelId


class Hopeless(NamedTuple):
    """A pulled model that will not be loaded."""

    entry: CacheEntry
    cause: Cause
    error: AdapterError


class Loads:
    """The entries that are QUEUED, PULLING, WAITING or LOADING."""

    def __init__(
        self,
        *,
        copies: Copies,
        room: Room,
        sizes: SizePredictor,
        slots: int,
        bounds: CacheBounds,
        emit: Callable[[CacheCommand], None],
    ) -> None:
        self._copies = copies
        self._room = room
        self._sizes = sizes
        self._bounds = bounds
        self._emit = emit
        self.slots = slots
        """How many may be PULLING, WAITING or LOADING at once."""
        self._queue = LoadingQueue()
        self._queued: dict[ModelId, CacheEntry] = {}
        self._in_slots: dict[ModelId, CacheEntry] = {}
        self._waiting: dict[ModelId, CacheEntry] = {}
        # Of those in slots, the ones that wait for room.
        self._wakes_s: float | None = None

    def __len__(self) -> int:
        return len(self._queued) + len(self._in_slots)

    def __iter__(self) -> Iterator[CacheEntry]:
        return iter([*self._queued.values(), *self._in_slots.values()])

    @property
    def waits_for_room(self) -> bool:
        return bool(self._waiting)

    def position(self, model: ModelId) -> int | None:
        """How many loads begin before this one; None: it is not queued. Looks at the whole queue."""
        return self._queue.position(model)

    def predicted_bytes(self, entry: CacheEntry) -> int:
        """What it will take in the runtime, as well as is known."""
        return self._sizes.predict(entry.type, entry.disk_bytes, room_bytes=self._room.capacity_bytes)

    def admit(self, entry: CacheEntry) -> CacheEntry | None:
        """Queue a new entry. If the queue is full, returns who finds no place there.

        That is the entry itself, unless somebody waits for it and there is background work to give way.
        """
        crowded_out = None
        if len(self._queued) >= self._bounds.queue_max:
            last = self._queue.least_urgent_background() if entry.waiting else None
            if last is None:
                return entry
            crowded_out = self._queued[last]
            self.take_out(crowded_out)
        self.queue(entry)
        return crowded_out

    def queue(self, entry: CacheEntry) -> None:
        """Queue the entry, or move it forward when it has become more urgent."""
        self._queued[entry.model] = entry
        self._queue.put(entry.model, waiting=entry.waiting, used_s=entry.worth.used_s)

    def take_out(self, entry: CacheEntry) -> None:
        """It is no longer on its way, and what it took, if it was LOADING, is free."""
        self._room.give_back(entry.worth.size_bytes)
        entry.worth.size_bytes = 0
        self._queue.discard(entry.model)
        self._queued.pop(entry.model, None)
        self._waiting.pop(entry.model, None)
        self._in_slots.pop(entry.model, None)

    def fill_slots(self, now_s: float) -> None:
        """Begin the most urgent loads."""
        while len(self._in_slots) < self.slots and (model := self._queue.pop()) is not None:
            entry = self._in_slots[model] = self._queued.pop(model)
            entry.move(Cause.SLOT_FREED, now_s)
            entry.step_began_s = now_s
            self._emit(StartPull(model=model))

    def pulled(self, entry: CacheEntry, disk_bytes: int | None, now_s: float) -> None:
        """The files are there: now it waits for room."""
        entry.move(Cause.PULLED, now_s)
        entry.disk_bytes = disk_bytes
        entry.worth.load_s = now_s - entry.step_began_s
        entry.step_began_s = now_s
        self._waiting[entry.model] = entry

    def loaded(self, entry: CacheEntry, *, measured: bool, now_s: float) -> None:
        """The runtime holds it: the slot is free, the room stays taken."""
        entry.move(Cause.LOADED if measured else Cause.LOADED_UNMEASURED, now_s)
        entry.worth.load_s += now_s - entry.step_began_s
        del self._in_slots[entry.model]

    def make_room(self, now_s: float) -> Sequence[Hopeless]:
        """Load those for whom there is room, make room for the others, and say for whom there never will be.

        A waiting user comes first, then who waits longest. Room that is being made for one is not given to
        another.
        """
        hopeless = []
        claimed_bytes = 0
        for entry in sorted(self._waiting.values(), key=lambda entry: not entry.waiting):
            room_bytes = self._room.capacity_bytes
            size_bytes = self.predicted_bytes(entry)
            if size_bytes > room_bytes:
                never = too_big(entry.model, needs_bytes=size_bytes, room_bytes=room_bytes)
                hopeless.append(Hopeless(entry, Cause.NEVER_FITS, never))
            elif size_bytes > room_bytes - (pinned_bytes := self._copies.ruled_bytes):
                pinned = all_pinned(
                    entry.model, needs_bytes=size_bytes, pinned_bytes=pinned_bytes, room_bytes=room_bytes
                )
                hopeless.append(Hopeless(entry, Cause.ALL_PINNED, pinned))
            elif claimed_bytes + size_bytes <= self._room.free_bytes:
                self._start(entry, size_bytes, now_s)
            elif self._copies.make_room(claimed_bytes + size_bytes, now_s, because=f"room for {entry.model}"):
                claimed_bytes += size_bytes
            elif now_s - entry.step_began_s >= self._bounds.waiting_for_room_s_max:
                busy = self._busy(entry, size_bytes, now_s)
                hopeless.append(Hopeless(entry, Cause.NO_ROOM_IN_TIME, busy))
            else:
                self._wake(entry, now_s)
        return hopeless

    def abandoned(self, now_s: float) -> Sequence[CacheEntry]:
        """Those that nobody waits for any more, for so long that nobody will come back."""
        return [
            entry
            for entry in self._in_slots.values()
            if entry.abandoned_s is not None
            and entry.leaves is None
            and entry.state is not EntryState.LOADING
            and now_s - entry.abandoned_s >= self._bounds.abandoned_s_max
        ]

    def _start(self, entry: CacheEntry, size_bytes: int, now_s: float) -> None:
        entry.move(Cause.ROOM_MADE, now_s)
        entry.step_began_s = now_s
        entry.worth.size_bytes = size_bytes
        self._room.take(size_bytes)
        del self._waiting[entry.model]
        self._emit(StartLoad(model=entry.model, size_hint_bytes=size_bytes))

    def _wake(self, entry: CacheEntry, now_s: float) -> None:
        """Have us told when the next copy may be evicted that was loaded a moment ago."""
        ends_s = self._copies.guards.next_end_s
        if ends_s is None or (self._wakes_s is not None and now_s < self._wakes_s <= ends_s):
            return
        self._wakes_s = ends_s
        self._emit(WakeAt(model=entry.model, at_s=ends_s))

    def _busy(self, entry: CacheEntry, size_bytes: int, now_s: float) -> CacheBusy:
        free_bytes = self._room.free_bytes + self._room.unloading_bytes + self._copies.evictable_bytes
        last_end_s = self._copies.guards.last_end_s
        return no_room(
            entry.model,
            needs_bytes=size_bytes,
            missing_bytes=max(size_bytes - free_bytes, 0),
            room_bytes=self._room.capacity_bytes,
            bound=self._copies.bound(),
            guarded_for_s=0.0 if last_end_s is None else last_end_s - now_s,
            bounds=self._bounds,
        )

    def check(self) -> None:
        """Every load is where its state says, and no slot is idle while something is queued."""
        self._queue.check()
        assert set(self._queue) == set(self._queued)
        assert all(entry.state is EntryState.QUEUED for entry in self._queued.values())
        running = (EntryState.PULLING, EntryState.WAITING, EntryState.LOADING)
        assert all(entry.state in running for entry in self._in_slots.values())
        waiting = {m for m, entry in self._in_slots.items() if entry.state is EntryState.WAITING}
        assert waiting == set(self._waiting)
        assert not self._queued or len(self._in_slots) >= self.slots, "a slot is idle"
