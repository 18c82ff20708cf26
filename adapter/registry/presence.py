"""What is true only while this instance lives: keys under its lease.

Whoever uses it says what is to be there (`put`, `remove`) and does not wait. `run` makes it so, again and
again: it compares what is wished with what was written, and writes the difference. So a key that is put and
removed while a write is under way is never written, an outage only delays, and when the lease was lost (we
were cut off for too long, or the registry came back empty) all is written anew under another lease.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import itemgetter
from typing import Final

from adapter.aio.clock import Clock
from adapter.domain.errors import AdapterError, RegistryUnavailable
from adapter.registry.backoff import Backoff
from adapter.registry.registry import Change, Entry, LeaseLost, Registry

log = logging.getLogger(__name__)

TTL_S: Final = 10
BATCH_MAX: Final = 64
"""Keys in one commit; what others commit meanwhile goes into the same transaction."""
CHECKED_MAX: Final = 100
"""Keys that are looked after each time the lease is kept alive."""
RIVAL_S: Final = 5.0
"""Between two looks at a key that is ours, and that another holds since we were away."""

Outdated = Callable[[Entry], Awaitable[bool]]
"""Whether whoever wrote this entry is gone, although its lease lives."""


class KeyTaken(Exception):
    """Somebody else who is alive holds the key."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What we know to stand in the registry."""

    value: bytes | None
    revision: int


@dataclass(slots=True)
class _Claim:
    """The key that only one may have."""

    key: str
    outdated: Outdated
    first: "asyncio.Future[None]" = field(repr=False)
    """Done when it is ours for the first time."""
    is_held: bool = False


_ABSENT: Final = _Written(None, 0)
_UNKNOWN: Final = _Written(None, -1)
"""A write whose outcome is unknown: it differs from whatever is wished."""


class Presence:
    """This instance's keys. Belongs to the loop in which `run` runs."""

    def __init__(self, registry: Registry, *, clock: Clock, ttl_s: int = TTL_S) -> None:
        self.lost = 0
        """How often a lease of ours has ended."""
        self._registry = registry
        self._clock = clock
        self._ttl_s = ttl_s
        self._lease = 0
        self._wished: dict[str, bytes] = {}
        self._written: dict[str, _Written] = {}
        self._differs: dict[str, int] = {}
        """Keys to be looked at, the oldest first, each with the number of the wish that is not fulfilled."""
        self._flying: dict[str, int] = {}
        """Those of them that are being written; older than all that differ."""
        self._wish = 0
        self._claim: _Claim | None = None
        self._unchecked: Iterator[str] = iter(())
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Presence of {len(self._wished)} keys, {len(self._differs)} to be written>"

    @property
    def lease(self) -> int:
        """0: there is none at the moment."""
        return self._lease

    @property
    def is_confirmed(self) -> bool:
        """Whether the registry has what is wished, as far as we know."""
        return self._fulfils(self._wish)

    # What is wished.

    def put(self, key: str, value: bytes) -> None:
        """The key is to have this value for as long as we live."""
        self._wished[key] = value
        self._look_at(key)

    def remove(self, key: str) -> None:
        """The key is to be gone."""
        if self._wished.pop(key, None) is not None:
            self._look_at(key)

    def saw(self, change: Change) -> None:
        """Somebody who follows the registry was told this: if it is not as we wrote it, that is put right."""
        key, written = change.key, self._written.get(change.key)
        if written is None or change.revision <= written.revision:
            return
        if key in self._differs or key in self._flying:
            return
        entry = change.entry
        if entry is None or entry.value != written.value or entry.lease != self._lease:
            self._mend(key)

    async def claim(self, key: str, value: bytes, *, outdated: Outdated) -> None:
        """Take a key that only one may have, and hold it from then on.

        An entry that is there already is taken over if `outdated` says that whoever wrote it is gone: its
        lease ends, and with it all that stood under it. Raises `KeyTaken` otherwise. Waits while the registry
        is away.
        """
        assert self._claim is None, "one presence claims one key"
        self._wished[key] = value
        self._claim = _Claim(key, outdated, asyncio.get_running_loop().create_future())
        self._look_at(key)
        await self._claim.first

    async def settled(self, timeout_s: float) -> None:
        """Wait until all that is wished by now is written. Raises `RegistryUnavailable` after so long."""
        wish = self._wish
        try:
            async with asyncio.timeout(timeout_s):
                while not self._fulfils(wish):
                    await self._news.wait()
        except TimeoutError:
            left = len(self._differs)
            raise RegistryUnavailable(f"{left} keys are not written after {timeout_s:g} s") from None

    def _fulfils(self, wish: int) -> bool:
        if not self._lease or (self._claim is not None and not self._claim.is_held):
            return False
        oldest = chain(self._flying.values(), self._differs.values())
        return next(oldest, wish + 1) > wish

    def _look_at(self, key: str) -> None:
        self._wish += 1
        self._differs.setdefault(key, self._wish)
        self._wake.set()

    def _mend(self, key: str) -> None:
        self._written[key] = _UNKNOWN
        self._look_at(key)

    # How it is made so.

    async def run(self) -> None:
        """Until it is cancelled or closed; an outage of the registry does not end it."""
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._keep(), name="keep the lease alive")
            await self._write_for_ever()
            keeping.cancel()

    async def close(self) -> None:
        """Give the lease back, and so all keys; nothing is written afterwards."""
        self._closed = True
        self._wake.set()
        lease, self._lease = self._lease, 0
        if lease:
            try:
                await self._registry.revoke(lease)
            except AdapterError as error:
                log.warning("the lease is not given back; it will expire", extra={"error": str(error)})

    async def _write_for_ever(self) -> None:
        backoff, is_away = Backoff(), False
        while not self._closed:
            try:
                await self._step()
            except LeaseLost:
                self._has_lost(self._lease)
                await self._clock.sleep(backoff.next_s())
            except AdapterError as error:
                if not is_away:
                    log.warning("what is true of us cannot be written now", extra={"error": str(error)})
                is_away = True
                await self._clock.sleep(backoff.next_s())
            else:
                if is_away:
                    log.info("what is true of us is written again")
                is_away = False
                backoff.reset()

    async def _step(self) -> None:
        if not self._lease:
            await self._begin_anew()
        elif self._claim is not None and not self._claim.is_held:
            await self._take(self._claim)
        elif self._differs:
            await self._write()
        else:
            self._wake.clear()
            await self._wake.wait()
        self._tell()

    async def _begin_anew(self) -> None:
        """Another lease, under which nothing is written yet."""
        lease = await self._registry.grant(self._ttl_s)
        if self._closed:
            await self._registry.revoke(lease)
            return
        self._lease = lease
        self._written.clear()
        for key in self._wished:
            self._look_at(key)

    async def _write(self) -> None:
        """The oldest of what differs. Raises `LeaseLost`, `RegistryUnavailable`."""
        lease, writes = self._lease, self._take_off()
        if not writes:
            return
        try:
            revision = await self._registry.commit(writes, guards={}, lease=lease)
        except (AdapterError, LeaseLost):
            self._written.update(dict.fromkeys(writes, _UNKNOWN))
            self._differs, self._flying = {**self._differs, **self._flying}, {}
            self._differs = dict(sorted(self._differs.items(), key=itemgetter(1)))
            raise
        assert revision is not None  # nothing was guarded
        self._flying.clear()
        if lease == self._lease:
            for key, value in writes.items():
                self._written[key] = _Written(value, revision)
                if value is None:
                    del self._written[key]

    def _take_off(self) -> dict[str, bytes | None]:
        writes: dict[str, bytes | None] = {}
        for key in list(islice(self._differs, BATCH_MAX)):
            wish, wished = self._differs.pop(key), self._wished.get(key)
            written = self._written.get(key, _ABSENT)
            if written is _UNKNOWN or written.value != wished:
                writes[key], self._flying[key] = wished, wish
        return writes

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # The key that only one may have.

    async def _take(self, claim: _Claim) -> None:
        try:
            await self._try_to_take(claim)
        except KeyTaken as error:
            if not claim.first.done():
                claim.first.set_exception(error)
                self._claim = None
                self.remove(claim.key)
                return
            log.error("another instance has our id", extra={"error": str(error)})  # noqa: TRY400 - no trace
            await self._clock.sleep(RIVAL_S)

    async def _try_to_take(self, claim: _Claim) -> None:
        """Raises `KeyTaken`, `LeaseLost`, `RegistryUnavailable`."""
        lease, value = self._lease, self._wished.get(claim.key)
        if value is None:  # it was removed meanwhile: nobody claims it any more
            self._claim = None
            return
        revision = await self._registry.commit({claim.key: value}, guards={claim.key: 0}, lease=lease)
        if revision is not None:
            claim.is_held = True
            self._written[claim.key] = _Written(value, revision)
        else:
            entry = await self._registry.get(claim.key)
            if entry is not None and entry.lease == lease:  # an earlier try, whose answer was lost
                claim.is_held = True
                self._mend(claim.key)
            elif entry is not None:
                await self._take_over(entry, claim)
                return
        if claim.is_held and not claim.first.done():
            claim.first.set_result(None)

    async def _take_over(self, entry: Entry, claim: _Claim) -> None:
        if not await claim.outdated(entry):
            raise KeyTaken(f"{entry.key} is held by somebody else who is alive: two have the same id")
        log.warning("an entry of one who is gone is taken over", extra={"key": entry.key})
        if entry.lease:
            await self._registry.revoke(entry.lease)
        else:
            await self._registry.commit({entry.key: None}, guards={entry.key: entry.mod_revision})

    # The lease.

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep(self._ttl_s / 3)
            lease = self._lease
            if not lease:
                continue
            try:
                await self._registry.keep_alive(lease)
                await self._check()
            except LeaseLost:
                self._has_lost(lease)
            except AdapterError as error:
                log.debug("the lease is not kept alive now", extra={"error": str(error)})

    def _has_lost(self, lease: int) -> None:
        if not lease or lease != self._lease:
            return
        log.warning("the lease is lost: all is written anew", extra={"keys": len(self._wished)})
        self.lost += 1
        self._lease = 0
        if self._claim is not None:
            self._claim.is_held = False
        self._wake.set()

    async def _check(self) -> None:
        """Whether the next of our keys are still as we wrote them: somebody may have meddled with them."""
        keys = list(islice(self._unchecked, CHECKED_MAX))
        if len(keys) < CHECKED_MAX:
            self._unchecked = iter(list(self._written))
        guards = {
            key: each.revision for key in keys if (each := self._written.get(key)) and each is not _UNKNOWN
        }
        if not guards or await self._registry.commit({}, guards=guards) is not None:
            return
        for key, revision in guards.items():
            entry = await self._registry.get(key)
            written = self._written.get(key)
            if written is None or written.revision != revision:  # we have written it meanwhile
                continue
            if entry is None or entry.mod_revision != revision:
                log.warning("somebody changed what is ours: it is put right", extra={"key": key})
                self._mend(key)
