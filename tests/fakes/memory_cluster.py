"""A cluster in memory: proven against `tests/contracts/cluster.py`, as the one over an API server is."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import orjson

from adapter.cluster.cluster import (
    Changed,
    ClusterRefused,
    ClusterUnavailable,
    Listed,
    ObjectConflict,
)
from adapter.domain import kinds
from adapter.domain.kinds import Key, Kind, Manifest
from tests.fakes.memory_objects import WITHOUT_STATUS, MemoryObjects, Stored, named
from tests.fakes.owned_fields import applied, merged, updated


class MemoryCluster:
    """One client of a server in memory; `another` gives the next one.

    While `away` is set, every call of this client raises `ClusterUnavailable`, and what it follows waits.
    `writes` has each write that it made, `(verb, key)`, also those that changed nothing. `before` is called
    ahead of each write: it may raise what the server is to say, or change the object first, as others do.
    """

    def __init__(self, *, namespaces: Sequence[str] = ("default",), manager: str = "remesh") -> None:
        self._objects = MemoryObjects(namespaces)
        self._manager = manager
        self._away = False
        self.writes: list[tuple[str, Key]] = []
        self.before: Callable[[str, Key], None] | None = None
        self.logs: dict[tuple[Key, str, bool], str] = {}
        """By pod, container, and whether it is the log of the one before the last restart."""

    def another(self, manager: str) -> "MemoryCluster":
        """Another client of the same server."""
        other = MemoryCluster(manager=manager)
        other._objects, other.logs = self._objects, self.logs
        return other

    @property
    def away(self) -> bool:
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        self._away = away
        self._objects.tell()

    # What a test does to it, without waiting.

    def put(self, manifest: Manifest, kind: Kind | None = None) -> Manifest:
        """Have exactly this there, its status too, whatever was there; what the server writes, it writes."""
        kind = kind or self._objects.installed[manifest["apiVersion"], manifest["kind"]]
        key = named(manifest, kind)
        self._require_namespace(key)
        before = self._objects.stored.get(key)
        old = before.read() if before else {}
        owners = updated(old, manifest, before.owners if before else {}, manager="test")
        return self._objects.write(key, deepcopy(dict(manifest)), owners).read()

    def now(self, key: Key) -> dict[str, Any] | None:
        """The object as it is; None: there is none."""
        stored = self._objects.stored.get(key)
        return stored.read() if stored else None

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        """All objects of a kind, in the order of their making."""
        return [stored.read() for stored in self._objects.of_kind(kind, None)]

    def drop(self, key: Key) -> None:
        """Delete it, as `delete` does; its finalizers hold it."""
        self._objects.end(key)

    def install(self, kind: Kind) -> None:
        """The kind is known from now on."""
        self._objects.installed[kind.api_version, kind.name] = kind
        self._objects.tell()

    def uninstall(self, kind: Kind) -> None:
        """The kind is not known any more; its objects are as good as gone."""
        self._objects.installed.pop((kind.api_version, kind.name), None)
        self._objects.tell()

    def compact(self) -> None:
        """What happened until now cannot be told any more; who has not heard it is given everything anew."""
        self._objects.compact()

    # The seam: reading.

    async def follow(self, kind: Kind, *, namespace: str | None = None) -> AsyncIterator[Listed | Changed]:
        objects, seen = self._objects, -1
        while True:
            is_known = kind in objects.installed.values()
            if not is_known:
                seen = -1
            if is_known and not self.away:
                if seen < objects.compacted:
                    seen = objects.revision
                    yield Listed(objects=[stored.read() for stored in objects.of_kind(kind, namespace)])
                    continue
                if (happened := objects.after(seen, kind, namespace)) is not None:
                    seen = happened.revision
                    yield Changed(
                        key=happened.key, manifest=happened.stored.read() if happened.stored else None
                    )
                    continue
            await objects.something_happens()

    async def get(self, key: Key) -> Manifest | None:
        self._answers()
        stored = self._found(key)
        return stored.read() if stored else None

    async def list(
        self, kind: Kind, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Manifest]:
        self._answers()
        self._objects.require(kind)
        wanted = (labels or {}).items()
        found = [stored.read() for stored in self._objects.of_kind(kind, namespace)]
        return [each for each in found if wanted <= (each["metadata"].get("labels") or {}).items()]

    async def log_tail(self, key: Key, *, container: str, lines: int, previous: bool = False) -> str:
        self._answers()
        return "\n".join(self.logs.get((key, container, previous), "").splitlines()[-lines:])

    # The seam: writing.

    async def create(self, manifest: Manifest, kind: Kind) -> Manifest:
        key = self._about_to("create", named(manifest, kind))
        self._objects.require(kind)
        self._require_namespace(key)
        if key in self._objects.stored:
            raise ObjectConflict(f"{key} is there already")
        made = self._without_status(kind, manifest)
        return self._objects.write(key, made, updated({}, made, {}, manager=self._manager)).read()

    async def replace(self, manifest: Manifest, kind: Kind) -> Manifest:
        key = self._about_to("replace", named(manifest, kind))
        self._objects.require(kind)
        if not manifest["metadata"].get("resourceVersion"):
            raise ClusterRefused(f"what replaces {key} must have the `resourceVersion` of what is there")
        if (stored := self._found(key)) is None:
            raise ObjectConflict(f"{key} is gone")
        self._require_latest(key, stored, manifest)
        return self._update(key, stored, self._without_status(kind, manifest, stored))

    async def apply(self, manifest: Manifest, kind: Kind) -> Manifest:
        key = self._about_to("apply", named(manifest, kind))
        self._objects.require(kind)
        self._require_namespace(key)
        stored = self._found(key)
        if stored is not None or manifest["metadata"].get("resourceVersion"):
            self._require_latest(key, stored, manifest)
        before = stored.read() if stored else {"metadata": _name_of(key)}
        wanted = self._without_status(kind, manifest)
        after, owners = applied(before, stored.owners if stored else {}, wanted, manager=self._manager)
        return self._objects.write(key, after, owners).read()

    async def patch(self, key: Key, patch: Manifest) -> Manifest | None:
        self._about_to("patch", key)
        if (stored := self._found(key)) is None:
            return None
        self._require_latest(key, stored, patch)
        after = merged(stored.read(), patch)
        if named(after, key.kind) != key:
            raise ClusterRefused(f"{key} cannot be renamed")
        return self._update(key, stored, self._without_status(key.kind, after, stored))

    async def patch_status(self, key: Key, patch: Manifest) -> Manifest | None:
        self._about_to("patch_status", key)
        if (stored := self._found(key)) is None or key.kind in WITHOUT_STATUS:
            return None
        self._require_latest(key, stored, patch)
        before = stored.read()
        status = merged(before, {"status": patch["status"]} if "status" in patch else {}).get("status")
        after = {name: value for name, value in before.items() if name != "status"}
        return self._update(key, stored, after if status is None else {**after, "status": status})

    async def delete(self, key: Key, *, uid: str = "") -> bool:
        self._about_to("delete", key)
        stored = self._found(key)
        if stored is None or uid not in {"", stored.read()["metadata"]["uid"]}:
            return False
        self._objects.end(key)
        return True

    # Inside.

    def _answers(self) -> None:
        if self.away:
            raise ClusterUnavailable("the API server does not answer")

    def _about_to(self, verb: str, key: Key) -> Key:
        self._answers()
        if self.before is not None:
            self.before(verb, key)
        self.writes.append((verb, key))
        return key

    def _found(self, key: Key) -> Stored | None:
        return self._objects.stored.get(key) if key.kind in self._objects.installed.values() else None

    def _require_namespace(self, key: Key) -> None:
        namespace = Key(kind=kinds.NAMESPACE, name=key.namespace)
        if key.kind.namespaced and namespace not in self._objects.stored:
            raise ClusterRefused(f'{key}: namespaces "{key.namespace}" not found')

    def _require_latest(self, key: Key, stored: Stored | None, told: Manifest) -> None:
        version = (told.get("metadata") or {}).get("resourceVersion")
        if version and (stored is None or version != str(stored.revision)):
            raise ObjectConflict(f"{key} has changed meanwhile")

    def _without_status(self, kind: Kind, manifest: Manifest, stored: Stored | None = None) -> dict[str, Any]:
        """The status stays what it is; it is written on its own."""
        try:
            after: dict[str, Any] = orjson.loads(orjson.dumps(manifest))
        except TypeError as error:
            raise ClusterRefused(f"a {kind.name} must be JSON: {error}") from error
        if kind not in WITHOUT_STATUS:
            after.pop("status", None)
            if stored is not None and "status" in (before := stored.read()):
                after["status"] = before["status"]
        return after

    def _update(self, key: Key, stored: Stored, after: dict[str, Any]) -> Manifest:
        owners = updated(stored.read(), after, stored.owners, manager=self._manager)
        return self._objects.write(key, after, owners).read()


def _name_of(key: Key) -> dict[str, Any]:
    return {"name": key.name, **({"namespace": key.namespace} if key.namespace else {})}
