"""The registry in a SQLite file, in real time: it has a thread."""

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapter.domain.errors import RegistryUnavailable
from adapter.registry import embedded
from adapter.registry.embedded import EmbeddedRegistry
from tests.contracts.registry import RegistryContract

OPENED_BY_ANOTHER = """
    import asyncio, sys
    from pathlib import Path
    from adapter.registry.embedded import EmbeddedRegistry

    async def main():
        async with EmbeddedRegistry.open(Path(sys.argv[1])) as registry:
            number = 0
            while True:
                number += 1
                await registry.commit({f"m/{number:06}": b"1", f"n/{number:06}": b"1"}, guards={})
                print(number, flush=True)

    asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "mm.registry"


class TestEmbeddedRegistry(RegistryContract):
    @pytest.fixture
    async def registry(self, path: Path) -> AsyncIterator[EmbeddedRegistry]:
        async with EmbeddedRegistry.open(path) as registry:
            yield registry


def another_process(path: Path) -> subprocess.Popen[str]:
    """A process that writes to the file for ever, and has begun to."""
    program = [sys.executable, "-c", textwrap.dedent(OPENED_BY_ANOTHER), str(path)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    return process


async def test_what_was_committed_is_there_after_a_restart(path: Path) -> None:
    async with EmbeddedRegistry.open(path) as registry:
        revision = await registry.commit({"iris": b"1"}, guards={})
    async with EmbeddedRegistry.open(path) as registry:
        entry = await registry.get("iris")
        assert entry is not None
        assert (entry.value, entry.mod_revision) == (b"1", revision)
        assert revision is not None
        assert await registry.commit({"mnist": b"1"}, guards={}) == revision + 1


async def test_what_was_answered_survives_a_kill_and_nothing_is_half_written(path: Path) -> None:
    process = another_process(path)
    assert process.stdout is not None
    answered = [process.stdout.readline() for _ in range(50)]
    process.kill()
    process.wait()
    last = int((process.stdout.readlines() or answered)[-1])
    process.stdout.close()
    async with EmbeddedRegistry.open(path) as registry:
        written = [len(await registry.scan(prefix, limit=1_000_000)) for prefix in ("m/", "n/")]
    assert written[0] == written[1] >= last


async def test_two_processes_cannot_share_a_file(path: Path) -> None:
    process = another_process(path)
    try:
        with pytest.raises(RegistryUnavailable, match=r"mm\.registry is in use by another process; stop"):
            async with EmbeddedRegistry.open(path):
                pass
    finally:
        process.kill()
        process.communicate()


async def test_a_file_that_is_no_registry_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(RegistryUnavailable, match="is damaged"):
        async with EmbeddedRegistry.open(path):
            pass
    assert path.read_bytes() == b"not a database" * 1000


async def test_a_file_that_was_damaged_is_refused(path: Path) -> None:
    async with EmbeddedRegistry.open(path) as registry:
        await registry.commit({f"m/{number}": b"x" * 100 for number in range(1000)}, guards={})
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xa5" * 8192
    path.write_bytes(content)
    with pytest.raises(RegistryUnavailable, match=r"is damaged .* register the models again"):
        async with EmbeddedRegistry.open(path):
            pass


async def test_the_file_of_another_version_is_refused(path: Path) -> None:
    async with EmbeddedRegistry.open(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(RegistryUnavailable, match="its schema is 99, ours 1"):
        async with EmbeddedRegistry.open(path):
            pass


async def test_the_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(RegistryUnavailable, match="another program's"):
        async with EmbeddedRegistry.open(path):
            pass


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryUnavailable, match="folder"):
        async with EmbeddedRegistry.open(tmp_path / "file" / "mm.registry"):
            pass


async def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RegistryUnavailable, match="cannot be opened"):
        async with EmbeddedRegistry.open(tmp_path):
            pass


async def test_a_full_disk_is_told_and_what_was_written_before_stays(path: Path) -> None:
    async with EmbeddedRegistry.open(path) as registry:
        revision = await registry.commit({"iris": b"1"}, guards={})
        await registry._ask(lambda store: store._connection.execute("PRAGMA max_page_count = 8").fetchall())
        with pytest.raises(RegistryUnavailable, match="is full; make room"):
            await registry.commit({"big": b"x" * 100_000}, guards={})
        assert await registry.get("big") is None
        assert await registry.commit({"iris": b"2"}, guards={"iris": revision or 0}) == (revision or 0) + 1


async def test_what_waits_when_it_is_closed_is_still_done(path: Path) -> None:
    async with EmbeddedRegistry.open(path) as registry:
        writes = [asyncio.ensure_future(registry.commit({f"m/{n}": b"1"}, guards={})) for n in range(100)]
        await asyncio.wait(writes[:1], return_when=asyncio.FIRST_COMPLETED)
    assert None not in await asyncio.gather(*writes)
    async with EmbeddedRegistry.open(path) as registry:
        assert len(await registry.scan("m/", limit=1000)) == 100


async def test_after_closing_every_call_is_refused_and_no_thread_is_left(path: Path) -> None:
    threads = threading.active_count()
    async with EmbeddedRegistry.open(path) as registry:
        assert threading.active_count() == threads + 1
    assert threading.active_count() == threads
    with pytest.raises(RegistryUnavailable, match="closed"):
        await registry.get("iris")
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_a_caller_that_leaves_disturbs_nobody(path: Path) -> None:
    async with EmbeddedRegistry.open(path) as registry:
        leaving = asyncio.ensure_future(registry.commit({"iris": b"1"}, guards={}))
        staying = asyncio.ensure_future(registry.commit({"mnist": b"1"}, guards={}))
        await asyncio.wait([asyncio.ensure_future(registry.get("churn"))], timeout=0)
        leaving.cancel()
        assert await staying is not None


async def test_too_many_calls_at_once_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PENDING_MAX", 2)
    async with EmbeddedRegistry.open(path) as registry:
        release = threading.Event()
        calls: list[asyncio.Future[Any]] = [asyncio.ensure_future(registry._ask(lambda _: release.wait(10)))]
        calls += [asyncio.ensure_future(registry.get("iris")) for _ in range(10)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        release.set()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert any(isinstance(outcome, RegistryUnavailable) for outcome in outcomes)
    assert all("wait already" in str(each.exception()) for each in done)


async def test_calls_at_once_share_syncs(path: Path) -> None:
    async with EmbeddedRegistry.open(path) as registry:
        statements: list[str] = []
        await registry._ask(lambda store: store._connection.set_trace_callback(statements.append))
        await asyncio.gather(*(registry.commit({f"m/{n}": b"1"}, guards={}) for n in range(500)))
        await registry._ask(lambda store: store._connection.set_trace_callback(None))
    assert statements.count("COMMIT") < 20
