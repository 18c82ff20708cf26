"""The objects of a cluster: Kubernetes' API, or a folder on this machine. A program is given one of them.

Objects are manifests (`domain.kinds`). Every call may raise `ClusterUnavailable`; what the API server says
no to is a `ClusterRefused` with its words.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from adapter.domain.errors import Broken, Code, Refused
from adapter.domain.kinds import Key, Kind, Manifest


class ClusterUnavailable(Broken):
    """The API server cannot be reached, or does not answer in time."""

    code = Code.UNAVAILABLE


class ClusterRefused(Refused):
    """The API server says no: the object is invalid, or this account may not do that."""


class ObjectConflict(ClusterRefused):
    """Somebody else changed the object meanwhile, or made one of this name; look again."""


class KindMissing(ClusterRefused):
    """The cluster does not know this kind: its custom resource definition is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """All objects there are; what was known before and is not among them is gone."""

    objects: Sequence[Manifest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One object is there now, as this says; None: it is gone."""

    key: Key
    manifest: Manifest | None


class Cluster(Protocol):
    """Reads, writes and watches objects."""

    def follow(self, kind: Kind, *, namespace: str | None = None) -> AsyncIterator[Listed | Changed]:
        """The objects of a kind: first a `Listed`, then each change as it comes, without gap.

        A further `Listed` comes when what happened in between cannot be told. Never raises and never ends:
        while the API server is away, the kind is not installed or not readable, it waits and tries again.
        `namespace` None: of all namespaces.
        """
        ...

    async def get(self, key: Key) -> Manifest | None:
        """The object; None: there is none."""
        ...

    async def list(
        self, kind: Kind, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Manifest]:
        """All objects of a kind that have these labels. Raises `KindMissing`."""
        ...

    async def create(self, manifest: Manifest, kind: Kind) -> Manifest:
        """One more object. Raises `ObjectConflict` if there is one of this name."""
        ...

    async def replace(self, manifest: Manifest, kind: Kind) -> Manifest:
        """In place of what is there. Raises `ObjectConflict` unless its `resourceVersion` is the latest."""
        ...

    async def apply(self, manifest: Manifest, kind: Kind) -> Manifest:
        """Server-side apply: these fields are ours and have these values; those of others stay.

        Fields that we applied before and that are not in it any more are removed.
        """
        ...

    async def patch(self, key: Key, patch: Manifest) -> Manifest | None:
        """JSON merge patch (RFC 7386); None: there is no such object.

        With `metadata.resourceVersion` in the patch: raises `ObjectConflict` unless that is the latest.
        """
        ...

    async def patch_status(self, key: Key, patch: Manifest) -> Manifest | None:
        """The same to the `status` part only: `{"status": ...}`."""
        ...

    async def delete(self, key: Key, *, uid: str = "") -> bool:
        """False: it is not there (or has another uid). What it owns goes in the background."""
        ...

    async def log_tail(self, key: Key, *, container: str, lines: int, previous: bool = False) -> str:
        """The last lines that a container of this pod wrote; empty if nobody knows."""
        ...
