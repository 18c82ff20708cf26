"""The seam of the stores that remember: bytes under keys, each with the revision of its last change.

The words are etcd's. A revision counts every commit of the whole store; a key's `mod_revision` is the
revision of the commit that wrote it last, and 0 stands for "there is no such key". A key that was written
under a lease vanishes when the lease expires or is revoked.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key with its value, and the revision that wrote it."""

    key: str
    value: bytes
    mod_revision: int
    create_revision: int = 0
    """The revision that wrote it first; orders the candidates of an election."""
    lease: int = 0
    """0: it stays until it is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one key."""

    key: str
    entry: Entry | None
    """None: it was deleted, or its lease has ended."""
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Whatever was known before may be wrong: these, and no others, are the entries at this revision."""

    entries: Sequence[Entry] | None
    """None: it was not asked for them."""
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What happened since, in order; never empty."""

    changes: Sequence[Change]


class LeaseLost(Exception):
    """The lease has expired, or was revoked; what was written under it is gone."""


class Registry(Protocol):
    """Shared state with compare-and-set. Every call but `follow` may raise `RegistryUnavailable`."""

    async def get(self, key: str) -> Entry | None:
        """The entry at this key, as of a moment after the call began."""
        ...

    async def scan(self, prefix: str, *, after: str = "", limit: int) -> Sequence[Entry]:
        """At most `limit` entries whose keys begin with `prefix` and come after `after`, in order of key."""
        ...

    async def count(self, prefix: str) -> int:
        """How many keys begin with `prefix`."""
        ...

    async def commit(
        self, writes: Mapping[str, bytes | None], *, guards: Mapping[str, int], lease: int = 0
    ) -> int | None:
        """Write all (None deletes) if every guarded key still has the given `mod_revision`.

        Returns the new revision once it is durable, or None when a guard did not hold and so nothing was
        written. With a `lease`, what is written vanishes with it; raises `LeaseLost` if that has ended.
        """
        ...

    def follow(self, prefix: str, *, contents: bool = True) -> AsyncIterator[Reset | Changes]:
        """What happens below `prefix`: first a `Reset`, then `Changes` as they come, without gap.

        A further `Reset` comes when what happened in between cannot be told (it was compacted, or this is
        another store than before). Never raises and never ends: while the registry is away it waits.
        Without `contents` a `Reset` carries no entries: for those who only need to know what is outdated.
        """
        ...

    async def grant(self, ttl_s: int) -> int:
        """A new lease, which lives so long after it was granted or last kept alive."""
        ...

    async def keep_alive(self, lease: int) -> None:
        """The lease lives on for its whole time. Raises `LeaseLost`."""
        ...

    async def revoke(self, lease: int) -> None:
        """The lease ends, and all that was written under it is gone; one that has ended is fine."""
        ...
