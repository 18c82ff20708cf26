"""The file of the embedded registry: opened, locked for one process, checked, and brought up to date.

Foreign errors become `RegistryUnavailable`, which says what to do.
"""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from adapter.domain.errors import RegistryUnavailable

SCHEMA_VERSION: Final = 2

STEPS: Final = (
    # A new file takes every step, so that it cannot differ from one that was brought up to date.
    """
    CREATE TABLE entries (
        key BLOB PRIMARY KEY, value BLOB NOT NULL,
        create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL, version INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE store (revision INTEGER NOT NULL);
    INSERT INTO store VALUES (1);
    """,
    """
    ALTER TABLE entries ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX leased ON entries (lease) WHERE lease <> 0;
    CREATE TABLE leases (id INTEGER PRIMARY KEY, ttl_s INTEGER NOT NULL);
    ALTER TABLE store ADD COLUMN cluster_id INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE store ADD COLUMN member_id INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE store ADD COLUMN raft_term INTEGER NOT NULL DEFAULT 1;
    """,
)
"""What leads from each version of the schema to the next, from an empty file on."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file, or make it and its folder; it is this thread's alone. Raises `RegistryUnavailable`."""
    with our_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        with our_words(path):
            _lock(connection)
            _check(path, connection)
            _bring_up_to_date(path, connection)
        yield connection
    finally:
        with our_words(path):
            connection.close()


@contextmanager
def our_words(path: Path) -> Iterator[None]:
    """While inside, what goes wrong with the file is said in our words. Raises `RegistryUnavailable`."""
    try:
        yield
    except sqlite3.Error as error:
        raise _unavailable(path, error) from error
    except OSError as error:
        raise RegistryUnavailable(
            f"the folder of the registry file {path} cannot be made: {error.strerror}; name another"
        ) from error


def _lock(connection: sqlite3.Connection) -> None:
    for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute("BEGIN IMMEDIATE")  # takes the lock, which stays until the file is closed
    connection.execute("COMMIT")


def _check(path: Path, connection: sqlite3.Connection) -> None:
    [(complaint,)] = connection.execute("PRAGMA quick_check(1)")
    if complaint != "ok":
        raise _damaged(path, complaint)


def _bring_up_to_date(path: Path, connection: sqlite3.Connection) -> None:
    [(version,)] = connection.execute("PRAGMA user_version")
    is_anothers = version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    if is_anothers or not 0 <= version <= SCHEMA_VERSION:
        raise RegistryUnavailable(
            f"the registry file {path} is another program's, or of another version (its schema is {version}, "
            f"ours {SCHEMA_VERSION}); name another file, or start the version that wrote it"
        )
    if version < SCHEMA_VERSION:
        steps = "".join(STEPS[version:])
        connection.executescript(f"BEGIN; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        connection.execute("UPDATE store SET cluster_id = ?, member_id = ?", (_random_id(), _random_id()))
    # As after an election: by this, clients can tell one run of the server from another.
    connection.execute("UPDATE store SET raft_term = raft_term + 1")


def _random_id() -> int:
    return secrets.randbits(62) + 1


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
