from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.domain.errors import RegistryUnavailable
from adapter.registry.sqlite_store import SCHEMA_VERSION, SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore.open(tmp_path / "mm.registry") as store:
        yield store


def put(store: SqliteStore, **values: bytes | None) -> int | None:
    with store.transaction():
        return store.commit(values, guards={})


def columns(store: SqliteStore, key: str) -> tuple[int, int, int]:
    statement = "SELECT create_revision, mod_revision, version FROM entries WHERE key = ?"
    row: tuple[int, int, int]
    [row] = store._connection.execute(statement, (key.encode(),))
    return row


def test_an_empty_store_has_revision_1_as_in_etcd(store: SqliteStore) -> None:
    assert put(store) == 1
    assert put(store, iris=b"1") == 2


def test_a_key_knows_its_creation_its_last_change_and_how_often_it_was_written(store: SqliteStore) -> None:
    put(store, iris=b"1")
    put(store, iris=b"2", mnist=b"1")
    put(store, iris=b"3")
    assert columns(store, "iris") == (2, 4, 3)
    assert columns(store, "mnist") == (3, 3, 1)


def test_what_is_created_anew_begins_anew(store: SqliteStore) -> None:
    put(store, iris=b"1")
    put(store, iris=None)
    put(store, iris=b"2")
    assert columns(store, "iris") == (4, 4, 1)


def test_commits_of_one_transaction_have_revisions_of_their_own(store: SqliteStore) -> None:
    with store.transaction():
        revisions = [store.commit({key: b"1"}, guards={key: 0}) for key in ("iris", "mnist", "iris")]
    assert revisions == [2, 3, None]


def test_of_a_transaction_that_fails_nothing_stays(store: SqliteStore) -> None:
    def half() -> None:
        with store.transaction():
            store.commit({"iris": b"1"}, guards={})
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half()
    with store.transaction():
        assert store.get("iris") is None
        assert store.commit({"mnist": b"1"}, guards={}) == 2


def test_the_schema_that_is_made_is_the_one_that_is_asked_for(store: SqliteStore) -> None:
    [(version,)] = store._connection.execute("PRAGMA user_version")
    assert version == SCHEMA_VERSION


def test_a_commit_is_synced_before_it_is_done(store: SqliteStore) -> None:
    [(synchronous,)] = store._connection.execute("PRAGMA synchronous")
    [(journal_mode,)] = store._connection.execute("PRAGMA journal_mode")
    assert (synchronous, journal_mode) == (2, "wal")


def test_a_file_is_opened_once(store: SqliteStore) -> None:
    with pytest.raises(RegistryUnavailable, match="in use"), SqliteStore.open(store._path):
        pass


def test_a_file_that_may_not_be_written_is_told(store: SqliteStore) -> None:
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(RegistryUnavailable, match="belong to this user"):
        put(store, iris=b"1")
