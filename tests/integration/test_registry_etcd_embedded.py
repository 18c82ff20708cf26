"""The registry over the embedded one, which speaks the same part of etcd's API."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapter.aio.clock import LoopClock
from adapter.domain.errors import RegistryUnavailable
from adapter.registry.embedded_server import embedded_serving
from adapter.registry.etcd import EtcdRegistry
from adapter.registry.etcd_options import EtcdOptions
from tests.contracts.registry import RegistryContract, following
from tests.integration.registry_process import running


class TestEtcdRegistryOverTheEmbeddedOne(RegistryContract):
    @pytest.fixture
    async def registry(self, tmp_path: Path) -> AsyncIterator[EtcdRegistry]:
        address = f"unix:{tmp_path}/registry.sock"
        async with (
            embedded_serving(tmp_path / "mm.registry", address, clock=LoopClock()),
            EtcdRegistry.connect(EtcdOptions(endpoints=(address,)), LoopClock()) as registry,
        ):
            yield registry


async def test_away_and_back(tmp_path: Path) -> None:
    with running(tmp_path / "mm.registry") as process:
        options = EtcdOptions(endpoints=(process.address,), root_prefix="r/")
        async with EtcdRegistry.connect(options, LoopClock()) as registry, following(registry, "m/") as told:
            await registry.commit({"m/a": b"1"}, guards={})
            await told.reset()
            await asyncio.to_thread(process.kill)
            with pytest.raises(RegistryUnavailable, match=f"the registry at {process.address}"):
                await registry.commit({"m/b": b"1"}, guards={})
            await asyncio.to_thread(process.start)
            await registry.check()
            await registry.commit({"m/c": b"1"}, guards={})
            assert "m/c" in await told.values(until="m/c")
