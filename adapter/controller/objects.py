"""The objects of one kind as they were heard last, each read once when it changes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from adapter.cluster.cluster import Changed, Listed
from adapter.controller.manifests.complaints import BadManifest
from adapter.domain.kinds import Key, Kind, Manifest, key_of

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Seen(Generic[S]):
    """One object, and what it says; None: it is none of ours."""

    key: Key
    manifest: Manifest
    read: S | BadManifest | None

    @property
    def spec(self) -> S | None:
        """What it says, if that can be read."""
        return None if isinstance(self.read, BadManifest) else self.read

    @property
    def complaint(self) -> BadManifest | None:
        """Why it cannot be read."""
        return self.read if isinstance(self.read, BadManifest) else None


@dataclass(frozen=True, slots=True)
class Turn(Generic[S]):
    """One object before and after a change; None: it was not there, or is gone."""

    key: Key
    before: Seen[S] | None
    after: Seen[S] | None


class Objects(Generic[S]):
    """All objects of a kind, by namespace and name."""

    def __init__(self, kind: Kind, read: Callable[[Manifest], S | None]) -> None:
        """`read` raises `BadManifest` for what it cannot read."""
        self.kind = kind
        self._read = read
        self._seen: dict[str, dict[str, Seen[S]]] = {}
        self._writing: set[Key] = set()
        self.is_listed = False
        """Whether everything that there is has been heard of."""

    def __len__(self) -> int:
        return sum(map(len, self._seen.values()))

    def __iter__(self) -> Iterator[Seen[S]]:
        for named in self._seen.values():
            yield from named.values()

    def get(self, namespace: str, name: str) -> Seen[S] | None:
        """None: there is none."""
        return self._seen.get(namespace, {}).get(name)

    def within(self, namespace: str) -> Iterator[Seen[S]]:
        """Those of one namespace."""
        yield from self._seen.get(namespace, {}).values()

    def hear(self, news: Listed | Changed, *, namespace: str | None = None) -> Sequence[Turn[S]]:
        """Take note; what has changed by it. A list is of this namespace, or of all."""
        if isinstance(news, Changed):
            return [] if self._is_outdated(news) else [*self._heard(news.key, news.manifest)]
        self.is_listed = True
        listed = {key_of(manifest, self.kind): manifest for manifest in news.objects}
        known = self if namespace is None else self.within(namespace)
        gone = [seen.key for seen in known if seen.key not in listed]
        turns = [turn for key in gone for turn in self._heard(key, None)]
        for key, manifest in listed.items():
            turns.extend(self._heard(key, manifest))
        return turns

    @contextmanager
    def writing(self, key: Key) -> Iterator[None]:
        """Inside, we change its status or the like: no news, and `written` says whether that was all."""
        self._writing.add(key)
        try:
            yield
        finally:
            self._writing.discard(key)

    def written(self, seen: Seen[S], answer: Manifest) -> Seen[S] | None:
        """The answer to what we wrote is known now, whether it was heard of or will be.

        None: somebody else has changed the object meanwhile, so it is to be looked at again.
        """
        named = self._seen.get(seen.key.namespace, {})
        known = named.get(seen.key.name)
        if known is seen and _same_wish(seen.manifest, answer):
            known = named[seen.key.name] = Seen(seen.key, answer, seen.read)
        is_latest = known is not None and _revision(known.manifest) == _revision(answer)
        return known if is_latest else None

    def _is_outdated(self, news: Changed) -> bool:
        """Whether more is known already: what we wrote is known before it is heard of."""
        known = self.get(news.key.namespace, news.key.name)
        if known is None or news.manifest is None:
            return False
        told, have = _revision(news.manifest), _revision(known.manifest)
        return told.isdecimal() and have.isdecimal() and int(told) < int(have)

    def _heard(self, key: Key, manifest: Manifest | None) -> Iterator[Turn[S]]:
        named = self._seen.setdefault(key.namespace, {})
        before = named.get(key.name)
        if manifest is None:
            if before is not None:
                del named[key.name]
                yield Turn(key, before, None)
            return
        if before is not None and _revision(before.manifest) == _revision(manifest) != "":
            return
        after = named[key.name] = self._seen_as(key, manifest, before)
        if not (key in self._writing and before is not None and before.read is after.read):
            yield Turn(key, before, after)

    def _seen_as(self, key: Key, manifest: Manifest, before: Seen[S] | None) -> Seen[S]:
        if before is not None and _same_wish(before.manifest, manifest):
            return Seen(key, manifest, before.read)
        try:
            return Seen(key, manifest, self._read(manifest))
        except BadManifest as error:
            return Seen(key, manifest, error)


def _revision(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("resourceVersion") or "")


_METADATA_READ = ("labels", "annotations", "deletionTimestamp", "uid")


def _same_wish(before: Manifest, after: Manifest) -> bool:
    """Whether nothing but the status and the like is different, which nobody reads as a wish."""
    return all(before["metadata"].get(name) == after["metadata"].get(name) for name in _METADATA_READ) and (
        all(before.get(part) == after.get(part) for part in ("spec", "data", "binaryData"))
    )
