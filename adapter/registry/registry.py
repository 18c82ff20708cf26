"""The seam of the stores that remember: bytes under keys, each with the revision of its last change.

The words are etcd's. A revision counts every commit of the whole store; a key's `mod_revision` is the
revision of the commit that wrote it last, and 0 stands for "there is no such key".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key with its value, and the revision that wrote it."""

    key: str
    value: bytes
    mod_revision: int


class Registry(Protocol):
    """Shared state with compare-and-set. Every call may raise `RegistryUnavailable`."""

    async def get(self, key: str) -> Entry | None:
        """The entry at this key."""
        ...

    async def scan(self, prefix: str, *, after: str = "", limit: int) -> Sequence[Entry]:
        """At most `limit` entries whose keys begin with `prefix` and come after `after`, in order of key."""
        ...

    async def commit(self, writes: Mapping[str, bytes | None], *, guards: Mapping[str, int]) -> int | None:
        """Write all (None deletes) if every guarded key still has the given `mod_revision`.

        Returns the new revision once it is durable, or None when a guard did not hold and so nothing was
        written.
        """
        ...
