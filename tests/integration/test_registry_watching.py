"""What who follows a real etcd is told, whatever happens to it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapter.aio.clock import LoopClock
from adapter.registry.etcd import EtcdRegistry
from adapter.registry.etcd_options import EtcdOptions
from tests.contracts.registry import following, known
from tests.integration import etcd as real
from tests.integration.etcd import Etcd


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    with real.serving(tmp_path) as etcd:
        yield etcd


@pytest.fixture
async def registry(etcd: Etcd) -> AsyncIterator[EtcdRegistry]:
    options = EtcdOptions(endpoints=(etcd.endpoint,), root_prefix="r/")
    async with EtcdRegistry.connect(options, LoopClock()) as registry:
        yield registry


async def test_who_follows_goes_on_where_it_was(etcd: Etcd, registry: EtcdRegistry) -> None:
    await registry.commit({"m/a": b"1"}, guards={})
    async with following(registry, "m/") as told:
        await told.reset()
        await asyncio.to_thread(etcd.stop)
        await asyncio.to_thread(etcd.start)
        etcd.ctl("put", "r/m/b", "1")
        (change,) = await told.changes(1)
        assert change.key == "m/b"


async def test_compacted_while_who_follows_was_cut_off(etcd: Etcd, registry: EtcdRegistry) -> None:
    await registry.commit({"m/a": b"1", "m/b": b"1"}, guards={})
    async with following(registry, "m/") as told:
        await told.reset()
        await asyncio.to_thread(etcd.stop)
        other = Etcd(folder=etcd.folder, program=etcd.program, peer_port=etcd.peer_port)
        other.start()  # the same data, where our registry does not look
        other.ctl("put", "r/m/c", "1")
        other.ctl("del", "r/m/a")
        other.compact()
        other.stop()
        await asyncio.to_thread(etcd.start)
        reset = await told.reset()
        assert [entry.key for entry in known(reset.entries)] == ["m/b", "m/c"]
        await registry.commit({"m/d": b"1"}, guards={})
        assert [change.key for change in await told.changes(1)] == ["m/d"]


async def test_what_happens_elsewhere_is_noted_while_it_is_quiet_here(tmp_path: Path) -> None:
    """So a compaction of what concerns others does not make us read all anew."""
    with real.serving(tmp_path, flags=("--watch-progress-notify-interval", "100ms")) as etcd:
        options = EtcdOptions(endpoints=(etcd.endpoint,), root_prefix="r/")
        async with EtcdRegistry.connect(options, LoopClock()) as registry, following(registry, "m/") as told:
            await registry.commit({"m/a": b"1"}, guards={})
            await told.reset()
            waiting = asyncio.ensure_future(told.changes(1))
            for number in range(5):
                await registry.commit({"elsewhere": bytes([number])}, guards={})
            await asyncio.sleep(1)
            etcd.compact()
            await asyncio.to_thread(etcd.kill)
            await asyncio.to_thread(etcd.start)
            etcd.ctl("put", "r/m/b", "1")
            assert [change.key for change in await waiting] == ["m/b"]


@pytest.mark.parametrize("further", [0, 30], ids=["behind", "overtaken"])
async def test_restarted_empty(etcd: Etcd, registry: EtcdRegistry, further: int) -> None:
    """Also when the new one is at a later revision than the old one was."""
    for number in range(10):
        await registry.commit({f"m/{number}": b"1"}, guards={})
    async with following(registry, "m/") as told:
        await told.reset()
        await registry.commit({"m/last": b"1"}, guards={})
        await told.changes(1)
        await asyncio.to_thread(etcd.kill)
        etcd.wipe()
        other = Etcd(folder=etcd.folder, program=etcd.program, peer_port=etcd.peer_port)
        other.start()
        for number in range(further):
            other.ctl("put", f"r/n/{number}", "1")
        other.ctl("put", "r/m/new", "1")
        other.stop()
        await asyncio.to_thread(etcd.start)
        assert [entry.key for entry in known((await told.reset()).entries)] == ["m/new"]


async def test_a_foreign_key_that_is_no_text_harms_nobody(etcd: Etcd, registry: EtcdRegistry) -> None:
    etcd.ctl("put", "--", "r/m/\udcff", "1")
    async with following(registry, "m/") as told:
        (entry,) = known((await told.reset()).entries)
    assert await registry.get(entry.key) == entry


async def test_an_event_larger_than_etcd_sends_at_once_comes_whole(
    etcd: Etcd, registry: EtcdRegistry
) -> None:
    """A hundred values of 10 KB at one revision, many times while nobody is there to read."""
    async with following(registry, "m/") as told:
        await told.reset()
        for _ in range(10):
            for part in range(5):
                writes = {f"m/{part}/{number}": bytes(8_000) for number in range(100)}
                await registry.commit(writes, guards={})
        assert len(await told.changes(5_000)) == 5_000
