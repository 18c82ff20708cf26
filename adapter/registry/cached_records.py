"""Decoded records of one table, kept at hand and put right by following the table in the registry.

The path of a request asks `peek`: one look into a dict. What is not at hand is read, once for all who ask at
the same time. Others write the table too: each change that is heard replaces what is at hand, and what a slow
read brings is not kept when something newer passed meanwhile.

When the registry can no longer tell what happened in between (`Reset`), nothing is forgotten at once. All
that is at hand becomes doubtful: read anew when it is next asked for, and served as it is while the registry
does not answer.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from adapter.domain.errors import AdapterError, RecordUnreadable, RegistryReadOnly, RegistryUnavailable
from adapter.registry.registry import Change, Entry, Registry, Reset

RecordT = TypeVar("RecordT")

DOUBT_S_MAX: Final = 0.5
"""How long the registry has to answer before what is doubtful is served."""
AWAY_S: Final = 5.0
"""How long what is doubtful is then served without asking again."""

TRIES_MAX: Final = 8
"""How often a change is tried when others write the same record meanwhile."""


class Unknown(Enum):
    """The one value that says nothing, where None says that there is no such record."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN
OrUnknown = Literal[Unknown.UNKNOWN]


class _Known(Generic[RecordT]):
    """What is at hand of one name."""

    __slots__ = ("epoch", "record", "revision")

    def __init__(self, record: RecordT | None, revision: int, epoch: int) -> None:
        self.record = record
        self.revision = revision
        """That wrote it; 0: there was nothing."""
        self.epoch = epoch
        """Of which `Reset`; an older one than the latest makes it doubtful."""


class _Reading(Generic[RecordT]):
    """A read on its way, and those who wait for it."""

    __slots__ = ("answer", "epoch", "passed")

    def __init__(self, epoch: int) -> None:
        self.answer: asyncio.Future[RecordT | AdapterError | OrUnknown | None] = (
            asyncio.get_running_loop().create_future()
        )
        self.epoch = epoch
        self.passed = 0
        """The newest revision that was heard meanwhile."""


class Held(NamedTuple, Generic[RecordT]):
    """A record as it was read, to be changed under the guard of its revision."""

    record: RecordT | RecordUnreadable | None
    revision: int


class CachedRecords(Generic[RecordT]):
    """One table of records: `<prefix><table><name>`.

    Every call but `peek` may raise `RegistryUnavailable`, and `get` also `RecordUnreadable`. Bounded: of the
    names asked for last, at least half of `cached_max` are at hand, and never more than that many.
    """

    def __init__(  # noqa: PLR0913 - what makes a table of it, each by name
        self,
        registry: Registry,
        prefix: str,
        *,
        table: str,
        decode: Callable[[str, bytes], RecordT],
        encode: Callable[[RecordT], bytes],
        cached_max: int,
        keep_absent: bool,
        read_only: bool = False,
    ) -> None:
        if not prefix.endswith("/"):
            raise ValueError(f"the prefix of the registry's keys must end in /: {prefix!r}")
        self.on_change: list[Callable[[str, Entry | None], None]] = []
        """Called with each name whose record has changed, and the new one; None: it is gone."""
        self.on_reset: list[Callable[[], None]] = []
        """Called when any record may have changed."""
        self.registry = registry
        self.encode = encode
        self.decode = decode
        self._prefix = prefix + table
        self._generation_max = max(cached_max // 2, 1)
        self._keep_absent = keep_absent
        self.read_only = read_only
        self._young: dict[str, _Known[RecordT]] = {}
        self._old: dict[str, _Known[RecordT]] = {}
        self._readings: dict[str, _Reading[RecordT]] = {}
        self._epoch = 0
        self._away_until_s = 0.0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self._prefix}: {len(self)} at hand>"

    def __len__(self) -> int:
        """How many names are at hand."""
        return len(self._young) + len(self._old)

    def key(self, name: str) -> str:
        """Where the record stands in the registry."""
        return self._prefix + name

    # What is at hand.

    def peek(self, name: str) -> RecordT | OrUnknown | None:
        """The record, if it is at hand; None: it is known that there is none; `UNKNOWN`: ask `get`."""
        known = self._young.get(name)
        if known is None:
            known = self._old.get(name)
            if known is None:
                return UNKNOWN
            self._keep(name, known)  # asked for again: it belongs to the young
        if known.epoch != self._epoch and asyncio.get_running_loop().time() >= self._away_until_s:
            return UNKNOWN
        return known.record

    async def get(self, name: str, *, fresh: bool = False) -> RecordT | None:
        """The record; None: there is none. With `fresh`, as the registry has it now, if it answers."""
        if not fresh:
            record = self.peek(name)
            if record is not UNKNOWN:
                return record
        known = self._find(name)
        if known is None:
            return await self._read(name)
        try:
            async with asyncio.timeout(DOUBT_S_MAX):
                return await self._read(name)
        except (TimeoutError, RegistryUnavailable):
            self._away_until_s = asyncio.get_running_loop().time() + AWAY_S
            return known.record

    async def _read(self, name: str) -> RecordT | None:
        """Read it, or wait for who does."""
        while (reading := self._readings.get(name)) is not None:
            answer = await asyncio.shield(reading.answer)
            if isinstance(answer, AdapterError):
                raise type(answer)(*answer.args)
            if answer is not None and answer is not UNKNOWN:
                return answer
            # Given up, or there was nothing: perhaps it was looked up before we were asked.
        return await self._read_alone(name)

    async def _read_alone(self, name: str) -> RecordT | None:
        reading = self._readings[name] = _Reading(self._epoch)
        try:
            entry = await self.registry.get(self.key(name))
            record = None if entry is None else self.decode(entry.key, entry.value)
            self._keep_read(name, entry, record, reading)
            reading.answer.set_result(record)
        except AdapterError as error:
            reading.answer.set_result(error)
            raise
        else:
            return record
        finally:
            del self._readings[name]
            if not reading.answer.done():
                reading.answer.set_result(UNKNOWN)

    def _keep_read(
        self, name: str, entry: Entry | None, record: RecordT | None, reading: _Reading[RecordT]
    ) -> None:
        revision = 0 if entry is None else entry.mod_revision
        self._away_until_s = 0.0
        if reading.epoch == self._epoch and reading.passed <= revision:
            self._put(name, record, revision)

    # What is heard.

    async def follow(self) -> None:
        """Hear of what others write, until cancelled. Without it, what is at hand is right if nobody does."""
        async for news in self.registry.follow(self._prefix, contents=False):
            self._away_until_s = 0.0
            if isinstance(news, Reset):
                self._epoch += 1
                for tell in self.on_reset:
                    tell()
            else:
                for change in news.changes:
                    self._heard(change)

    def _heard(self, change: Change) -> None:
        name = change.key.removeprefix(self._prefix)
        self._passed(name, change.revision)
        known = self._find(name)
        # The revisions of what is doubtful may be another store's.
        if known is not None and (known.epoch != self._epoch or known.revision < change.revision):
            self._put_entry(name, change.entry, change.revision)
        for tell_change in self.on_change:
            tell_change(name, change.entry)

    def _put_entry(self, name: str, entry: Entry | None, revision: int) -> None:
        try:
            record = None if entry is None else self.decode(entry.key, entry.value)
        except RecordUnreadable:
            self._forget(name)  # who asks for it is told
        else:
            self._put(name, record, revision)

    def _passed(self, name: str, revision: int) -> None:
        reading = self._readings.get(name)
        if reading is not None:
            reading.passed = max(reading.passed, revision)

    # What is written.

    def check_writable(self) -> None:
        """Raises `RegistryReadOnly` (reference: ModelMesh core 3.10)."""
        if self.read_only:
            raise RegistryReadOnly("model-mesh read-only mode")

    async def read(self, name: str) -> Held[RecordT]:
        """As it is in the registry now, to be changed. What cannot be decoded stands there as its error."""
        entry = await self.registry.get(self.key(name))
        if entry is None:
            return Held(None, 0)
        return Held(self.decoded(entry), entry.mod_revision)

    def wrote(self, name: str, record: RecordT | None, revision: int | None) -> None:
        """Somebody wrote it through us; without a revision, nobody knows what is there."""
        if revision is None:
            self._forget(name)
            self._passed(name, 1 << 63)
            return
        self._passed(name, revision)
        known = self._find(name)
        if known is None or known.epoch != self._epoch or known.revision < revision:
            self._put(name, record, revision)

    async def write(self, name: str, record: RecordT | None, *, revision: int) -> bool:
        """Write or delete, if the record still has this revision."""
        written = await commit((Write(self, name, record),), guards={self.key(name): revision})
        return written is not None

    async def create(self, name: str, record: RecordT) -> bool:
        """False: there is one of this name already."""
        if self.read_only and (await self.read(name)).revision:
            return False
        return await self.write(name, record, revision=0)

    # All of them.

    async def count(self) -> int:
        return await self.registry.count(self._prefix)

    async def scan(self, *, after: str = "", limit: int) -> Sequence[Entry]:
        """At most `limit` entries whose names come after `after`, in order of name."""
        return await self.registry.scan(self._prefix, after=self.key(after) if after else "", limit=limit)

    def name_of(self, entry: Entry) -> str:
        return entry.key.removeprefix(self._prefix)

    def decoded(self, entry: Entry) -> RecordT | RecordUnreadable:
        """The record, or why it cannot be read."""
        try:
            return self.decode(entry.key, entry.value)
        except RecordUnreadable as error:
            return error

    # The dict of what is at hand. Two generations instead of an order: a hit moves nothing.

    def _find(self, name: str) -> _Known[RecordT] | None:
        return self._young.get(name) or self._old.get(name)

    def _put(self, name: str, record: RecordT | None, revision: int) -> None:
        if record is None and not self._keep_absent:
            self._forget(name)
        else:
            self._keep(name, _Known(record, revision, self._epoch))

    def _keep(self, name: str, known: _Known[RecordT]) -> None:
        self._old.pop(name, None)
        self._young[name] = known
        if len(self._young) > self._generation_max:
            del self._young[name]
            self._young, self._old = {name: known}, self._young

    def _forget(self, name: str) -> None:
        self._young.pop(name, None)
        self._old.pop(name, None)


class Write(NamedTuple):
    """What a record is to become; None: it is deleted."""

    table: CachedRecords[Any]
    name: str
    record: object


async def commit(writes: Sequence[Write], *, guards: Mapping[str, int]) -> int | None:
    """Write all, if every guarded key still has its revision; the new one, or None if nothing was written."""
    values: dict[str, bytes | None] = {}
    for table, name, record in writes:
        table.check_writable()
        values[table.key(name)] = None if record is None else table.encode(record)
    revision = None
    try:
        revision = await writes[0].table.registry.commit(values, guards=guards)
    finally:
        for table, name, record in writes:
            table.wrote(name, record, revision)
    return revision
