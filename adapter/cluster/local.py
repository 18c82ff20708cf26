"""A cluster over a folder of manifests: what its files declare is there, and statuses are kept beside it.

To whoever uses it, it is an API server with optimistic locking, finalizers and watches; the folder is one
more client of it, which applies its files. There is one for each folder at a time (`up.mesh_folder` sees to
that); commands in other processes change the folder and read the state (`local_commands`).
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from adapter.aio.clock import Clock
from adapter.aio.file_changes import keep_looking
from adapter.cluster.cluster import Changed, ClusterRefused, KindMissing, Listed, ObjectConflict
from adapter.cluster.local_folder import Flaw, Found, Look, ManifestFolder, found_in
from adapter.cluster.local_kinds import KINDS, WITH_STATUS, NotAnObject, checked
from adapter.cluster.local_objects import GIVEN, Record, merge_patched
from adapter.cluster.local_records import Records
from adapter.cluster.local_state import StateFolder
from adapter.domain.kinds import NAMESPACE, PREDICTOR, Key, Kind, Manifest

log = logging.getLogger(__name__)

FOLDER: Final = "folder"
"""The manager that the files are."""
CALLER: Final = "remesh"
BUILT_IN: Final = "(built in)"
"""The source of what is there without being declared."""
_PREDICTOR_STATUS: Final = {
    "available": False,
    "transitionStatus": "UpToDate",
    "activeModelState": "Pending",
    "targetModelState": "",
    "failedCopies": 0,
    "totalCopies": 0,
    "grpcEndpoint": "",
    "httpEndpoint": "",
}
"""As its definition says for a new one (reference: serving controller 1.5)."""


def _as_declared(manifest: Manifest) -> Manifest:
    return manifest


class LocalCluster:
    """Call `start`, then keep `follow_folder` running; all else is a `Cluster`."""

    def __init__(
        self,
        folder: ManifestFolder,
        state: StateFolder,
        *,
        clock: Clock,
        built_in: Sequence[Manifest] = (),
        meant: Callable[[Manifest], Manifest] = _as_declared,
    ) -> None:
        """`built_in` is declared unless the folder declares an object of the same name.

        `meant` says what a declaration comes to on this machine; it is asked again whenever the folder is
        looked at.
        """
        self._folder = folder
        self._state = state
        self._clock = clock
        self._meant = meant
        self._built_in = dict(self._of_ours(manifest) for manifest in built_in)
        self._records = Records(state, clock=clock)
        self._flaws: tuple[Flaw, ...] | None = None

    def __repr__(self) -> str:
        return f"<LocalCluster of {self._folder.path}>"

    async def start(self) -> None:
        """Know what was known when it was last up, and what the folder declares now."""
        self._records.load()
        self.take(await asyncio.to_thread(self._folder.look))

    async def follow_folder(self) -> None:
        """Take up what changes in it; ends when cancelled."""

        async def look() -> None:
            self.take(await asyncio.to_thread(self._folder.look))

        await keep_looking([self._folder.path / "any"], look, clock=self._clock)

    def take(self, look: Look) -> None:
        """Have what the folder declares, and no more what it declared before.

        What was declared in a part of a file that cannot be read now stays: a slip deletes no model.
        """
        found = {**self._built_in, **look.found}
        for name in {self._folder.namespace, *(key.namespace for key in found if key.namespace)}:
            key, each = self._of_ours(_namespace(name))
            found.setdefault(key, each)
        for key, each in found.items():
            self._declare(key, each)
        for key, record in self._records.declared():
            if key not in found and not look.may_declare(record.source, key.name):
                left = replace(record, source="", digest="", applied={}) if record.has_finalizers else record
                self._records.go(key, left)
        self._tell_flaws(look.flaws)

    def _of_ours(self, manifest: Manifest) -> tuple[Key, Found]:
        return found_in(manifest, BUILT_IN, namespace=self._folder.namespace)

    def _declare(self, key: Key, found: Found) -> None:
        wish = _wish(self._meant(found.manifest), key.kind)
        record = self._records.get(key)
        if record is None:
            manifest = _with_status(wish, key.kind)
            applied = {FOLDER: wish}
            self._records.make(
                key, Record(manifest=manifest, applied=applied, source=found.source, digest=found.digest)
            )
        elif not record.is_deleted:  # once it is gone, it is made anew
            asked = replace(record, source=found.source, digest=found.digest)
            if asked != record or record.applied.get(FOLDER) != wish:
                self._records.apply(key, asked, wish, manager=FOLDER)

    def _tell_flaws(self, flaws: tuple[Flaw, ...]) -> None:
        for flaw in flaws:
            if flaw not in (self._flaws or ()):
                log.warning("bad manifest", extra={"error": str(flaw)})
        if flaws != self._flaws:
            self._state.tell_flaws(flaws)
        self._flaws = flaws

    # What a `Cluster` does.

    async def follow(
        self, kind: Kind, *, namespace: str | None = None
    ) -> AsyncGenerator[Listed | Changed, None]:
        """As the protocol has it; a kind that a local cluster does not have is waited for, in vain."""
        follower = self._records.follow(kind, namespace)
        try:
            if kind in KINDS:
                yield Listed(objects=[each.manifest for each in self._records.within(kind, namespace)])
            while True:
                for key in await follower.taken():
                    yield Changed(key=key, manifest=await self.get(key))
        finally:
            self._records.leave(kind, follower)

    async def get(self, key: Key) -> Manifest | None:
        record = self._records.get(key)
        return record.manifest if record else None

    async def list(
        self, kind: Kind, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Manifest]:
        """Raises `KindMissing`."""
        _known(kind)
        wanted = (labels or {}).items()
        return [
            record.manifest
            for record in self._records.within(kind, namespace)
            if wanted <= (record.manifest["metadata"].get("labels") or {}).items()
        ]

    async def create(self, manifest: Manifest, kind: Kind) -> Manifest:
        key, whole = self._checked(manifest, kind)
        if self._records.get(key) is not None:
            raise ObjectConflict(f"{key} is there already")
        return self._records.make(key, Record(manifest=_with_status(whole, kind)))

    async def replace(self, manifest: Manifest, kind: Kind) -> Manifest:
        key, whole = self._checked(manifest, kind)
        revision = manifest["metadata"].get("resourceVersion")
        if not revision:
            raise ClusterRefused(f"{key} is not replaced without metadata.resourceVersion")
        record = self._records.get(key)
        if record is None:
            raise ObjectConflict(f"{key} is gone")
        self._records.check_latest(key, record, revision)
        status = {"status": record.manifest["status"]} if "status" in record.manifest else {}
        return self._records.change(key, record, {**_without_status(whole, kind), **status})

    async def apply(self, manifest: Manifest, kind: Kind) -> Manifest:
        key, whole = self._checked(manifest, kind)
        record, wish = self._records.get(key), _wish(whole, kind)
        if record is not None:
            return self._records.apply(key, record, wish, manager=CALLER)
        return self._records.make(key, Record(manifest=_with_status(whole, kind), applied={CALLER: wish}))

    async def patch(self, key: Key, patch: Manifest) -> Manifest | None:
        return self._patch(key, {part: value for part, value in patch.items() if part != "status"})

    async def patch_status(self, key: Key, patch: Manifest) -> Manifest | None:
        revision = patch.get("metadata", {}).get("resourceVersion")
        expected = {"metadata": {"resourceVersion": revision}} if revision else {}
        return self._patch(key, {**expected, "status": patch.get("status", {})})

    def _patch(self, key: Key, patch: Manifest) -> Manifest | None:
        record = self._records.get(key)
        if record is None:
            return None
        revision = patch.get("metadata", {}).get("resourceVersion")
        if revision:
            self._records.check_latest(key, record, revision)
        return self._records.change(key, record, merge_patched(record.manifest, patch))

    async def delete(self, key: Key, *, uid: str = "") -> bool:
        record = self._records.get(key)
        if record is None or uid not in ("", record.manifest["metadata"]["uid"]):
            return False
        self._records.go(key, record)
        return True

    async def log_tail(self, key: Key, *, container: str, lines: int, previous: bool = False) -> str:  # noqa: ARG002
        """There are no pods."""
        return ""

    def _checked(self, manifest: Manifest, kind: Kind) -> tuple[Key, Manifest]:
        _known(kind)
        typed = {"apiVersion": kind.api_version, "kind": kind.name, **manifest}
        try:
            return checked(typed, namespace=self._folder.namespace)
        except NotAnObject as error:
            raise ClusterRefused(str(error)) from error


def _known(kind: Kind) -> None:
    if kind not in KINDS:
        raise KindMissing(f"a local cluster has no {kind.plural}")


def _namespace(name: str) -> Manifest:
    """Every namespace of a local cluster is served."""
    return {
        "apiVersion": NAMESPACE.api_version,
        "kind": NAMESPACE.name,
        "metadata": {"name": name, "labels": {"modelmesh-enabled": "true"}},
    }


def _without_status(manifest: Manifest, kind: Kind) -> Manifest:
    """What is written of the status by others than who owns it is passed over."""
    if kind not in WITH_STATUS:
        return manifest
    return {part: value for part, value in manifest.items() if part != "status"}


def _with_status(manifest: Manifest, kind: Kind) -> Manifest:
    bare = _without_status(manifest, kind)
    return {**bare, "status": _PREDICTOR_STATUS} if kind == PREDICTOR else bare


def _wish(manifest: Manifest, kind: Kind) -> Manifest:
    """What is asked for by it: not what only the cluster writes."""
    bare = _without_status(manifest, kind)
    metadata = {name: value for name, value in bare["metadata"].items() if name not in GIVEN}
    return {**bare, "metadata": metadata}
