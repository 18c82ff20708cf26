"""What happens in the registry of a mesh, as the keys of the models that it happened to.

Two tables are followed (reference: serving controller 6.3): the aliases, so that what somebody else changed
or lost is set again, and the copies, whose changes tell of loads that began, ended or failed. Nothing is
written.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from adapter.aio.clock import Clock
from adapter.controller.keys import ModelKey
from adapter.domain.errors import AdapterError, RecordUnreadable
from adapter.domain.specs import Source
from adapter.registry.encoding import decode_vmodel
from adapter.registry.registry import Change, Changes, Entry, Registry, Reset

log = logging.getLogger(__name__)

VMODELS: Final = "vmodels/"
COPIES: Final = "copies/"
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
        owner: asyncio.TaskGroup,
        clock: Clock,
    ) -> None:
        self._opened = opened
        self._tell = tell
        self._owner = owner
        self._clock = clock
        self._following: dict[str, asyncio.Task[None]] = {}
        self._known: dict[str, dict[str, Source]] = {}

    def follow(self, namespace: str) -> None:
        """From now on; the same again is fine."""
        if namespace not in self._following:
            self._following[namespace] = self._owner.create_task(
                self._keep_following(namespace), name=f"follow the registry of {namespace}"
            )

    def drop(self, namespace: str) -> None:
        """No more."""
        task = self._following.pop(namespace, None)
        if task is not None:
            task.cancel()
        self._known.pop(namespace, None)

    def again(self, namespace: str) -> None:
        """From now on, and it is another registry than before."""
        self.drop(namespace)
        self.follow(namespace)

    async def _keep_following(self, namespace: str) -> None:
        while True:
            try:
                async with self._opened(namespace) as (registry, prefix), asyncio.TaskGroup() as group:
                    group.create_task(self._vmodels(namespace, registry, prefix), name="follow vmodels")
                    group.create_task(self._copies(namespace, registry, prefix), name="follow copies")
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
