"""The local cluster for commands in other processes: wishes go into the folder, facts are in the state.

The one who looks after the folder takes up what is written there; `apply` waits until it has.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Final

from watchfiles import awatch

from adapter.aio.clock import Clock
from adapter.cluster.cluster import Changed, ClusterRefused, ClusterUnavailable, KindMissing, Listed
from adapter.cluster.local_folder import Flaw, ManifestFolder
from adapter.cluster.local_kinds import KINDS, NotAnObject, checked
from adapter.cluster.local_objects import Record
from adapter.cluster.local_state import StateFolder
from adapter.domain.kinds import Key, Kind, Manifest, key_of

TAKEN_S_MAX: Final = 15.0
"""So long it may take until what is declared is there; the folder is looked at every ten seconds at least."""
LOOK_EVERY_S: Final = 0.05
WATCH_MS: Final = 100
CHECK_MS: Final = 2_000
"""Changes that the watcher missed are seen after so long."""


class LocalCommands:
    """What a `Commanded` does, over the two folders."""

    def __init__(self, folder: ManifestFolder, state: StateFolder, *, clock: Clock) -> None:
        self._folder = folder
        self._state = state
        self._clock = clock

    def __repr__(self) -> str:
        return f"<LocalCommands of {self._folder.path}>"

    def flaws(self) -> tuple[Flaw, ...]:
        """What is wrong with the folder's files."""
        return self._state.flaws()

    async def follow(
        self, kind: Kind, *, namespace: str | None = None
    ) -> AsyncGenerator[Listed | Changed, None]:
        """As `Cluster` has it."""
        _known(kind)
        known = self._manifests(kind, namespace)
        yield Listed(objects=list(known.values()))
        changes = awatch(
            self._state.of(kind), watch_filter=None, step=WATCH_MS, ignore_permission_denied=True
        )
        async with aclosing(changes):
            async for _ in changes:
                now = self._manifests(kind, namespace)
                for key in known.keys() | now.keys():
                    if known.get(key) != now.get(key):
                        yield Changed(key=key, manifest=now.get(key))
                known = now

    async def get(self, key: Key) -> Manifest | None:
        record = self._state.read(key)
        return record.manifest if record else None

    async def list(
        self, kind: Kind, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Manifest]:
        """Raises `KindMissing`."""
        _known(kind)
        wanted = (labels or {}).items()
        return [
            manifest
            for manifest in self._manifests(kind, namespace).values()
            if wanted <= (manifest["metadata"].get("labels") or {}).items()
        ]

    async def apply(self, manifest: Manifest, kind: Kind) -> Manifest:
        """Declared in the folder, and taken up from there.

        Raises `ClusterRefused`, or `ClusterUnavailable` if nobody takes it up.
        """
        _known(kind)
        try:
            key, whole = checked(manifest, namespace=self._folder.namespace)
        except NotAnObject as error:
            raise ClusterRefused(str(error)) from error
        with self._alone():
            found = await asyncio.to_thread(self._folder.put, whole)
        record = await self._taken(key, found.digest)
        if record is None:
            raise ClusterUnavailable(
                f"{key} is declared in {self._folder.path / found.source} now, and was not taken up within "
                f"{TAKEN_S_MAX:g} s; is `remesh up` busy?"
            )
        return record.manifest

    async def delete(self, key: Key, *, uid: str = "") -> bool:
        """Declared no more. Raises `ClusterRefused` for what no file declares."""
        record = self._state.read(key)
        if record is None or uid not in ("", record.manifest["metadata"]["uid"]):
            return False
        with self._alone():
            removed = await asyncio.to_thread(self._folder.remove, key)
        if not removed and not record.is_deleted:
            raise ClusterRefused(
                f"{key} is in no file of {self._folder.path}: the mesh itself has it there; "
                "a runtime is put out of use by applying one of this name with `disabled: true`"
            )
        return True

    async def _taken(self, key: Key, digest: str) -> Record | None:
        ends_s = self._clock.now_s() + TAKEN_S_MAX
        while self._clock.now_s() < ends_s:
            record = self._state.read(key)
            if record is not None and record.digest == digest and not record.is_deleted:
                return record
            await self._clock.sleep(LOOK_EVERY_S)
        return None

    def _manifests(self, kind: Kind, namespace: str | None) -> Mapping[Key, Manifest]:
        records = self._state.all(kind, namespace=namespace)
        return {key_of(record.manifest, kind): record.manifest for record in records}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other command changes the folder inside the block."""
        lock = os.open(Path(self._state.path) / "commands.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _known(kind: Kind) -> None:
    if kind not in KINDS:
        raise KindMissing(f"a local cluster has no {kind.plural}")
