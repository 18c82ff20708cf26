"""The machine: what this instance holds, and what is to be done about it.

A plain object. The loader tells it what happened and carries out what it answers; `check()` says what must
hold between two events. All times are `now_s`, which the caller gives; all sizes are bytes.

What is asked for is queued, and gets a loading slot in the order of `loading_queue`. With the slot it is
pulled, then waits for room (`loads`): the least valuable models that nobody uses are unloaded (`copies`), and
once the runtime has let go of enough, it is loaded. Those who wait are told by `Settled`; requests pin
the model with `acquire` and `release`.
"""

from typing import Final, assert_never

from adapter.cache.bounds import CacheBounds
from adapter.cache.entry import CacheEntry, Cause, EntryState, IllegalTransition
from adapter.cache.eviction import Policy
from adapter.cache.failures import Failure
from adapter.cache.lives import USABLE, Lives
from adapter.cache.messages import (
    Abandoned,
    CacheCommand,
    CacheEvent,
    CopyLost,
    Dropped,
    Loaded,
    LoadFailed,
    LoadRequested,
    MeasureSize,
    PinRuled,
    Pulled,
    RuntimeReset,
    Sized,
    Tick,
    Unloaded,
)
from adapter.cache.refusals import gone, too_big
from adapter.cache.room import Room
from adapter.cache.sizes import SizePredictor
from adapter.domain.ids import ModelId

_S = EntryState
_NOBODY_WAITS: Final = (*USABLE, _S.UNLOADING, _S.FAILED)


class ModelCache(Lives):
    """Event in, commands out."""

    def __init__(
        self,
        *,
        capacity_bytes: int,
        loading_slots: int,
        default_size_bytes: int,
        policy: Policy = "gdsf",
        failure_expiry_s: float = 900.0,
        bounds: CacheBounds = CacheBounds(),  # noqa: B008 - frozen
    ) -> None:
        if capacity_bytes < 0 or loading_slots < 1 or default_size_bytes < 1:
            raise ValueError(
                f"capacity of {capacity_bytes} bytes, {loading_slots} loading slots, default size of "
                f"{default_size_bytes} bytes: there must be a slot and a size, and no negative capacity"
            )
        super().__init__(
            room=Room(capacity_bytes),
            sizes=SizePredictor(default_size_bytes),
            slots=loading_slots,
            policy=policy,
            failure_expiry_s=failure_expiry_s,
            bounds=bounds,
        )

    def __repr__(self) -> str:
        return f"<ModelCache {len(self)} models, {self.used_bytes} of {self.capacity_bytes} bytes>"

    # Use, on the path of every request.

    def acquire(self, model: ModelId, now_s: float) -> bool:
        """Use the model if it is loaded: it stays until `release`. False: it must be loaded first."""
        return self._copies.acquire(model, now_s)

    def release(self, model: ModelId, now_s: float) -> list[CacheCommand]:
        """A use has ended. What waits for room may go on."""
        if self._copies.release(model) and (self._loads.waits_for_room or self._room.deficit_bytes):
            self._progress(now_s)
        return self._answer() if self._commands else []

    # What happens.

    def handle(self, event: CacheEvent, now_s: float) -> list[CacheCommand]:
        """Take note of what happened, and say what is to be done.

        Raises `IllegalTransition` if it cannot have happened.
        """
        self._note(event, now_s)
        self._progress(now_s)
        return self._answer()

    def reset_capacity(
        self, *, capacity_bytes: int, loading_slots: int, default_size_bytes: int, now_s: float
    ) -> list[CacheCommand]:
        """The runtime has other bounds now, after a restart."""
        self._loads.slots = loading_slots
        self._sizes.default_size_bytes = default_size_bytes
        self._room.resize(capacity_bytes)
        self._progress(now_s)
        return self._answer()

    def _note(self, event: CacheEvent, now_s: float) -> None:  # noqa: C901, PLR0912 - one branch for each event
        match event:
            case LoadRequested():
                self._load_requested(event, now_s)
            case Pulled():
                self._pulled(event, now_s)
            case Loaded():
                self._loaded(event, now_s)
            case Sized():
                self._sized(event, now_s)
            case LoadFailed():
                self._load_failed(event, now_s)
            case Unloaded():
                self._unloaded(event, now_s)
            case CopyLost():
                self._copy_lost(event, now_s)
            case RuntimeReset():
                self._runtime_reset(now_s)
            case Dropped():
                self._dropped(event, now_s)
            case PinRuled():
                self._pin_ruled(event)
            case Abandoned():
                self._abandoned(event, now_s)
            case Tick():
                self._copies.tick(now_s)
                self._forget_outdated(now_s)
                for entry in self._loads.abandoned(now_s):
                    self._give_up(entry, now_s)
            case _:
                assert_never(event)

    def _progress(self, now_s: float) -> None:
        """Whatever has become possible."""
        self._copies.guards.expire(now_s)
        self._copies.shed_surplus(now_s)
        for entry, cause, error in self._loads.make_room(now_s):
            self._fail(entry, cause, Failure(error=error, at_s=now_s), now_s)
        self._loads.fill_slots(now_s)

    # Asked for.

    def _load_requested(self, asked: LoadRequested, now_s: float) -> None:
        entry = self._entries.get(asked.model)
        if asked.waiting and (entry is None or entry.state not in USABLE):
            self.misses += 1
        if entry is not None and entry.state is _S.FAILED:
            if asked.waiting:
                self._failed.use(entry)
            if self._failed.recall(asked.model, now_s) is None:
                self._remove(entry, Cause.EXPIRED, now_s)
                entry = None
        if entry is None:
            self._queue(asked, now_s)
        elif entry.state in USABLE or entry.failure is not None:
            self._pin_as_asked(entry, asked)
            self._settle(asked.model, entry.failure)
        elif entry.state is _S.UNLOADING or entry.leaves:
            entry.again = asked.joined(entry.again)
        else:
            self._join(entry, asked, now_s)

    def _pin_as_asked(self, entry: CacheEntry, asked: LoadRequested) -> None:
        if asked.pinned is not None:
            self._copies.pin(entry, pinned=asked.pinned)

    def _join(self, entry: CacheEntry, asked: LoadRequested, now_s: float) -> None:
        """One load serves all who ask; it becomes as urgent as the most urgent of them."""
        entry.waiting = entry.waiting or asked.waiting
        entry.abandoned_s = None
        self._pin_as_asked(entry, asked)
        entry.worth.used_s = max(entry.worth.used_s, min(asked.used_s, now_s))
        if entry.state is _S.QUEUED:
            self._loads.queue(entry)

    # On its way.

    def _pulled(self, event: Pulled, now_s: float) -> None:
        entry = self._entry(event)
        self._loads.pulled(entry, event.disk_bytes, now_s)
        if entry.leaves:
            self._discard(entry, entry.leaves, now_s)

    def _loaded(self, event: Loaded, now_s: float) -> None:
        entry = self._entry(event)
        self._loads.loaded(entry, measured=event.size_bytes is not None, now_s=now_s)
        self._room.recover(entry.model)
        self._copies.arrive(entry, now_s)
        if event.size_bytes is not None:
            self._measured(entry, event.size_bytes, now_s)
        elif not entry.leaves:
            self._commands.append(MeasureSize(model=entry.model))
        if entry.state not in USABLE:
            return
        if entry.leaves:
            self._copies.unload(entry, entry.leaves, now_s, because=entry.leaves_because)
            return
        if entry.waiting:
            self._copies.hold(entry, now_s)
        self._settle(entry.model)

    def _sized(self, event: Sized, now_s: float) -> None:
        """The copy may have gone while it was measured; then the size is of no interest."""
        entry = self._entries.get(event.model)
        if entry is not None and entry.state is _S.SIZING:
            entry.move(Cause.SIZED, now_s)
            self._measured(entry, event.size_bytes, now_s)

    def _measured(self, entry: CacheEntry, size_bytes: int | None, now_s: float) -> None:
        if size_bytes is None:
            size_bytes = entry.worth.size_bytes
        else:
            size_bytes = max(size_bytes, 1)
            # What never fits may be a lie, and would have its whole type refused, or all make room for it.
            if size_bytes <= self._room.capacity_bytes:
                self._sizes.learn(entry.type, entry.disk_bytes, size_bytes=size_bytes)
        self._copies.measured(entry, size_bytes)
        room_bytes = self._room.capacity_bytes
        if size_bytes > room_bytes and not entry.leaves:
            error = too_big(entry.model, needs_bytes=size_bytes, room_bytes=room_bytes)
            entry.failure = Failure(error=error, at_s=now_s)
            self._settle(entry.model, entry.failure)
            self._copies.unload(entry, Cause.NEVER_FITS, now_s)

    def _load_failed(self, event: LoadFailed, now_s: float) -> None:
        entry = self._entry(event)
        if entry.state is not _S.PULLING:
            self._fail(entry, Cause.LOAD_FAILED, event.failure, now_s)
        elif entry.leaves:
            self._take_away(entry, entry.leaves, now_s)
        else:
            self._fail(entry, Cause.PULL_FAILED, event.failure, now_s)

    # On its way out.

    def _unloaded(self, event: Unloaded, now_s: float) -> None:
        entry = self._entry(event)
        failed = event.failure is not None
        cause = Cause.UNLOAD_FAILED if failed else Cause.NEVER_FITS if entry.failure else Cause.UNLOADED
        self._copies.unloaded(entry, cause=cause, stays=failed, now_s=now_s)
        if entry.state is _S.FAILED and entry.failure is not None:
            self._remember(entry, entry.failure, now_s)
        else:
            self._forget(entry, now_s)

    def _copy_lost(self, event: CopyLost, now_s: float) -> None:
        """Several requests may report it, and some of them late."""
        entry = self._entries.get(event.model)
        if entry is not None and entry.state in USABLE:
            self._copies.lose(entry, Cause.COPY_LOST, now_s)
            self._forget(entry, now_s)

    def _runtime_reset(self, now_s: float) -> None:
        self._room.recover_all()
        for entry in self._copies:
            self._copies.lose(entry, Cause.RUNTIME_RESET, now_s)
            self._forget(entry, now_s)
        self._copies.shadow.clear()

    def _dropped(self, event: Dropped, now_s: float) -> None:
        entry = self._entries.get(event.model)
        if entry is None:
            if event.unregistered:
                self._copies.order.forget(event.model)
            return
        cause = Cause.UNREGISTERED if event.unregistered else Cause.UNLOAD_ASKED
        entry.unregistered = event.unregistered
        if entry.again is not None or not (entry.leaves or entry.state in _NOBODY_WAITS):
            error = gone(entry.model, unregistered=event.unregistered, because=event.because)
            self._settle(entry.model, Failure(error=error, at_s=now_s))
        entry.again = entry.failure = None
        self._leave(entry, cause, now_s, because=event.because)

    def _pin_ruled(self, event: PinRuled) -> None:
        entry = self._entries.get(event.model)
        if entry is not None:
            self._copies.pin(entry, pinned=event.pinned)

    def _abandoned(self, event: Abandoned, now_s: float) -> None:
        entry = self._entries.get(event.model)
        if entry is None:
            return
        entry.abandoned_s = now_s
        if entry.state is _S.QUEUED or entry.again is not None:
            self._give_up(entry, now_s)

    # Small words.

    def _entry(self, event: Pulled | Loaded | LoadFailed | Unloaded) -> CacheEntry:
        """The entry that an answer to a command of ours is about."""
        entry = self._entries.get(event.model)
        if entry is None:
            raise IllegalTransition(event.model, _S.REMOVED, type(event).__name__)
        return entry

    def check(self) -> None:
        """What must hold between two events; see the parts for theirs."""
        self._room.check()
        self._copies.check()
        self._loads.check()
        self._failed.check()
        parts = [*self._loads, *self._copies, *self._failed]
        assert len(parts) == len(self._entries), "an entry is in no part, or in two"
        assert all(self._entries[entry.model] is entry for entry in parts)
        holding = (_S.LOADING, _S.SIZING, _S.ACTIVE, _S.UNLOADING)
        held_bytes = sum(entry.worth.size_bytes for entry in parts if entry.state in holding)
        assert self._room.used_bytes == held_bytes, f"{self.used_bytes} counted, {held_bytes} held"
