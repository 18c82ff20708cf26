"""What happened lately, by revision: for watches that resume, and for pages that were begun a moment ago.

It is bounded in revisions and bytes, and it is kept in memory only: after a restart everything before is
"compacted", and clients read anew. The thread of the store appends what is on the disk, and any thread reads.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Final, NamedTuple

REVISIONS_MAX: Final = 100_000
BYTES_MAX: Final = 16 * 1024 * 1024

EVENT_OVERHEAD_BYTES: Final = 300
"""What an event takes in memory beside its bytes: five objects."""

FORGET_AT_ONCE: Final = 0.1
"""The part that is forgotten when a bound is reached, so that it is not done for every commit."""


class Happened(NamedTuple):
    """What became of one key: etcd's `Event`, encoded in two parts that make one message when joined."""

    key: bytes
    event: bytes
    """Its type, and the key and value as they are now."""
    before: bytes
    """The key and value as they were, or nothing."""


class Revision(NamedTuple):
    """All that one commit did, in its order."""

    number: int
    events: Sequence[Happened]


class History:
    """Every revision from `first` on, of a store whose revision was given when this was made."""

    def __init__(
        self, revision: int, *, revisions_max: int = REVISIONS_MAX, bytes_max: int = BYTES_MAX
    ) -> None:
        self._lock = Lock()
        self._revisions: list[Revision] = []
        self._first = revision + 1
        self._readable = revision
        self._compacted = revision - 1
        self._bytes = 0
        self._revisions_max = revisions_max
        self._bytes_max = bytes_max

    def __repr__(self) -> str:
        return f"<History of revisions {self.first} to {self.last}, about {self._bytes} bytes>"

    @property
    def first(self) -> int:
        """The oldest revision whose events are known; maybe one that is still to come."""
        return self._first

    @property
    def last(self) -> int:
        """The revision of the store: what is on the disk, and may be told."""
        with self._lock:
            return self._first + len(self._revisions) - 1

    @property
    def readable(self) -> int:
        """The oldest revision at which the store can still be read."""
        return self._readable

    @property
    def compacted(self) -> int:
        """No compaction can be asked for at this revision, nor before it."""
        return self._compacted

    def append(self, revisions: Iterable[Revision]) -> None:
        """What is on the disk now; each revision is the next one."""
        with self._lock:
            for revision in revisions:
                self._revisions.append(revision)
                self._bytes += _size_bytes(revision)
            if len(self._revisions) > self._revisions_max or self._bytes > self._bytes_max:
                self._make_room()

    def since(self, revision: int, *, limit: int = REVISIONS_MAX) -> Sequence[Revision] | None:
        """At most so many revisions, from this one on. None: some of them are forgotten."""
        with self._lock:
            start = revision - self._first
            return None if start < 0 else self._revisions[start : start + limit]

    def compact(self, revision: int) -> None:
        """Forget what was before this revision; it can still be read, and watched from."""
        with self._lock:
            self._forget(bisect_left(self._revisions, revision, key=lambda each: each.number))
            self._readable = max(self._readable, revision)
            self._compacted = max(self._compacted, revision)

    def _make_room(self) -> None:
        """The last revision stays, however large: who has followed so far is to hear of it."""
        revisions_max = self._revisions_max * (1 - FORGET_AT_ONCE)
        bytes_max = self._bytes_max * (1 - FORGET_AT_ONCE)
        count, left_bytes = 0, self._bytes
        for revision in self._revisions[:-1]:
            if len(self._revisions) - count <= revisions_max and left_bytes <= bytes_max:
                break
            left_bytes -= _size_bytes(revision)
            count += 1
        self._forget(count)
        self._readable = max(self._readable, self._first - 1)
        self._compacted = max(self._compacted, self._first - 2)

    def _forget(self, count: int) -> None:
        self._bytes -= sum(map(_size_bytes, self._revisions[:count]))
        del self._revisions[:count]
        self._first += count


def _size_bytes(revision: Revision) -> int:
    return sum(
        EVENT_OVERHEAD_BYTES + len(each.key) + len(each.event) + len(each.before) for each in revision.events
    )
