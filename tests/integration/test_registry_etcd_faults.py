"""What the registry's users see when something happens to a real etcd."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapter.aio.clock import LoopClock
from adapter.domain.errors import RegistryUnavailable
from adapter.registry.etcd import EtcdRegistry
from adapter.registry.etcd_options import EtcdOptions
from adapter.registry.presence import Presence
from tests.contracts.registry import following
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


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_away_and_back_under_commits(etcd: Etcd, registry: EtcdRegistry, how: str) -> None:
    """What was answered is there, what was refused at once is not, and who follows misses nothing."""
    written, failed = set[str](), set[str]()

    async def write(names: list[str]) -> None:
        for name in names:
            try:
                assert await registry.commit({name: b"1"}, guards={name: 0}) is not None
                written.add(name)
            except RegistryUnavailable as error:
                failed.add(name if "may have been written" not in str(error) else "")
                await asyncio.sleep(0.01)

    async with following(registry, "m/") as told:
        await told.reset()
        writers = [asyncio.ensure_future(write([f"m/{w}/{n}" for n in range(200)])) for w in range(20)]
        while len(written) < 400:  # noqa: ASYNC110 - the writers go on
            await asyncio.sleep(0.01)
        await asyncio.to_thread(getattr(etcd, how))
        await asyncio.sleep(1)
        await asyncio.to_thread(etcd.start)
        await real.recovers(registry)
        await asyncio.gather(*writers)
        await registry.commit({"m/end": b"1"}, guards={})
        values = await told.values(until="m/end")
    found = {entry.key for entry in await registry.scan("m/", limit=100_000)}
    assert failed
    assert found == set(values)
    assert written <= found
    assert not failed & found


async def test_frozen(etcd: Etcd, registry: EtcdRegistry) -> None:
    async with following(registry, "m/") as told:
        await told.reset()
        with etcd.frozen():
            began_s = time.monotonic()
            reading = asyncio.ensure_future(registry.get("m/a"))
            with pytest.raises(
                RegistryUnavailable, match=r"did not answer in time .*it may have been written"
            ):
                await registry.commit({"m/a": b"1"}, guards={})
            with pytest.raises(RegistryUnavailable, match=r"did not answer in time \(reading m/a\)"):
                await reading
            assert time.monotonic() - began_s < 6
        await real.recovers(registry)
        await registry.commit({"m/b": b"1"}, guards={})
        assert "m/b" in await told.values(until="m/b")


async def test_refused_at_the_start(etcd: Etcd, registry: EtcdRegistry) -> None:
    etcd.stop()
    began_s = time.monotonic()
    with pytest.raises(RegistryUnavailable, match=f"the registry at {etcd.endpoint} cannot be reached"):
        await registry.check()
    assert 3 < time.monotonic() - began_s < 6


async def test_silent_at_the_start(etcd: Etcd, registry: EtcdRegistry) -> None:
    with etcd.frozen():
        began_s = time.monotonic()
        with pytest.raises(RegistryUnavailable, match="did not answer"):
            await registry.check(timeout_s=2)
        assert time.monotonic() - began_s < 3


async def test_it_may_come_a_little_after_us(etcd: Etcd, registry: EtcdRegistry) -> None:
    etcd.stop()
    checking = asyncio.ensure_future(registry.check())
    await asyncio.sleep(1)
    await asyncio.to_thread(etcd.start)
    await checking


async def test_what_is_ours_is_there_again_after_a_wipe(etcd: Etcd, registry: EtcdRegistry) -> None:
    presence = Presence(registry, clock=LoopClock(), ttl_s=2)
    for number in range(500):
        presence.put(f"copies/m{number}/me", b"1")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(presence.run())
        await presence.settled(10)
        await asyncio.to_thread(etcd.kill)
        etcd.wipe()
        await asyncio.to_thread(etcd.start)
        async with asyncio.timeout(10):
            while await registry.count("copies/") < 500:  # noqa: ASYNC110 - nobody could tell us
                await asyncio.sleep(0.1)
        assert presence.lost == 1
        await presence.close()
        assert await registry.count("copies/") == 0
        running.cancel()


async def test_a_lease_outlives_a_restart(etcd: Etcd, registry: EtcdRegistry) -> None:
    presence = Presence(registry, clock=LoopClock(), ttl_s=4)
    presence.put("copies/m/me", b"1")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(presence.run())
        await presence.settled(10)
        await asyncio.to_thread(etcd.stop)
        await asyncio.to_thread(etcd.start)
        await asyncio.sleep(5)
        assert presence.lost == 0
        assert await registry.count("copies/") == 1
        running.cancel()
