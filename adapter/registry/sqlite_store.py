"""Keys, values, revisions and leases in one SQLite file: the synchronous half of the embedded registry.

Everything happens inside `transaction()`, what changes something inside `change()` in it, which is one
revision. Revisions count as etcd's do: an empty store has revision 1, each change that changes something
adds 1, and every key keeps the revisions of its creation and of its last change, and counts its writes.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple, Self

from adapter.registry.embedded_history import Happened, History, Revision
from adapter.registry.key_range import KeyRange
from adapter.registry.sqlite_file import opened, our_words
from adapter.stubs.etcd import kv_pb2

PUT: Final = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)"
GET: Final = "SELECT * FROM entries WHERE key = ?"
# For ranges with an end and without; one condition for both would not let SQLite stop at the end.
ROWS: Final = {
    True: "SELECT * FROM entries WHERE key >= :start AND key < :end ORDER BY key LIMIT :limit",
    False: "SELECT * FROM entries WHERE key >= :start ORDER BY key LIMIT :limit",
}
COUNT: Final = {
    True: "SELECT COUNT(*) FROM entries WHERE key >= :start AND key < :end",
    False: "SELECT COUNT(*) FROM entries WHERE key >= :start",
}
# `lease <> 0` lets SQLite use the index.
UNDER_LEASE: Final = "SELECT * FROM entries WHERE lease = ? AND lease <> 0 ORDER BY key"


class Row(NamedTuple):
    """A key as it stands; the columns of the table in their order."""

    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int

    def as_message(self) -> kv_pb2.KeyValue:
        return kv_pb2.KeyValue(
            key=self.key,
            value=self.value,
            create_revision=self.create_revision,
            mod_revision=self.mod_revision,
            version=self.version,
            lease=self.lease,
        )

    @classmethod
    def of(cls, kv: kv_pb2.KeyValue) -> Self:
        """What the message says."""
        return cls(kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the store says it is, in the header of each answer."""

    cluster_id: int
    member_id: int
    raft_term: int
    """Higher in each run."""


class LeaseChange(NamedTuple):
    """A lease was granted, or has ended."""

    lease: int
    ttl_s: int
    """What it lives when nobody keeps it alive."""
    lives: bool


@dataclass(slots=True)
class Committed:
    """What a transaction did, in its order."""

    revisions: list[Revision] = field(default_factory=list)
    leases: list[LeaseChange] = field(default_factory=list)


class SqliteStore:
    """One open file. To be used by the thread that opened it, and by no other."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._revision: int
        [(self._revision, cluster_id, member_id, raft_term)] = connection.execute(
            "SELECT revision, cluster_id, member_id, raft_term FROM store"
        )
        self.identity = Identity(cluster_id=cluster_id, member_id=member_id, raft_term=raft_term)
        self.history = History(self._revision)
        self._leases: dict[int, int] = dict(connection.execute("SELECT id, ttl_s FROM leases"))
        self._pending = Committed()
        self._events: list[Happened] = []

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path} at revision {self._revision}>"

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open the file, or make it and its folder. Raises `RegistryUnavailable`."""
        with opened(path) as connection:
            with our_words(path):
                store = cls(path, connection)
            yield store

    @contextmanager
    def transaction(self) -> Iterator[Committed]:
        """All that happens inside is on the disk afterwards, or nothing of it when an error leaves this.

        What it gives says what happened, and is complete afterwards.
        """
        revision = self._revision
        self._pending = done = Committed()
        with our_words(self._path):
            self._connection.execute("BEGIN")
            try:
                yield done
                if self._revision != revision:
                    self._connection.execute("UPDATE store SET revision = ?", (self._revision,))
                self._connection.execute("COMMIT")
            except BaseException:
                self._revision = revision
                self._undo_leases(done)
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._pending = Committed()
        self.history.append(done.revisions)

    @contextmanager
    def change(self) -> Iterator[None]:
        """All that is written inside has one revision; if nothing is, there is none."""
        self._events = []
        yield
        if self._events:
            self._revision += 1
            self._pending.revisions.append(Revision(self._revision, self._events))
            self._events = []

    # Reading.

    @property
    def revision(self) -> int:
        """The last one; what is being written has the next."""
        return self._revision

    @property
    def revision_now(self) -> int:
        """The one that a reader sees: the next one, as soon as something has been written in this change."""
        return self._revision + bool(self._events)

    def get(self, key: bytes) -> Row | None:
        found = self._connection.execute(GET, (key,)).fetchone()
        return None if found is None else Row(*found)

    def rows(self, keys: KeyRange, *, limit: int | None = None) -> Sequence[Row]:
        """The first of these keys, in order."""
        wanted = {"start": keys.start, "end": keys.end, "limit": -1 if limit is None else limit}
        return list(map(Row._make, self._connection.execute(ROWS[bool(keys.end)], wanted)))

    def count(self, keys: KeyRange) -> int:
        count: int
        [(count,)] = self._connection.execute(COUNT[bool(keys.end)], keys._asdict())
        return count

    def changed_after(self, revision: int, keys: KeyRange) -> dict[bytes, Row | None]:
        """What those of these keys that were written after this revision had been then; None: not there.

        The revision must be one that `history` can still tell.
        """
        known = self.history.since(revision + 1)
        assert known is not None, "the caller has looked at history.readable"
        pending = [*self._pending.revisions, Revision(self._revision + 1, self._events)]
        before: dict[bytes, bytes] = {}
        for happened in chain(known, (each for each in pending if each.number > revision)):
            for event in happened.events:
                if event.key in keys:
                    before.setdefault(event.key, event.before)
        return {
            key: Row.of(kv_pb2.Event.FromString(was).prev_kv) if was else None for key, was in before.items()
        }

    # Writing.

    def put(self, key: bytes, value: bytes, *, lease: int, before: Row | None) -> None:
        """Write a key, which had been so before."""
        revision = self._revision + 1
        if before is None:
            row = Row(key, value, revision, revision, 1, lease)
        else:
            row = Row(key, value, before.create_revision, revision, before.version + 1, lease)
        self._connection.execute(PUT, row)
        self._happened(kv_pb2.Event(type=kv_pb2.Event.PUT, kv=row.as_message()), before)

    def delete(self, row: Row) -> None:
        """Delete a key, which is so."""
        self._connection.execute("DELETE FROM entries WHERE key = ?", (row.key,))
        gone = kv_pb2.KeyValue(key=row.key, mod_revision=self._revision + 1)
        self._happened(kv_pb2.Event(type=kv_pb2.Event.DELETE, kv=gone), row)

    def _happened(self, event: kv_pb2.Event, before: Row | None) -> None:
        was = b"" if before is None else kv_pb2.Event(prev_kv=before.as_message()).SerializeToString()
        self._events.append(Happened(event.kv.key, event.SerializeToString(), was))

    # Leases.

    @property
    def leases(self) -> dict[int, int]:
        """Every lease, with its seconds."""
        return dict(self._leases)

    def has_lease(self, lease: int) -> bool:
        return lease in self._leases

    def lease_rows(self, lease: int) -> Sequence[Row]:
        """What was written under the lease, in order of key."""
        return list(map(Row._make, self._connection.execute(UNDER_LEASE, (lease,))))

    def grant(self, lease: int, ttl_s: int) -> None:
        self._connection.execute("INSERT INTO leases VALUES (?, ?)", (lease, ttl_s))
        self._leases[lease] = ttl_s
        self._pending.leases.append(LeaseChange(lease, ttl_s, lives=True))

    def end_lease(self, lease: int) -> None:
        """Forget the lease; what was written under it is deleted by the caller, in the same transaction."""
        self._connection.execute("DELETE FROM leases WHERE id = ?", (lease,))
        self._pending.leases.append(LeaseChange(lease, self._leases.pop(lease), lives=False))

    def _undo_leases(self, done: Committed) -> None:
        for change in reversed(done.leases):
            if change.lives:
                del self._leases[change.lease]
            else:
                self._leases[change.lease] = change.ttl_s
