"""The thread that owns the registry's file, in real time, and what can be wrong with the file."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from adapter.domain.errors import RegistryUnavailable
from adapter.registry import embedded
from adapter.registry.embedded import StoreThread
from adapter.registry.embedded_calls import grant, put, range_
from adapter.registry.embedded_checks import Refusal
from adapter.registry.sqlite_store import Committed, SqliteStore
from adapter.stubs.etcd import rpc_pb2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "mm.registry"


def putting(thread: StoreThread, key: str, value: bytes = b"1", *, lease: int = 0) -> Awaitable[Any]:
    request = rpc_pb2.PutRequest(key=key.encode(), value=value, lease=lease)
    return thread.ask(lambda store: put(store, request))


async def keys(thread: StoreThread) -> list[str]:
    request = rpc_pb2.RangeRequest(key=b"\x00", range_end=b"\x00")
    return [kv.key.decode() for kv in (await thread.ask(lambda store: range_(store, request))).kvs]


async def test_what_was_answered_is_there_after_a_restart(path: Path) -> None:
    async with StoreThread.open(path) as thread:
        revision = (await putting(thread, "iris")).header.revision
        await thread.ask(lambda store: grant(store, rpc_pb2.LeaseGrantRequest(ID=7, TTL=60)))
    async with StoreThread.open(path) as thread:
        assert await keys(thread) == ["iris"]
        assert thread.opened.leases == {7: 60}
        assert (await putting(thread, "mnist")).header.revision == revision + 1


async def test_a_file_that_is_no_registry_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(RegistryUnavailable, match="is damaged"):
        async with StoreThread.open(path):
            pass
    assert path.read_bytes() == b"not a database" * 1000


async def test_a_file_that_was_damaged_is_refused(path: Path) -> None:
    async with StoreThread.open(path) as thread:
        await asyncio.gather(*(putting(thread, f"m/{number}", b"x" * 100) for number in range(1000)))
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xa5" * 8192
    path.write_bytes(content)
    with pytest.raises(RegistryUnavailable, match=r"is damaged .* register the models again"):
        async with StoreThread.open(path):
            pass


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryUnavailable, match="folder"):
        async with StoreThread.open(tmp_path / "file" / "mm.registry"):
            pass


async def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RegistryUnavailable, match="cannot be opened"):
        async with StoreThread.open(tmp_path):
            pass


async def test_a_full_disk_is_told_and_what_was_written_before_stays(path: Path) -> None:
    async with StoreThread.open(path) as thread:
        told: list[Committed] = []
        await putting(thread, "iris")
        await thread.ask(lambda store: store._connection.execute("PRAGMA max_page_count = 9").fetchall())
        thread.listen(told.append)
        with pytest.raises(RegistryUnavailable, match="is full; make room"):
            await putting(thread, "big", b"x" * 100_000)
        assert await keys(thread) == ["iris"]
        assert (await putting(thread, "iris")).header.revision == 3
    assert [each.number for done in told for each in done.revisions] == [3]


async def test_what_waits_when_it_is_closed_is_still_done(path: Path) -> None:
    async with StoreThread.open(path) as thread:
        writes = [asyncio.ensure_future(putting(thread, f"{number:02}")) for number in range(100)]
        await asyncio.wait(writes[:1], return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*writes)
    async with StoreThread.open(path) as thread:
        assert len(await keys(thread)) == 100


async def test_after_closing_every_call_is_refused_and_no_thread_is_left(path: Path) -> None:
    threads = threading.active_count()
    async with StoreThread.open(path) as thread:
        assert threading.active_count() == threads + 1
    assert threading.active_count() == threads
    with pytest.raises(RegistryUnavailable, match="closed"):
        await keys(thread)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_a_caller_that_leaves_disturbs_nobody(path: Path) -> None:
    async with StoreThread.open(path) as thread:
        leaving = asyncio.ensure_future(putting(thread, "iris"))
        staying = asyncio.ensure_future(putting(thread, "mnist"))
        await asyncio.wait([asyncio.ensure_future(keys(thread))], timeout=0)
        leaving.cancel()
        assert await staying


async def test_a_call_that_is_refused_is_refused_alone(path: Path) -> None:
    async with StoreThread.open(path) as thread:
        calls = (putting(thread, f"{number}", lease=number % 2) for number in range(10))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(outcome, Refusal) for outcome in outcomes] == [False, True] * 5
        assert await keys(thread) == ["0", "2", "4", "6", "8"]


async def test_too_many_calls_at_once_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PENDING_MAX", 2)
    async with StoreThread.open(path) as thread:
        release = threading.Event()
        calls: list[asyncio.Future[Any]] = [asyncio.ensure_future(thread.ask(lambda _: release.wait(10)))]
        calls += [asyncio.ensure_future(keys(thread)) for _ in range(10)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        release.set()
        await asyncio.gather(*calls, return_exceptions=True)
    assert all("too many requests" in str(each.exception()) for each in done)


async def test_calls_at_once_share_syncs_and_each_has_a_revision(path: Path) -> None:
    async with StoreThread.open(path) as thread:
        statements: list[str] = []
        await thread.ask(lambda store: store._connection.set_trace_callback(statements.append))
        answers = await asyncio.gather(*(putting(thread, f"{number}") for number in range(500)))
        await thread.ask(lambda store: store._connection.set_trace_callback(None))
    assert statements.count("COMMIT") < 20
    assert [each.header.revision for each in answers] == list(range(2, 502))


async def test_who_listens_hears_of_what_was_done_before_it_is_answered(path: Path) -> None:
    async with StoreThread.open(path) as thread:
        heard: list[int] = []
        thread.listen(lambda done: heard.extend(each.number for each in done.revisions))
        for number in range(2, 10):
            revision = (await putting(thread, "iris")).header.revision
            assert heard[-1] == revision == thread.opened.history.last == number


async def test_an_error_of_ours_is_told_to_all_who_share_the_transaction(path: Path) -> None:
    def broken(_: SqliteStore) -> None:
        raise ZeroDivisionError

    async with StoreThread.open(path) as thread:
        with pytest.raises(ZeroDivisionError):
            await thread.ask(broken)
        assert await keys(thread) == []


async def test_a_file_of_the_first_version_keeps_its_registrations(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.executescript("""
            CREATE TABLE entries (
                key BLOB PRIMARY KEY, value BLOB NOT NULL,
                create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL, version INTEGER NOT NULL
            ) WITHOUT ROWID;
            CREATE TABLE store (revision INTEGER NOT NULL);
            INSERT INTO store VALUES (41);
            INSERT INTO entries VALUES (CAST('iris' AS BLOB), CAST('{}' AS BLOB), 5, 40, 3);
            PRAGMA user_version = 1;
        """)
    connection.close()
    for revision in (42, 43):
        async with StoreThread.open(path) as thread:
            found = await thread.ask(lambda store: store.get(b"iris"))
            assert found == (b"iris", b"{}", 5, 40, 3, 0)
            assert (await putting(thread, "mnist")).header.revision == revision
