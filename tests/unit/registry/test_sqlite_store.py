from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.domain.errors import RegistryUnavailable
from adapter.registry.key_range import KeyRange
from adapter.registry.sqlite_store import Committed, LeaseChange, Row, SqliteStore
from adapter.stubs.etcd import kv_pb2

EVERY_KEY = KeyRange(b"", b"")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore.open(tmp_path / "mm.registry") as store:
        yield store


def put(store: SqliteStore, **values: bytes | None) -> Committed:
    """Write, or delete what is None, in one revision."""
    with store.transaction() as done, store.change():
        write(store, **values)
    return done


def write(store: SqliteStore, **values: bytes | None) -> None:
    for key, value in values.items():
        before = store.get(key.encode())
        if value is not None:
            store.put(key.encode(), value, lease=0, before=before)
        elif before is not None:
            store.delete(before)


def test_an_empty_store_has_revision_1_as_in_etcd(store: SqliteStore) -> None:
    assert store.revision == 1
    put(store)
    assert store.revision == 1
    put(store, iris=b"1")
    assert store.revision == 2


def test_a_key_knows_its_creation_its_last_change_and_how_often_it_was_written(store: SqliteStore) -> None:
    put(store, iris=b"1")
    put(store, iris=b"2", mnist=b"1")
    put(store, iris=b"3")
    assert store.rows(EVERY_KEY) == [Row(b"iris", b"3", 2, 4, 3, 0), Row(b"mnist", b"1", 3, 3, 1, 0)]


def test_what_is_created_anew_begins_anew(store: SqliteStore) -> None:
    for value in (b"1", None, b"2"):
        put(store, iris=value)
    assert store.get(b"iris") == Row(b"iris", b"2", 4, 4, 1, 0)


def test_changes_of_one_transaction_have_revisions_of_their_own(store: SqliteStore) -> None:
    with store.transaction() as done:
        for key in ("iris", "mnist"):
            with store.change():
                write(store, **{key: b"1"})
    assert [each.number for each in done.revisions] == [2, 3]
    assert store.history.last == 3


def test_of_a_transaction_that_fails_nothing_stays(store: SqliteStore) -> None:
    with store.transaction():
        store.grant(1, 60)

    def half() -> None:
        with store.transaction():
            with store.change():
                write(store, iris=b"1")
            store.end_lease(1)
            store.grant(1, 5)
            store.grant(2, 60)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half()
    with store.transaction():
        assert store.get(b"iris") is None
    assert (store.revision, store.history.last, store.leases) == (1, 1, {1: 60})


def test_a_change_says_what_was_and_what_is(store: SqliteStore) -> None:
    put(store, iris=b"1")
    [revision] = put(store, iris=b"2").revisions
    [happened] = revision.events
    event = kv_pb2.Event.FromString(happened.event + happened.before)
    assert (happened.key, event.kv.value, event.prev_kv.value) == (b"iris", b"2", b"1")
    [revision] = put(store, iris=None).revisions
    event = kv_pb2.Event.FromString(revision.events[0].event)
    assert event == kv_pb2.Event(type=kv_pb2.Event.DELETE, kv=kv_pb2.KeyValue(key=b"iris", mod_revision=4))


def test_what_keys_had_been_can_be_told_within_a_change_as_well(store: SqliteStore) -> None:
    put(store, a=b"1", b=b"1")
    with store.transaction():
        with store.change():
            write(store, a=b"2")
        with store.change():
            write(store, a=None, c=b"1")
            changed = store.changed_after(2, EVERY_KEY)
            assert changed == {b"a": Row(b"a", b"1", 2, 2, 1, 0), b"c": None}
            assert store.changed_after(3, KeyRange.asked(b"a", b"")) == {b"a": Row(b"a", b"2", 2, 3, 2, 0)}
            assert (store.revision, store.revision_now) == (3, 4)


def test_ranges_stop_at_their_end_and_their_limit(store: SqliteStore) -> None:
    put(store, a=b"", b=b"", c=b"", d=b"")
    assert [row.key for row in store.rows(KeyRange(b"b", b"d"))] == [b"b", b"c"]
    assert [row.key for row in store.rows(KeyRange(b"b", b""), limit=2)] == [b"b", b"c"]
    assert (store.count(KeyRange(b"b", b"d")), store.count(KeyRange(b"b", b""))) == (2, 3)


def test_a_range_is_read_by_the_keys_alone(store: SqliteStore) -> None:
    put(store, **{f"{number:03}": b"x" * 1000 for number in range(100)})
    steps = []
    store._connection.set_progress_handler(lambda: steps.append(1), 10)
    store.rows(KeyRange(b"000", b"001"))
    assert len(steps) < 10, "it has looked at all of them"


def test_a_lease_knows_what_was_written_under_it(store: SqliteStore) -> None:
    with store.transaction() as done:
        store.grant(7, 60)
    assert done.leases == [LeaseChange(7, 60, lives=True)]
    with store.transaction(), store.change():
        for key in (b"b", b"a"):
            store.put(key, b"1", lease=7, before=None)
    put(store, c=b"1", d=b"1")
    put(store, b=b"without")
    assert [row.key for row in store.lease_rows(7)] == [b"a"]
    assert store.lease_rows(0) == []
    with store.transaction() as done:
        store.end_lease(7)
    assert done.leases == [LeaseChange(7, 60, lives=False)]
    assert not store.has_lease(7)


def test_a_file_that_may_not_be_written_is_told(store: SqliteStore) -> None:
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(RegistryUnavailable, match="belong to this user"):
        put(store, iris=b"1")
