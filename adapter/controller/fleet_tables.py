"""The objects of one kind as a fleet hears of them, each kept as the few facts that count."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from adapter.cluster.cluster import Changed, Listed
from adapter.domain.kinds import Key, Kind, Manifest, key_of

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Turn(Generic[F]):
    """One object before and after; None: it was not there, is gone, or does not concern us."""

    key: Key
    before: F | None
    after: F | None


class Table(Generic[F]):
    """Facts by namespace and name."""

    def __init__(
        self,
        kind: Kind,
        read: Callable[[Manifest], F | None],
        *,
        is_newer: Callable[[F, F], bool] = lambda _after, _before: True,
    ) -> None:
        """`is_newer`: whether the first may take the place of the second."""
        self.kind = kind
        self._read = read
        self._is_newer = is_newer
        self._rows: dict[str, dict[str, F]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def of(self, namespace: str) -> Mapping[str, F]:
        """Those of a namespace, by name."""
        return self._rows.get(namespace, {})

    def drop(self, namespace: str) -> None:
        """Those of this namespace are followed no more."""
        self._rows.pop(namespace, None)

    def hear(self, news: Listed | Changed, *, namespace: str | None) -> list[Turn[F]]:
        """What has changed by it; a `Listed` is all there is of the namespace, or of all (None)."""
        if isinstance(news, Changed):
            turns = [self.put(news.key, news.manifest)]
        else:
            there = {key_of(manifest, self.kind): manifest for manifest in news.objects}
            gone = [key for key in self._keys(namespace) if key not in there]
            turns = [self.put(key, manifest) for key, manifest in there.items()]
            turns += [self.put(key, None) for key in gone]
        return [turn for turn in turns if turn.before != turn.after]

    def put(self, key: Key, manifest: Manifest | None) -> Turn[F]:
        """The object as it is; None: it is gone."""
        rows = self._rows.setdefault(key.namespace, {})
        before, after = rows.get(key.name), None if manifest is None else self._read(manifest)
        if before is not None and after is not None and not self._is_newer(after, before):
            after = before
        if after is None:
            rows.pop(key.name, None)
        else:
            rows[key.name] = after
        if not rows:
            del self._rows[key.namespace]
        return Turn(key, before, after)

    def _keys(self, namespace: str | None) -> Iterator[Key]:
        for place in list(self._rows) if namespace is None else [namespace]:
            for name in self.of(place):
                yield Key(kind=self.kind, name=name, namespace=place)
