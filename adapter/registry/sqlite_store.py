"""Keys, values and revisions in one SQLite file: the synchronous half of the embedded registry.

Everything happens inside `transaction()`. Foreign errors become `RegistryUnavailable`, which says what to do.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from adapter.domain.errors import RegistryUnavailable
from adapter.registry.registry import Entry

SCHEMA_VERSION: Final = 1
SCHEMA: Final = """
    BEGIN;
    CREATE TABLE entries (
        key BLOB PRIMARY KEY, value BLOB NOT NULL,
        create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL, version INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE store (revision INTEGER NOT NULL);
    INSERT INTO store VALUES (1);
    PRAGMA user_version = 1;
    COMMIT;
"""

PUT: Final = """
    INSERT INTO entries VALUES (:key, :value, :revision, :revision, 1)
    ON CONFLICT (key) DO UPDATE SET value = :value, mod_revision = :revision, version = version + 1
"""
SCAN: Final = """
    SELECT key, value, mod_revision FROM entries
    WHERE key >= :prefix AND key > :after AND (:end = x'' OR key < :end) ORDER BY key LIMIT :limit
"""


class SqliteStore:
    """One open file. To be used by the thread that opened it, and by no other."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._revision: int
        [(self._revision,)] = connection.execute("SELECT revision FROM store")

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path} at revision {self._revision}>"

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open the file, or make it and its folder. Raises `RegistryUnavailable`."""
        with _our_words(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            with _our_words(path):
                _prepare(path, connection)
                store = cls(path, connection)
            yield store
        finally:
            with _our_words(path):
                connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that happens inside is on the disk afterwards, or nothing of it when an error leaves this."""
        before = self._revision
        with _our_words(self._path):
            self._connection.execute("BEGIN")
            try:
                yield
                if self._revision != before:
                    self._connection.execute("UPDATE store SET revision = ?", (self._revision,))
                self._connection.execute("COMMIT")
            except BaseException:
                self._revision = before
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def get(self, key: str) -> Entry | None:
        found = self._connection.execute(
            "SELECT key, value, mod_revision FROM entries WHERE key = ?", (_bytes(key),)
        ).fetchone()
        return None if found is None else _entry(*found)

    def scan(self, prefix: str, *, after: str, limit: int) -> Sequence[Entry]:
        start = _bytes(prefix)
        wanted = {"prefix": start, "after": _bytes(after), "end": _end_of(start), "limit": limit}
        return [_entry(*found) for found in self._connection.execute(SCAN, wanted)]

    def commit(self, writes: Mapping[str, bytes | None], *, guards: Mapping[str, int]) -> int | None:
        """See `Registry.commit`. What changes nothing has no revision of its own, as in etcd."""
        if any(self._mod_revision(key) != revision for key, revision in guards.items()):
            return None
        revision, changed = self._revision + 1, 0
        for key, value in writes.items():
            row = {"key": _bytes(key), "value": value, "revision": revision}
            statement = "DELETE FROM entries WHERE key = :key" if value is None else PUT
            changed += self._connection.execute(statement, row).rowcount
        if changed:
            self._revision = revision
        return self._revision

    def _mod_revision(self, key: str) -> int:
        found = self._connection.execute("SELECT mod_revision FROM entries WHERE key = ?", (_bytes(key),))
        revision: int
        [(revision,)] = found.fetchall() or [(0,)]
        return revision


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    """Lock the file for this process, and see to it that it is what we take it for."""
    for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute("BEGIN IMMEDIATE")  # takes the lock, which stays until the file is closed
    connection.execute("COMMIT")
    [(complaint,)] = connection.execute("PRAGMA quick_check(1)")
    if complaint != "ok":
        raise _damaged(path, complaint)
    [(version,)] = connection.execute("PRAGMA user_version")
    if version == 0 and not connection.execute("SELECT 1 FROM sqlite_master").fetchall():
        connection.executescript(SCHEMA)
    elif version != SCHEMA_VERSION:
        raise RegistryUnavailable(
            f"the registry file {path} is another program's, or of another version (its schema is {version}, "
            f"ours {SCHEMA_VERSION}); name another file, or start the version that wrote it"
        )


@contextmanager
def _our_words(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _unavailable(path, error) from error
    except OSError as error:
        raise RegistryUnavailable(
            f"the folder of the registry file {path} cannot be made: {error.strerror}; name another"
        ) from error


def _unavailable(path: Path, error: sqlite3.Error) -> RegistryUnavailable:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the upper bits only say more
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return RegistryUnavailable(
                f"the registry file {path} is in use by another process; "
                "stop that one, or give this one a file of its own"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _damaged(path, str(error))
        case sqlite3.SQLITE_FULL:
            return RegistryUnavailable(f"the disk of the registry file {path} is full; make room on it")
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return RegistryUnavailable(
                f"the registry file {path} cannot be opened or written ({error}); "
                "check that it and its folder belong to this user"
            )
        case _:
            return RegistryUnavailable(f"the registry file {path} cannot be used: {error}; check its disk")


def _damaged(path: Path, complaint: str) -> RegistryUnavailable:
    return RegistryUnavailable(
        f"the registry file {path} is damaged ({' '.join(complaint.split())}); put a backup in its place, "
        f"or move it and {path.name}-wal away and register the models again"
    )


def _bytes(key: str) -> bytes:
    """Keys are bytes, in whose order they are scanned. Whatever text Python has can be a key."""
    return key.encode("utf-8", "surrogatepass")


def _end_of(prefix: bytes) -> bytes:
    """The first key after all that begin with the prefix; empty: there is no such key."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else b""


def _entry(key: bytes, value: bytes, mod_revision: int) -> Entry:
    return Entry(key=key.decode("utf-8", "surrogatepass"), value=value, mod_revision=mod_revision)
