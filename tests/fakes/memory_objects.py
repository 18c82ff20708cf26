"""The objects of an API server in memory: what it adds to them, how they end, what it tells of them.

Unlike the real one it knows no schemas, a list belongs to one manager as a whole, a pod is gone as soon as it
is deleted, and what its controllers do (namespaces, owners) is done at once.
"""

import asyncio
import datetime as dt
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Final

import orjson

from adapter.cluster.cluster import ClusterRefused, KindMissing
from adapter.domain import kinds
from adapter.domain.kinds import Key, Kind, Manifest, key_of
from tests.fakes.owned_fields import Owners

KNOWN: Final = tuple(kind for kind in vars(kinds).values() if isinstance(kind, Kind))

WITHOUT_STATUS: Final = {
    *(kinds.CONFIG_MAP, kinds.SECRET, kinds.SERVICE_ACCOUNT, kinds.EVENT, kinds.LEASE),
    *(kinds.ENDPOINT_SLICE, kinds.NETWORK_POLICY, kinds.VALIDATING_WEBHOOK, kinds.MUTATING_WEBHOOK),
}
WITHOUT_GENERATION: Final = {kind for kind in KNOWN if not kind.group} | {kinds.LEASE}

SERVERS: Final = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
"""What of the metadata only the server writes."""

BEGAN: Final = dt.datetime.fromtimestamp(1_760_000_000, dt.UTC)

_revision = attrgetter("revision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One object: its JSON, and who owns which field."""

    content: bytes
    revision: int
    owners: Owners = field(default_factory=dict)

    def read(self) -> dict[str, Any]:
        """A copy of one's own."""
        manifest: dict[str, Any] = orjson.loads(self.content)
        return manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One object is another one now; None: it is gone."""

    revision: int
    key: Key
    stored: Stored | None


class MemoryObjects:
    """What all clients of one server share."""

    def __init__(self, namespaces: Sequence[str]) -> None:
        self.revision = 1
        self.compacted = 0
        self.installed: dict[tuple[str, str], Kind] = {(kind.api_version, kind.name): kind for kind in KNOWN}
        self.stored: dict[Key, Stored] = {}
        self._history: dict[Kind, list[Happened]] = {}
        self._owned: dict[Key, frozenset[str]] = {}
        """The uids of the owners of what has owners."""
        self._uids: set[str] = set()
        self._made = 0
        self._news = asyncio.Event()
        for namespace in namespaces:
            self.write(Key(kind=kinds.NAMESPACE, name=namespace), {"metadata": {"name": namespace}}, {})

    # Reading.

    def require(self, kind: Kind) -> None:
        """Raise `KindMissing` unless it is installed."""
        if kind not in self.installed.values():
            raise KindMissing(f"the cluster has no {kind.plural}.{kind.group}")

    def of_kind(self, kind: Kind, namespace: str | None) -> list[Stored]:
        return [stored for key, stored in self.stored.items() if _is_in(key, kind, namespace)]

    def after(self, revision: int, kind: Kind, namespace: str | None) -> Happened | None:
        """What happened next."""
        history = self._history.get(kind, [])
        first = bisect_right(history, revision, key=_revision)
        later = (history[place] for place in range(first, len(history)))
        return next((each for each in later if _is_in(each.key, kind, namespace)), None)

    async def something_happens(self) -> None:
        await self._news.wait()

    def tell(self) -> None:
        """Whoever waits looks again."""
        self._news.set()
        self._news = asyncio.Event()

    def compact(self) -> None:
        """What happened until now cannot be told any more."""
        self.compacted = self.revision
        self._history.clear()
        self.tell()

    # Writing.

    def write(self, key: Key, manifest: Mapping[str, Any], owners: Owners) -> Stored:
        """Have this there, with the metadata that are the server's; the same again is no change."""
        before = self.stored.get(key)
        after = self._stamped(key, manifest, before.read() if before else None)
        if before is not None and _same(before.read(), after):
            if before.owners != owners:
                self.stored[key] = before = replace(before, owners=owners)
            return before
        self.revision += 1
        after["metadata"]["resourceVersion"] = str(self.revision)
        stored = Stored(content=orjson.dumps(after), revision=self.revision, owners=owners)
        if after["metadata"].get("deletionTimestamp") and not after["metadata"].get("finalizers"):
            self._remove(key)
        else:
            self._keep(key, stored)
        self._collect()
        return stored

    def end(self, key: Key) -> None:
        """Remove it, or mark it and leave that to its finalizers."""
        manifest = self.stored[key].read()
        if not manifest["metadata"].get("finalizers"):
            self._remove(key)
        elif not manifest["metadata"].get("deletionTimestamp"):
            manifest["metadata"] |= {"deletionTimestamp": self._now(), "deletionGracePeriodSeconds": 0}
            if "generation" in manifest["metadata"]:
                manifest["metadata"]["generation"] += 1
            self.revision += 1
            manifest["metadata"]["resourceVersion"] = str(self.revision)
            owners = self.stored[key].owners
            self._keep(key, Stored(content=orjson.dumps(manifest), revision=self.revision, owners=owners))
        self._collect()

    def _stamped(self, key: Key, manifest: Manifest, before: dict[str, Any] | None) -> dict[str, Any]:
        after = {"apiVersion": key.kind.api_version, "kind": key.kind.name, **manifest}
        told = after["metadata"].items()
        metadata = {
            name: value for name, value in told if name not in SERVERS and value not in ({}, [], None)
        }
        metadata.pop("managedFields", None)
        if before is None:
            self._made += 1
            metadata |= {
                "uid": f"00000000-0000-4000-8000-{self._made:012d}",
                "creationTimestamp": self._now(),
            }
            generation = 1
        else:
            metadata |= {name: value for name, value in before["metadata"].items() if name in SERVERS}
            generation = before["metadata"].get("generation", 1) + (_wish(before) != _wish(after))
            if metadata.get("deletionTimestamp"):
                _refuse_new_finalizers(before["metadata"], metadata)
        if key.kind not in WITHOUT_GENERATION:
            metadata["generation"] = generation
        return {**after, "metadata": metadata}

    def _keep(self, key: Key, stored: Stored) -> None:
        manifest = stored.read()
        self.stored[key] = stored
        self._uids.add(manifest["metadata"]["uid"])
        owners = frozenset(owner["uid"] for owner in manifest["metadata"].get("ownerReferences") or ())
        if owners:
            self._owned[key] = owners
        else:
            self._owned.pop(key, None)
        if key.kind == kinds.CUSTOM_RESOURCE:
            self.installed |= _defined(manifest)
        self._happened(key, stored)

    def _remove(self, key: Key) -> None:
        manifest = self.stored.pop(key).read()
        self._owned.pop(key, None)
        self._uids.discard(manifest["metadata"]["uid"])
        self.revision += 1
        self._happened(key, None)
        if key.kind == kinds.NAMESPACE:
            self._end_all(lambda inner: inner.kind.namespaced and inner.namespace == key.name)
        if key.kind == kinds.CUSTOM_RESOURCE:
            gone = _defined(manifest)
            self._end_all(lambda inner: inner.kind in gone.values())
            self.installed = {each: kind for each, kind in self.installed.items() if each not in gone}

    def _end_all(self, is_meant: Any) -> None:
        for key in [key for key in self.stored if is_meant(key)]:
            if key in self.stored:
                self.end(key)

    def _collect(self) -> None:
        """End what has owners, and none of them is there."""
        for key, owners in list(self._owned.items()):
            if key in self._owned and not owners & self._uids:
                self._owned.pop(key)
                self.end(key)

    def _happened(self, key: Key, stored: Stored | None) -> None:
        happened = Happened(revision=self.revision, key=key, stored=stored)
        self._history.setdefault(key.kind, []).append(happened)
        self.tell()

    def _now(self) -> str:
        try:
            passed_s = asyncio.get_running_loop().time()
        except RuntimeError:  # a test prepares it before its loop runs
            passed_s = 0.0
        return (BEGAN + dt.timedelta(seconds=int(passed_s))).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_in(key: Key, kind: Kind, namespace: str | None) -> bool:
    return key.kind == kind and namespace in {None, key.namespace}


def _same(before: Manifest, after: dict[str, Any]) -> bool:
    revision = before["metadata"]["resourceVersion"]
    same_revision = {**after, "metadata": {**after["metadata"], "resourceVersion": revision}}
    return bool(before == orjson.loads(orjson.dumps(same_revision)))


def _wish(manifest: Manifest) -> Manifest:
    return {name: value for name, value in manifest.items() if name not in {"metadata", "status"}}


def _refuse_new_finalizers(before: Manifest, after: Manifest) -> None:
    if set(after.get("finalizers") or ()) - set(before.get("finalizers") or ()):
        raise ClusterRefused(
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted"
        )


def _defined(definition: Manifest) -> dict[tuple[str, str], Kind]:
    """The kinds of a CustomResourceDefinition."""
    spec = definition["spec"]
    found = [
        Kind(
            group=spec["group"],
            version=version["name"],
            name=spec["names"]["kind"],
            plural=spec["names"]["plural"],
            namespaced=spec.get("scope") != "Cluster",
        )
        for version in spec["versions"]
    ]
    return {(kind.api_version, kind.name): kind for kind in found}


def named(manifest: Manifest, kind: Kind) -> Key:
    """Its key. Raises `ClusterRefused` if it has none, or is of another kind."""
    told = (manifest.get("apiVersion", kind.api_version), manifest.get("kind", kind.name))
    if told != (kind.api_version, kind.name):
        raise ClusterRefused(f"this is a {told[1]} of {told[0]}, and no {kind.name} of {kind.api_version}")
    try:
        key = key_of(manifest, kind)
    except (KeyError, TypeError) as error:
        raise ClusterRefused(f"a {kind.name} must have a `metadata.name`") from error
    if kind.namespaced and not key.namespace:
        raise ClusterRefused(f"{key} must have a `metadata.namespace`")
    return key
