"""What happens in the registry of a mesh, as the keys of the models that it happened to.

Followed are (reference: serving controller 6.3) the aliases, so that what somebody else changed or lost is
set again, and the copies, whose changes tell of loads that began, ended or failed; and what instances tell of
themselves and of the calls that they hold, by which runtimes are started and stopped (`usage`). Nothing is
written.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from adapter.aio.clock import Clock
from adapter.controller.keys import ModelKey
from adapter.controller.usage import Usage
from adapter.domain.errors import AdapterError, RecordUnreadable, RegistryUnavailable
from adapter.domain.records import InstanceRecord
from adapter.domain.specs import Source
from adapter.registry.encoding import decode_instance, decode_vmodel, decode_wanted
from adapter.registry.registry import Change, Changes, Entry, Registry, Reset

log = logging.getLogger(__name__)

VMODELS: Final = "vmodels/"
COPIES: Final = "copies/"
INSTANCES: Final = "instances/"
WANTED: Final = "wanted/"
INSTANCES_MAX: Final = 10_000
"""Read at once."""
OPEN_AGAIN_S: Final = 3.0
"""A registry that cannot be opened is tried again after so long."""

_TARGET: Final = re.compile(r"(?P<name>.+)__(?P<source>[a-z]+)-[0-9a-f]{10}")
"""`<name>__<source>-<hash>` (reference: serving controller 5.3)."""
_SOURCES: Final = {source.value: source for source in Source}

RegistryOpener = Callable[[str], AbstractAsyncContextManager[tuple[Registry, str]]]
"""Of a namespace: the registry of its mesh, and what all of that mesh's keys begin with."""


def owner_of(target: str) -> tuple[Source, str] | None:
    """Which declared model this concrete one was registered for; None: it is nobody's of ours."""
    match = _TARGET.fullmatch(target)
    if match is None or (source := _SOURCES.get(match["source"])) is None:
        return None
    return source, match["name"]


class RegistryEvents:
    """Follows the registries of the namespaces that it is told of."""

    def __init__(
        self,
        *,
        opened: RegistryOpener,
        tell: Callable[[ModelKey], None],
        usage: Usage,
        owner: asyncio.TaskGroup,
        clock: Clock,
    ) -> None:
        self._opened = opened
        self._tell = tell
        self._usage = usage
        self._owner = owner
        self._clock = clock
        self._following: dict[str, asyncio.Task[None]] = {}
        self._known: dict[str, dict[str, Source]] = {}
        self._open: dict[str, tuple[Registry, str]] = {}

    def follow(self, namespace: str) -> None:
        """From now on; the same again is fine."""
        if namespace not in self._following:
            self._following[namespace] = self._owner.create_task(
                self._keep_following(namespace), name=f"follow the registry of {namespace}"
            )

    def drop(self, namespace: str) -> None:
        """No more."""
        self._stop(namespace)
        self._usage.forget(namespace)

    def _stop(self, namespace: str) -> None:
        task = self._following.pop(namespace, None)
        if task is not None:
            task.cancel()
        self._known.pop(namespace, None)
        self._open.pop(namespace, None)

    def again(self, namespace: str) -> None:
        """From now on, and it is another registry than before."""
        self._stop(namespace)
        self._usage.instances(namespace, {})
        self._usage.waiting(namespace, {})
        self.follow(namespace)

    async def look_again(self, namespace: str) -> None:
        """Take note of what instances tell now: no runtime is stopped by what was true a while ago.

        Raises `RegistryUnavailable`.
        """
        if namespace not in self._open:
            raise RegistryUnavailable(f"the registry of {namespace} is not reached yet")
        registry, prefix = self._open[namespace]
        for table, note in ((INSTANCES, self._note_instances), (WANTED, self._note_wanted)):
            note(namespace, f"{prefix}{table}", await registry.scan(f"{prefix}{table}", limit=INSTANCES_MAX))

    async def _keep_following(self, namespace: str) -> None:
        while True:
            try:
                async with self._opened(namespace) as (registry, prefix), asyncio.TaskGroup() as group:
                    self._open[namespace] = registry, prefix
                    for follow in (self._vmodels, self._copies, self._instances, self._wanted):
                        group.create_task(follow(namespace, registry, prefix), name="follow the registry")
            except* AdapterError as errors:
                first = errors.exceptions[0]
                log.warning(
                    "the registry cannot be followed", extra={"namespace": namespace, "error": str(first)}
                )
            await self._clock.sleep(OPEN_AGAIN_S)

    async def _vmodels(self, namespace: str, registry: Registry, prefix: str) -> None:
        table = f"{prefix}{VMODELS}"
        async for news in registry.follow(table):
            known = self._known.setdefault(namespace, {})
            if isinstance(news, Reset):
                lost = dict(known)
                known.clear()
                for entry in news.entries or ():
                    self._vmodel(namespace, entry.key.removeprefix(table), entry)
                for name, source in lost.items():
                    self._tell(ModelKey(source, namespace, name))
                continue
            for change in news.changes:
                self._vmodel(namespace, change.key.removeprefix(table), change.entry)

    def _vmodel(self, namespace: str, name: str, entry: Entry | None) -> None:
        known = self._known.setdefault(namespace, {})
        before = known.pop(name, None)
        source = before if entry is None else _declared_by(entry)
        if source is None:
            return
        if entry is not None:
            known[name] = source
        self._tell(ModelKey(source, namespace, name))

    async def _copies(self, namespace: str, registry: Registry, prefix: str) -> None:
        table = f"{prefix}{COPIES}"
        async for news in _changes(registry.follow(table, contents=False)):
            target = news.key.removeprefix(table).rpartition("/")[0]
            if (declared := owner_of(target)) is not None:
                self._tell(ModelKey(declared[0], namespace, declared[1]))

    async def _instances(self, namespace: str, registry: Registry, prefix: str) -> None:
        table = f"{prefix}{INSTANCES}"
        async for news in registry.follow(table):
            if isinstance(news, Reset):
                self._note_instances(namespace, table, news.entries or ())
                continue
            for change in news.changes:
                instance = change.key.removeprefix(table)
                self._usage.instance(namespace, instance, _record(change.entry))

    async def _wanted(self, namespace: str, registry: Registry, prefix: str) -> None:
        table = f"{prefix}{WANTED}"
        async for news in registry.follow(table):
            if isinstance(news, Reset):
                self._note_wanted(namespace, table, news.entries or ())
                continue
            for change in news.changes:
                self._usage.waits(namespace, change.key.removeprefix(table), _types(change.entry))

    def _note_instances(self, namespace: str, table: str, entries: Sequence[Entry]) -> None:
        told = {entry.key.removeprefix(table): _record(entry) for entry in entries}
        self._usage.instances(
            namespace, {name: record for name, record in told.items() if record is not None}
        )

    def _note_wanted(self, namespace: str, table: str, entries: Sequence[Entry]) -> None:
        self._usage.waiting(namespace, {entry.key.removeprefix(table): _types(entry) for entry in entries})


def _record(entry: Entry | None) -> InstanceRecord | None:
    """None: it is gone, or tells nothing that could be read."""
    try:
        return None if entry is None else decode_instance(entry.key, entry.value)
    except RecordUnreadable:
        return None


def _types(entry: Entry | None) -> tuple[str, ...]:
    try:
        return () if entry is None else decode_wanted(entry.key, entry.value)
    except RecordUnreadable:
        return ()


async def _changes(news: AsyncIterator[Reset | Changes]) -> AsyncIterator[Change]:
    """What happens from now on; what there is already was looked at for other reasons."""
    async for each in news:
        if isinstance(each, Changes):
            for change in each.changes:
                yield change


def _declared_by(entry: Entry) -> Source | None:
    try:
        record = decode_vmodel(entry.key, entry.value)
    except RecordUnreadable:
        return None
    return _SOURCES.get(record.owner)
