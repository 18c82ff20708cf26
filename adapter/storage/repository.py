"""The seam of the stores: what one is, what a connection to it can do, and what one pull asks for."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable


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

    def text(self, name: str) -> str | None:
        """A field's value; None if it is absent, or no string (reference: runtime adapter 2.3)."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None

    @property
    def origin(self) -> str:
        """Where the settings are from, for messages."""
        return f"storage key '{self.secret_key}'" if self.secret_key else "storage parameters alone"

    def __repr__(self) -> str:
        return f"<StorageConfig {self.type} from {self.secret_key or 'parameters'}: {sorted(self.fields)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullTarget:
    """One remote path (an object, or the prefix of many) and the local name it gets."""

    remote_path: str
    local_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullCommand:
    """What one pull is to bring: which paths of a store, into which folder."""

    targets: tuple[PullTarget, ...]
    folder: Path
    """Appears by one rename once every byte is there; until then it does not exist."""


Progress = Callable[[int], None]
"""Told how many further bytes have arrived; called from the event loop's thread."""


class RepositoryClient(Protocol):
    """A connection to one store. Cancelling a call stops the transfer within one chunk."""

    @property
    def described(self) -> str:
        """Which endpoint, with which secret key (its name), for messages."""
        ...

    def uri(self, path: str) -> str:
        """Where `path` is, without credentials, for messages: `s3://bucket/path`."""
        ...

    def objects(self, prefix: str) -> AsyncGenerator[RemoteObject]:
        """Everything whose key begins with `prefix`, whatever the number, in the order of the keys.

        A caller that has seen enough closes the generator; what it did not ask for is not listed.
        """
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

        The file is made if it is not there; what it holds after an error is not defined. Raises
        `ObjectMissing`, `StorageAccessDenied`, `StorageUnreachable` (also when the object is no longer the
        one that was listed) or `DiskFull`.
        """
        ...


@runtime_checkable
class MountedFolder(Protocol):
    """A store whose files lie on this machine already: they are linked, and nothing is pulled."""

    @property
    def described(self) -> str:
        """As `RepositoryClient.described`."""
        ...

    def uri(self, path: str) -> str:
        """As `RepositoryClient.uri`."""
        ...

    def locate(self, path: str) -> Path:
        """The absolute place of `path`, with no link on the way to it. Looks at the disk, so not on the loop.

        Raises `ObjectMissing`, also for a place that is not within the store.
        """
        ...


class StorageProvider(Protocol):
    """A kind of store."""

    async def client(self, storage: StorageConfig) -> RepositoryClient | MountedFolder:
        """A connection, shared by all who ask with the same settings.

        Raises `StorageKeyUnknown` naming the field that is missing or wrong.
        """
        ...
