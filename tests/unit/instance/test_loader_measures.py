"""What the loader tells the metrics."""

import asyncio

import pytest

from adapter.domain.errors import ModelCorrupt, ObjectMissing, RuntimeFailed
from adapter.instance.unloading import UNLOAD_TRIES_MAX
from tests.unit.instance.loader_bench import IRIS, MNIST, a_bench


async def test_loads_and_unloads_are_measured() -> None:
    async with a_bench(capacity_bytes=1500) as bench:
        bench.disk.pull_s, bench.runtime.load_s, bench.runtime.unload_s = 3.0, 2.0, 0.5
        for model in (IRIS, MNIST):
            await bench.load(model)
            bench.use(model)
            await asyncio.sleep(60)
        iris, both = ("iris", ""), {("iris", ""), ("mnist", "")}
        loads = bench.told("modelmesh_loadmodel_milliseconds")
        assert loads.keys() == both
        assert loads[iris] == (1, 5000)
        assert bench.told("modelmesh_loading_queue_delay_milliseconds")[iris] == (1, 0)
        assert bench.told("modelmesh_loaded_model_size_bytes").keys() == both
        assert bench.told("modelmesh_unloadmodel_milliseconds") == {iris: (1, 500)}
        unused = bench.told("modelmesh_age_at_eviction_milliseconds")
        assert unused == {iris: (1, 63_000)}, "until the next one was pulled"


async def test_a_size_that_is_asked_for_is_measured_with_the_time_it_took() -> None:
    async with a_bench() as bench:
        bench.runtime.tells_size_at_load = False
        bench.runtime.sizes[IRIS] = 777
        await bench.load(IRIS)
        await asyncio.sleep(1)
        assert bench.told("modelmesh_loaded_model_size_bytes") == {("iris", ""): (1, 777)}
        assert bench.told("modelmesh_model_sizing_milliseconds").keys() == {("iris", "")}


async def test_loads_that_fail_are_counted_pulled_or_not() -> None:
    async with a_bench() as bench:
        bench.disk.failures[IRIS] = ObjectMissing("nothing there")
        bench.runtime.load_failures[MNIST] = ModelCorrupt("unreadable")
        for model, error in ((IRIS, ObjectMissing), (MNIST, ModelCorrupt)):
            with pytest.raises(error):
                await bench.load(model)
        assert bench.metrics.models.failures["modelmesh_loadmodel_failure"] == 2


async def test_unloads_that_fail_are_counted_each_try_and_in_the_end() -> None:
    async with a_bench() as bench:
        bench.runtime.unload_failures[IRIS] = RuntimeFailed("no")
        await bench.load(IRIS)
        bench.use(IRIS)
        bench.loader.drop(IRIS)
        await asyncio.sleep(300)
        assert bench.metrics.models.failures["modelmesh_unloadmodel_failure"] == 1
        tries = bench.metrics.models.failures["modelmesh_unloadmodel_attempt_failure"]
        assert tries == UNLOAD_TRIES_MAX


async def test_what_is_unregistered_leaves_no_series_behind() -> None:
    async with a_bench() as bench:
        await bench.load(IRIS)
        bench.use(IRIS)
        bench.loader.drop(IRIS)
        await asyncio.sleep(10)
        assert not any(bench.told(histogram.name) for histogram in bench.metrics.models.histograms)
