"""A whole instance over fakes, without its doors."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from adapter.aio.clock import LoopClock
from adapter.cache.model_cache import ModelCache
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelInfo
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.registry.model_records import ModelRecords
from adapter.telemetry.metrics import Metrics
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.provisioner import FakeProvisioner
from tests.fakes.runtime import FakeRuntime
from tests.unit.instance.channels import FakeChannel

INFO = ModelInfo(type="sklearn", path="x")


@dataclass(kw_only=True)
class AnInstance:
    """The parts, and the fakes that know the truth."""

    runtime: FakeRuntime
    disk: FakeProvisioner
    registry: MemoryRegistry
    cache: ModelCache
    loader: Loader
    models: Models
    watch: RuntimeWatch
    clock: LoopClock
    metrics: Metrics

    async def registered(self, name: str, info: ModelInfo = INFO) -> ModelId:
        model = ModelId(name)
        await self.models.register(model, info, load_now=False, sync=False, last_used_ms=0)
        return model


@pytest.fixture
async def instance() -> AsyncIterator[AnInstance]:
    clock, runtime, disk, registry = LoopClock(), FakeRuntime(), FakeProvisioner(), MemoryRegistry()
    metrics = Metrics(per_model=True)
    watch = RuntimeWatch(driver=runtime, channel=FakeChannel(), clock=clock)  # type: ignore[arg-type]
    await watch.wait_ready(timeout_s=1)
    cache = ModelCache(capacity_bytes=100_000, loading_slots=2, default_size_bytes=1000)
    async with asyncio.TaskGroup() as owner:
        loader = Loader(
            cache=cache,
            provisioner=disk,
            driver=runtime,
            clock=clock,
            owner=owner,
            load_timeout_s=30.0,
            metrics=metrics,
        )
        models = Models(
            instance=InstanceId("a"),
            records=ModelRecords(registry, "tas-runtime/mm/"),
            cache=cache,
            loader=loader,
            clock=clock,
            watch=watch,
        )
        yield AnInstance(
            runtime=runtime,
            disk=disk,
            registry=registry,
            cache=cache,
            loader=loader,
            models=models,
            watch=watch,
            clock=clock,
            metrics=metrics,
        )
