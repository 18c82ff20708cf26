"""The seam of the stores: what one is, what a connection to it can do, and what one pull asks for."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteObject:
    """One object of a store, as a listing tells of it."""

    key: str
    size_bytes: int
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """A resolved storage: its type and fields, after overrides.

    Its `repr` names the fields and never their values: they are credentials.
    """

    type: str
    fields: Mapping[str, object] = field(default_factory=dict)
    secret_key: str | None = None
    """The key of `storage-config` that it came from, for messages."""

    def __repr__(self) -> str:
        return f"<StorageConfig {self.type} from {self.secret_key or 'parameters'}: {sorted(self.fields)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullTarget:
    """One remote path (an object, or the prefix of many) and the local name it gets."""

    remote_path: str
    local_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullCommand:
    """All that one pull needs: from which storage, which paths, into which folder."""

    storage: StorageConfig
    targets: tuple[PullTarget, ...]
    folder: Path
    """Appears by one rename once every byte is there; until then it does not exist."""


Progress = Callable[[int], None]
"""Told how many further bytes have arrived; called from the event loop's thread."""


class RepositoryClient(Protocol):
    """A connection to one store. Cancelling a call stops the transfer within one chunk."""

    @property
    def described(self) -> str:
        """The store as a URI without credentials, for messages: `s3://bucket at http://host:port`."""
        ...

    def objects(self, prefix: str) -> AsyncIterator[RemoteObject]:
        """Everything whose key begins with `prefix`, whatever the number."""
        ...

    async def fetch(
        self,
        source: RemoteObject,
        into: Path,
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Write the bytes `start` to `end` (exclusive; None: to the end) at the same place in `into`.

        Raises `ObjectMissing`, `StorageAccessDenied`, `StorageUnreachable` or `DiskFull`.
        """
        ...


class StorageProvider(Protocol):
    """A kind of store."""

    type: str

    def client(self, storage: StorageConfig) -> RepositoryClient:
        """A connection, shared by all who ask with the same settings. Raises `StorageKeyUnknown`."""
        ...
