"""A loader over fakes, for tests in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapter.aio.clock import LoopClock
from adapter.cache.model_cache import ModelCache
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.instance.flights import LoadTimings
from adapter.instance.loader import Loader
from adapter.telemetry.metrics import Metrics
from tests.fakes.provisioner import FakeProvisioner
from tests.fakes.runtime import FakeRuntime

IRIS, MNIST = ModelId("iris"), ModelId("mnist")
INFO = ModelInfo(type="sklearn", path="x")


class Bench:
    """A loader over fakes, and what they know."""

    def __init__(self, owner: asyncio.TaskGroup, *, capacity_bytes: int) -> None:
        self.runtime = FakeRuntime(capacity_bytes=capacity_bytes)
        self.disk = FakeProvisioner()
        self.clock = LoopClock()
        self.metrics = Metrics(per_model=True)
        self.cache = ModelCache(capacity_bytes=capacity_bytes, loading_slots=2, default_size_bytes=1000)
        self.loader = Loader(
            cache=self.cache,
            provisioner=self.disk,
            driver=self.runtime,
            clock=self.clock,
            owner=owner,
            load_timeout_s=30.0,
            metrics=self.metrics,
        )

    async def load(self, model: ModelId) -> LoadTimings:
        return await self.loader.load(model, INFO, used_s=self.clock.now_s())

    def told(self, name: str) -> dict[tuple[str, ...], tuple[int, int]]:
        """Of a histogram, how many values each series has, and their rounded sum."""
        (histogram,) = (each for each in self.metrics.models.histograms if each.name == name)
        return {
            values: (sum(series.counts), round(series.total))
            for values, series in histogram
            if any(series.counts)
        }

    def use(self, model: ModelId) -> None:
        """One request, begun and ended."""
        assert self.cache.acquire(model, self.clock.now_s())
        self.loader.carry_out(self.cache.release(model, self.clock.now_s()))


@asynccontextmanager
async def a_bench(*, capacity_bytes: int = 100_000) -> AsyncIterator[Bench]:
    async with asyncio.TaskGroup() as owner:
        bench = Bench(owner, capacity_bytes=capacity_bytes)
        ticking = owner.create_task(bench.loader.keep_time())
        yield bench
        ticking.cancel()
    bench.cache.check()
