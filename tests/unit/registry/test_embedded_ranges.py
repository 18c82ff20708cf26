"""What is read at which revision is held against a model in `test_embedded_calls.py`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.registry.embedded_checks import Refusal
from adapter.registry.embedded_ranges import answer_range, check_revision
from adapter.registry.sqlite_store import SqliteStore
from adapter.stubs.etcd.rpc_pb2 import RangeRequest

ASCEND, DESCEND = RangeRequest.ASCEND, RangeRequest.DESCEND


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """With c, a, b, which were written in this order, and b once more."""
    with SqliteStore.open(tmp_path / "mm.registry") as store, store.transaction():
        for key, value in ((b"c", b"1"), (b"a", b"3"), (b"b", b"0"), (b"b", b"2")):
            with store.change():
                store.put(key, value, lease=0, before=store.get(key))
        yield store


def read(store: SqliteStore, **more: Any) -> tuple[str, bool, int]:
    """The keys, whether more follow, and how many there are."""
    answer = answer_range(store, RangeRequest(key=b"\x00", range_end=b"\x00", **more))
    return "".join(kv.key.decode() for kv in answer.kvs), answer.more, answer.count


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        pytest.param(RangeRequest.KEY, "abc", id="key"),
        pytest.param(RangeRequest.CREATE, "cab", id="creation"),
        pytest.param(RangeRequest.MOD, "cab", id="last change"),
        pytest.param(RangeRequest.VALUE, "cba", id="value"),
    ],
)
def test_a_range_can_be_sorted(store: SqliteStore, target: int, wanted: str) -> None:
    for order in (RangeRequest.NONE, ASCEND):
        assert read(store, sort_target=target, sort_order=order) == (wanted, False, 3)
    assert read(store, sort_target=target, sort_order=DESCEND) == (wanted[::-1], False, 3)
    assert read(store, sort_target=target, sort_order=DESCEND, limit=1) == (wanted[2], True, 3)


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        pytest.param({"min_mod_revision": 3}, "ab", id="changed since"),
        pytest.param({"max_mod_revision": 3}, "ac", id="not changed since"),
        pytest.param({"min_create_revision": 3, "max_create_revision": 3}, "a", id="made then"),
    ],
)
def test_a_range_can_be_filtered(store: SqliteStore, bounds: dict[str, int], wanted: str) -> None:
    assert read(store, **bounds) == (wanted, False, 3)


def test_pages_of_the_past_are_whole_though_much_was_written_since(store: SqliteStore) -> None:
    with store.change():
        for key in (b"c", b"a"):
            row = store.get(key)
            assert row is not None
            store.delete(row)
        store.put(b"aa", b"", lease=0, before=None)
    assert read(store, revision=5, limit=2) == ("ab", True, 3)
    assert read(store, revision=4, limit=3) == ("abc", False, 3)
    assert read(store, revision=3, count_only=True) == ("", False, 2)
    assert read(store) == ("aab", False, 2)


def test_only_what_is_known_can_be_read(store: SqliteStore) -> None:
    for revision in (-1, 0, 1, 5):
        check_revision(store, RangeRequest(key=b"a", revision=revision))
    with pytest.raises(Refusal, match="is a future revision"):
        check_revision(store, RangeRequest(key=b"a", revision=6))
