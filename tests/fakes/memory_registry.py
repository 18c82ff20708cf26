"""A registry in memory: proven against `tests/contracts/registry.py`, as the real ones are."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from operator import attrgetter

from adapter.domain.errors import RegistryUnavailable
from adapter.registry.registry import Change, Changes, Entry, LeaseLost, Reset

_revision = attrgetter("revision")
_key = attrgetter("key")


class MemoryRegistry:
    """While `away` is set, every call raises `RegistryUnavailable`, and who follows it waits; leases run on.

    Leases live by the loop's time. `reads` counts the calls of `get`, `commits` those that wrote something.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.revision = 1
        self.reads = 0
        self.commits = 0
        self.leases: dict[int, asyncio.TimerHandle] = {}
        """Those that live, and when they end."""
        self._ttls_s: dict[int, int] = {}
        self._away = False
        self._history: list[Change] = []
        self._compacted = 1
        self._life = 1
        """Counts how often it began anew."""
        self._news = asyncio.Event()

    @property
    def away(self) -> bool:
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        self._away = away
        self._tell()

    # The seam.

    async def get(self, key: str) -> Entry | None:
        self._answers()
        self.reads += 1
        return self.entries.get(key)

    async def scan(self, prefix: str, *, after: str = "", limit: int) -> Sequence[Entry]:
        self._answers()
        if limit < 1:
            raise ValueError(f"a scan needs a limit of at least 1, not {limit}")
        return [entry for entry in self._below(prefix) if entry.key > after][:limit]

    async def count(self, prefix: str) -> int:
        self._answers()
        return len(self._below(prefix))

    async def commit(
        self, writes: Mapping[str, bytes | None], *, guards: Mapping[str, int], lease: int = 0
    ) -> int | None:
        self._answers()
        if lease and lease not in self.leases:
            raise LeaseLost("the lease has ended")
        if any(self._mod_revision(key) != revision for key, revision in guards.items()):
            return None
        self._write(writes, lease)
        return self.revision

    async def follow(self, prefix: str, *, contents: bool = True) -> AsyncIterator[Reset | Changes]:
        life = seen = 0
        while True:
            news = self._news
            if not self.away:
                if life != self._life or seen < self._compacted:
                    life, seen = self._life, self.revision
                    yield Reset(entries=self._below(prefix) if contents else None, revision=seen)
                    continue
                later = self._history[bisect_right(self._history, seen, key=_revision) :]
                seen = self.revision
                if changes := [change for change in later if change.key.startswith(prefix)]:
                    yield Changes(changes=changes)
                    continue
            await news.wait()

    async def grant(self, ttl_s: int) -> int:
        self._answers()
        lease = max(self._ttls_s, default=0) + 1
        self._ttls_s[lease] = ttl_s
        self._prolong(lease)
        return lease

    async def keep_alive(self, lease: int) -> None:
        self._answers()
        if lease not in self.leases:
            raise LeaseLost("the lease has ended")
        self._prolong(lease)

    async def revoke(self, lease: int) -> None:
        self._answers()
        self.end(lease)

    # What a test does to it.

    def end(self, lease: int) -> None:
        """The lease expires now."""
        timer = self.leases.pop(lease, None)
        if timer is not None:
            timer.cancel()
            self._write({entry.key: None for entry in self.entries.values() if entry.lease == lease}, 0)

    def compact(self) -> None:
        """What happened until now cannot be told any more."""
        self._compacted = self.revision
        self._history.clear()

    def wipe(self) -> None:
        """It is another store from now on, and empty; leases of the old one are unknown."""
        for timer in self.leases.values():
            timer.cancel()
        self.leases.clear()
        self.entries.clear()
        self._history.clear()
        self.revision = self._compacted = 1
        self._life += 1
        self._tell()

    # Inside.

    def _below(self, prefix: str) -> list[Entry]:
        found = [entry for entry in self.entries.values() if entry.key.startswith(prefix)]
        return sorted(found, key=_key)

    def _mod_revision(self, key: str) -> int:
        entry = self.entries.get(key)
        return 0 if entry is None else entry.mod_revision

    def _write(self, writes: Mapping[str, bytes | None], lease: int) -> None:
        changes = {key: value for key, value in writes.items() if value is not None or key in self.entries}
        if not changes:
            return
        self.revision += 1
        self.commits += 1
        for key, value in changes.items():
            before, entry = self.entries.pop(key, None), None
            if value is not None:
                entry = self.entries[key] = Entry(
                    key=key,
                    value=value,
                    mod_revision=self.revision,
                    create_revision=before.create_revision if before else self.revision,
                    lease=lease,
                )
            self._history.append(Change(key=key, entry=entry, revision=self.revision))
        self._tell()

    def _prolong(self, lease: int) -> None:
        if lease in self.leases:
            self.leases[lease].cancel()
        ttl_s = self._ttls_s[lease]
        self.leases[lease] = asyncio.get_running_loop().call_later(ttl_s, self.end, lease)

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _answers(self) -> None:
        if self.away:
            raise RegistryUnavailable("the registry does not answer")
