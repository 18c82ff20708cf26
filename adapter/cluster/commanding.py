"""What a person's commands need of a cluster: the part of `Cluster` that can be had from outside too."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from adapter.cluster.cluster import Changed, Listed
from adapter.domain.kinds import Key, Kind, Manifest


class Commanded(Protocol):
    """Each as `Cluster` has it; calls may raise `ClusterUnavailable` and `ClusterRefused`."""

    def follow(self, kind: Kind, *, namespace: str | None = None) -> AsyncIterator[Listed | Changed]:
        """First all objects, then each change."""
        ...

    async def get(self, key: Key) -> Manifest | None:
        """The object; None: there is none."""
        ...

    async def list(
        self, kind: Kind, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Manifest]:
        """All objects of a kind that have these labels."""
        ...

    async def apply(self, manifest: Manifest, kind: Kind) -> Manifest:
        """Have what it says."""
        ...

    async def delete(self, key: Key, *, uid: str = "") -> bool:
        """False: it is not there."""
        ...
