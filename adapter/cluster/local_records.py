"""All objects of a local cluster in memory, each change written to the state folder and told to followers."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from adapter.aio.clock import Clock
from adapter.cluster.cluster import ClusterRefused, ObjectConflict
from adapter.cluster.local_kinds import KINDS
from adapter.cluster.local_objects import Record, Stamp, applied_to, born, changed, deleted
from adapter.cluster.local_state import StateFolder
from adapter.domain.kinds import EVENT, Key, Kind, Manifest, key_of

EVENTS_MAX: Final = 1000
"""The oldest go."""


@dataclass(slots=True, eq=False)
class Follower:
    """Somebody who follows a kind; what changes twice before it looks, it sees once."""

    namespace: str | None
    _news: dict[Key, None] = field(default_factory=dict)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, key: Key) -> None:
        if self.namespace in (None, key.namespace):
            self._news[key] = None
            self._woken.set()

    async def taken(self) -> Sequence[Key]:
        """What has changed since it looked last; waits for something to."""
        await self._woken.wait()
        self._woken.clear()
        news, self._news = list(self._news), {}
        return news


class Records:
    """The objects, by kind and key."""

    def __init__(self, state: StateFolder, *, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._records: dict[Kind, dict[Key, Record]] = {kind: {} for kind in KINDS}
        self._followers: dict[Kind, set[Follower]] = {}
        self._revision = 0

    def load(self) -> None:
        """Know what was known when the cluster was last up."""
        self._state.prepare()
        for kind in KINDS:
            for record in self._state.all(kind):
                self._records[kind][key_of(record.manifest, kind)] = record
                self._revision = max(self._revision, _number(record.manifest))

    def get(self, key: Key) -> Record | None:
        return self._records.get(key.kind, {}).get(key)

    def within(self, kind: Kind, namespace: str | None) -> Iterator[Record]:
        """Those of one namespace, or of all."""
        for key, record in self._records.get(kind, {}).items():
            if namespace in (None, key.namespace):
                yield record

    def declared(self) -> Iterator[tuple[Key, Record]]:
        """Those that a file declares; they may be changed meanwhile."""
        for records in self._records.values():
            yield from [(key, record) for key, record in records.items() if record.source]

    def follow(self, kind: Kind, namespace: str | None) -> Follower:
        """From now on it is told of changes, until it is left."""
        follower = Follower(namespace)
        self._followers.setdefault(kind, set()).add(follower)
        return follower

    def leave(self, kind: Kind, follower: Follower) -> None:
        self._followers[kind].discard(follower)

    def make(self, key: Key, record: Record) -> Manifest:
        """One more object, which has what is asked for."""
        records = self._records[key.kind]
        if key.kind == EVENT and len(records) >= EVENTS_MAX:
            self._forget(min(records, key=lambda each: _number(records[each].manifest)))
        return self._keep(key, replace(record, manifest=born(record.manifest, self._stamp())))

    def apply(self, key: Key, asked: Record, wish: Manifest, *, manager: str) -> Manifest:
        """What this manager wants of it now, and no more what it wanted before. `asked` is what is kept."""
        after = applied_to(asked.manifest, asked.applied.get(manager, {}), wish)
        return self.change(key, replace(asked, applied={**asked.applied, manager: wish}), after)

    def change(self, key: Key, record: Record, after: Manifest) -> Manifest:
        """Keep the object as it is after a change, if there is one. Raises `ClusterRefused`."""
        manifest = changed(record.manifest, after, self._stamp())
        if manifest is record.manifest:
            if record != self.get(key):
                self._records[key.kind][key] = record
                self._state.write(key, record)
            return manifest
        if record.is_deleted and set(_finalizers(manifest)) - set(_finalizers(record.manifest)):
            raise ClusterRefused(f"{key} is to go: it gets no more finalizers")
        kept = replace(record, manifest=manifest)
        if kept.is_deleted and not kept.has_finalizers:
            self._forget(key)
            return manifest
        return self._keep(key, kept)

    def go(self, key: Key, record: Record) -> None:
        """It is to go; with finalizers, when it has none any more."""
        left = deleted(record, self._stamp())
        if left is None:
            self._forget(key)
        elif left is not self.get(key):
            self._keep(key, left)

    def check_latest(self, key: Key, record: Record, revision: object) -> None:
        """Raises `ObjectConflict` if this is none of the latest."""
        if revision != record.manifest["metadata"]["resourceVersion"]:
            raise ObjectConflict(f"{key} was changed meanwhile: look again, then change it")

    def _keep(self, key: Key, record: Record) -> Manifest:
        self._revision += 1
        self._records[key.kind][key] = record
        self._state.write(key, record)
        self._tell(key)
        return record.manifest

    def _forget(self, key: Key) -> None:
        self._revision += 1
        del self._records[key.kind][key]
        self._state.remove(key)
        self._tell(key)

    def _tell(self, key: Key) -> None:
        for follower in self._followers.get(key.kind, ()):
            follower.tell(key)

    def _stamp(self) -> Stamp:
        now = datetime.fromtimestamp(self._clock.epoch_ms() / 1e3, UTC)
        return Stamp(
            revision=self._revision + 1, now=now.strftime("%Y-%m-%dT%H:%M:%SZ"), uid=str(uuid.uuid4())
        )


def _finalizers(manifest: Manifest) -> Sequence[str]:
    return manifest["metadata"].get("finalizers") or ()


def _number(manifest: Manifest) -> int:
    told = str(manifest["metadata"].get("resourceVersion") or "")
    return int(told) if told.isdecimal() else 0
