"""The mesh as this instance sees it: instances, copies and candidates, followed in the registry.

What this instance says of itself does not come back by way of the registry: it is told directly
(`MeshView.put_instance`, `put_copy`), and is right even while the registry is away.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeVar

from adapter.domain.errors import RecordUnreadable
from adapter.domain.ids import InstanceId, ModelId
from adapter.mesh.view import MeshView
from adapter.registry.encoding import decode_copy, decode_instance
from adapter.registry.registry import Change, Changes, Entry, Registry, Reset

log = logging.getLogger(__name__)

T = TypeVar("T")

INSTANCES: Final = "instances/"
COPIES: Final = "copies/"
LEADER: Final = "leader/"
WANTED: Final = "wanted/"
"""Written by instances that hold calls, and followed by whoever starts runtimes."""


class MeshState:
    """Follows the registry into a `MeshView`."""

    def __init__(self, *, registry: Registry, prefix: str, here: InstanceId) -> None:
        self.here = here
        self.view = MeshView()
        self.on_instances: list[Callable[[], None]] = []
        """Called when instances have come, gone or changed, or others may hold models than before."""
        self.on_copies: list[Callable[[ModelId], None]] = []
        """Called when the copies of a model have changed, somewhere else."""
        self.on_own: Callable[[Change], None] = lambda _change: None
        """Told what became of a key of this instance's own."""
        self._registry = registry
        self._prefix = prefix
        self._candidates: dict[InstanceId, int] = {}
        self._seen = {table: asyncio.Event() for table in (INSTANCES, COPIES, LEADER)}

    def __repr__(self) -> str:
        return f"<MeshState of {self.here}: {self.view}>"

    @property
    def leader(self) -> InstanceId | None:
        """The candidate that has stood for longest."""
        if not self._candidates:
            return None
        return min(self._candidates, key=lambda candidate: (self._candidates[candidate], candidate))

    @property
    def is_leader(self) -> bool:
        return self.leader == self.here

    def key(self, table: str, name: str) -> str:
        """The key of a record of ours, in the registry."""
        return f"{self._prefix}{table}{name}"

    def copy_key(self, model: ModelId) -> str:
        """The key of this instance's copy of the model."""
        return self.key(COPIES, f"{model}/{self.here}")

    async def seen(self) -> None:
        """Wait until all tables have been read once."""
        for event in self._seen.values():
            await event.wait()

    def follow_in(self, owner: asyncio.TaskGroup) -> None:
        """Follow all tables until the owner ends."""
        for table, reset, change in (
            (INSTANCES, self._reset_instances, self._instance_changed),
            (COPIES, self._reset_copies, self._copy_changed),
            (LEADER, self._reset_candidates, self._candidate_changed),
        ):
            owner.create_task(self._follow(table, reset, change), name=f"follow {table}")

    async def _follow(
        self, table: str, reset: Callable[[list[Entry]], None], change: Callable[[Change], None]
    ) -> None:
        async for news in self._registry.follow(self._prefix + table):
            if isinstance(news, Reset):
                reset(list(news.entries or ()))
                self._seen[table].set()
            else:
                assert isinstance(news, Changes)
                for each in news.changes:
                    change(each)
            if table == INSTANCES:
                for tell in self.on_instances:
                    tell()

    # Instances.

    def _reset_instances(self, entries: list[Entry]) -> None:
        records = {}
        own = self.view.instances.get(self.here)
        if own is not None:
            records[self.here] = own.record
        for entry in entries:
            instance = InstanceId(self._name(INSTANCES, entry.key))
            record = _readable(decode_instance, entry)
            if record is not None and instance != self.here:
                records[instance] = record
        self.view.reset_instances(records)

    def _instance_changed(self, change: Change) -> None:
        instance = InstanceId(self._name(INSTANCES, change.key))
        if instance == self.here:
            self.on_own(change)
            return
        record = None if change.entry is None else _readable(decode_instance, change.entry)
        if record is not None:
            self.view.put_instance(instance, record)
        elif change.entry is None:
            log.info("an instance has left", extra={"left": instance})
            self.view.drop_instance(instance)

    # Copies.

    def _reset_copies(self, entries: list[Entry]) -> None:
        before = set(self.view.models())
        own = [(model, self.view.copies(model).get(self.here)) for model in list(self.view.models())]
        self.view.reset_copies()
        for model, record in own:
            if record is not None:
                self.view.put_copy(model, self.here, record)
        for entry in entries:
            self._put_copy(entry)
        for model in before.union(self.view.models()):
            self._tell_copies(model)

    def _copy_changed(self, change: Change) -> None:
        model, instance = self._copy_name(change.key)
        if instance == self.here:
            self.on_own(change)
            return
        if change.entry is None:
            self.view.drop_copy(model, instance)
        else:
            self._put_copy(change.entry)
        self._tell_copies(model)

    def _tell_copies(self, model: ModelId) -> None:
        for tell in self.on_copies:
            tell(model)

    def _put_copy(self, entry: Entry) -> None:
        model, instance = self._copy_name(entry.key)
        record = _readable(decode_copy, entry)
        if record is not None and instance != self.here:
            self.view.put_copy(model, instance, record)

    def _copy_name(self, key: str) -> tuple[ModelId, InstanceId]:
        model, _, instance = self._name(COPIES, key).rpartition("/")
        return ModelId(model), InstanceId(instance)

    # Candidates.

    def _reset_candidates(self, entries: list[Entry]) -> None:
        before = self.leader
        self._candidates = {self._candidate(entry.key): entry.create_revision for entry in entries}
        self._tell_leader(before)

    def _candidate_changed(self, change: Change) -> None:
        before, candidate = self.leader, self._candidate(change.key)
        if change.entry is None:
            self._candidates.pop(candidate, None)
        else:
            self._candidates[candidate] = change.entry.create_revision
        self._tell_leader(before)

    def _candidate(self, key: str) -> InstanceId:
        return InstanceId(self._name(LEADER, key))

    def _tell_leader(self, before: InstanceId | None) -> None:
        if self.leader != before:
            log.info("the mesh has a leader", extra={"leader": self.leader, "is_us": self.is_leader})

    def _name(self, table: str, key: str) -> str:
        return key.removeprefix(self._prefix + table)


def _readable(decode: Callable[[str, bytes], T | None], entry: Entry) -> T | None:
    """One bad record does not hide the others."""
    try:
        return decode(entry.key, entry.value)
    except RecordUnreadable as error:
        log.warning("a record is passed over", extra={"key": entry.key, "error": error.described})
        return None
