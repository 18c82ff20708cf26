"""How entries begin and end, whatever brought it about: the ground on which a `ModelCache` stands."""

from typing import Final

from adapter.cache.bounds import CacheBounds
from adapter.cache.cache_view import CacheView
from adapter.cache.copies import Copies
from adapter.cache.entry import CacheEntry, Cause, EntryState
from adapter.cache.eviction import Policy
from adapter.cache.failed import FailedLoads
from adapter.cache.failures import Failure
from adapter.cache.loads import Loads
from adapter.cache.messages import CacheCommand, DiscardFiles, LoadRequested, Settled, StopPull
from adapter.cache.room import Room
from adapter.cache.sizes import SizePredictor
from adapter.cache.worth import Worth
from adapter.domain.errors import CacheBusy
from adapter.domain.ids import ModelId

_S = EntryState
USABLE: Final = (_S.SIZING, _S.ACTIVE)


class Lives(CacheView):
    """The entries, the parts that they are in, and the commands that are to be answered."""

    def __init__(
        self,
        *,
        room: Room,
        sizes: SizePredictor,
        slots: int,
        policy: Policy,
        failure_expiry_s: float,
        bounds: CacheBounds,
    ) -> None:
        commands: list[CacheCommand] = []
        copies = Copies(room=room, policy=policy, bounds=bounds, emit=commands.append)
        loads = Loads(copies=copies, room=room, sizes=sizes, slots=slots, bounds=bounds, emit=commands.append)
        failed = FailedLoads(expiry_s=failure_expiry_s, failed_max=bounds.failed_max)
        super().__init__(room=room, copies=copies, loads=loads, failed=failed)
        self._sizes = sizes
        self._commands = commands

    # How they begin.

    def _queue(self, asked: LoadRequested, now_s: float) -> None:
        worth = Worth(model=asked.model, used_s=min(asked.used_s, now_s))
        entry = CacheEntry(
            type=asked.type,
            requested_s=now_s,
            waiting=asked.waiting,
            worth=worth,
            pinned=asked.pinned or False,
        )
        crowded_out = self._loads.admit(entry)
        if crowded_out is not entry:
            self._entries[entry.model] = entry
            self._copies.order.meet(worth)
        if crowded_out is not None:
            error = CacheBusy(f"{crowded_out.model} is not loaded: too many loads wait already; try again")
            self._settle(crowded_out.model, Failure(error=error, at_s=now_s))
            if crowded_out is not entry:
                self._remove(crowded_out, Cause.CROWDED_OUT, now_s)

    # How they fail.

    def _fail(self, entry: CacheEntry, cause: Cause, failure: Failure, now_s: float) -> None:
        entry.move(cause, now_s)
        self._loads.take_out(entry)
        if cause is not Cause.PULL_FAILED:
            self._commands.append(DiscardFiles(model=entry.model))
        if not entry.leaves:
            self._settle(entry.model, failure)
        self._remember(entry, failure, now_s)

    def _remember(self, entry: CacheEntry, failure: Failure, now_s: float) -> None:
        self._failed.add(entry, failure)
        if entry.leaves:
            self._remove(entry, entry.leaves, now_s)
        self._forget_outdated(now_s)

    def _forget_outdated(self, now_s: float) -> None:
        for entry, cause in self._failed.outdated(now_s):
            self._remove(entry, cause, now_s)

    # How they go.

    def _give_up(self, entry: CacheEntry, now_s: float) -> None:
        """Nobody hears of it; what was asked for while an earlier copy goes has not begun at all."""
        error = CacheBusy(f"the load of {entry.model} was given up: nobody waited for it")
        self._settle(entry.model, Failure(error=error, at_s=now_s))
        if entry.again is not None:
            entry.again = None
        else:
            self._leave(entry, Cause.ABANDONED, now_s)

    def _leave(self, entry: CacheEntry, cause: Cause, now_s: float, *, because: str = "") -> None:
        """It goes: at once, or as soon as what is under way has ended."""
        if entry.state in USABLE:
            self._copies.unload(entry, cause, now_s, because=because)
        elif entry.state in (_S.PULLING, _S.LOADING):
            if entry.state is _S.PULLING and entry.leaves is None:
                self._commands.append(StopPull(model=entry.model))
            entry.leaves, entry.leaves_because = cause, because
        elif entry.state is _S.WAITING:
            self._discard(entry, cause, now_s)
        elif entry.state is not _S.UNLOADING:  # QUEUED or FAILED
            self._take_away(entry, cause, now_s)

    def _discard(self, entry: CacheEntry, cause: Cause, now_s: float) -> None:
        """It goes, and its files are there."""
        self._commands.append(DiscardFiles(model=entry.model))
        self._take_away(entry, cause, now_s)

    def _take_away(self, entry: CacheEntry, cause: Cause, now_s: float) -> None:
        self._loads.take_out(entry)
        self._remove(entry, cause, now_s)

    def _remove(self, entry: CacheEntry, cause: Cause, now_s: float) -> None:
        entry.move(cause, now_s)
        self._failed.discard(entry)
        self._forget(entry, now_s)

    def _forget(self, entry: CacheEntry, now_s: float) -> None:
        """A REMOVED entry goes; who asked for the model meanwhile gets a new one."""
        assert entry.state is _S.REMOVED, f"{entry} is still there"
        del self._entries[entry.model]
        self._copies.order.part(entry.worth, for_good=entry.unregistered)
        if entry.again is not None:
            self._queue(entry.again, now_s)

    # Small words.

    def _settle(self, model: ModelId, failure: Failure | None = None) -> None:
        self._commands.append(Settled(model=model, failure=failure))

    def _answer(self) -> list[CacheCommand]:
        commands = self._commands[:]
        self._commands.clear()
        return commands
