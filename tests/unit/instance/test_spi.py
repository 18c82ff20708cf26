import asyncio

import pytest

from adapter.domain.errors import ModelCorrupt, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import RuntimeState
from adapter.instance.provisioning import PassOn, Provisioner
from adapter.instance.spi import SpiService
from tests.fakes.provisioner import FakeProvisioner
from tests.fakes.runtime import FakeRuntime

IRIS, MNIST = ModelId("iris"), ModelId("mnist")
INFO = ModelInfo(type="sklearn", path="x")


class Bench:
    def __init__(self, provisioner: Provisioner | None = None) -> None:
        self.runtime, self.disk, self.purges = FakeRuntime(), FakeProvisioner(), 0
        self.service = SpiService(
            driver=self.runtime,
            provisioner=provisioner or self.disk,
            purge=self.purge,
            size_multiplier=1.35,
            default_model_bytes=1_000_000,
        )

    async def purge(self) -> None:
        self.purges += 1


async def test_the_size_is_that_on_disk_times_the_multiplier() -> None:
    bench = Bench()
    bench.disk.sizes[IRIS] = 54_321
    assert (await bench.service.load(IRIS, INFO)).size_bytes == 73_333


async def test_without_a_size_on_disk_the_default_is_told() -> None:
    assert (await Bench(PassOn()).service.load(IRIS, INFO)).size_bytes == 1_000_000


async def test_ready_means_that_nothing_is_on_disk() -> None:
    bench = Bench()
    bench.runtime.up = False
    assert (await bench.service.status()).state is RuntimeState.STARTING
    assert bench.purges == 0
    bench.runtime.up = True
    assert (await bench.service.status()).state is RuntimeState.READY
    assert bench.purges == 1


@pytest.mark.parametrize("broken", ["pull", "load"])
async def test_a_failed_load_leaves_nothing(broken: str) -> None:
    bench = Bench()
    if broken == "pull":
        bench.disk.failures[IRIS] = ObjectMissing("nothing there")
    else:
        bench.runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
    with pytest.raises((ObjectMissing, ModelCorrupt)):
        await bench.service.load(IRIS, INFO)
    assert (bench.disk.on_disk, bench.runtime.held) == ({}, {})


async def test_calls_for_one_model_are_served_in_their_order() -> None:
    bench = Bench()
    bench.disk.pull_s = 5.0
    await asyncio.gather(bench.service.load(IRIS, INFO), bench.service.unload(IRIS))
    assert (bench.disk.on_disk, bench.runtime.held) == ({}, {})


async def test_different_models_do_not_wait_for_each_other() -> None:
    bench = Bench()
    bench.disk.pull_s = 5.0
    await asyncio.gather(bench.service.load(IRIS, INFO), bench.service.load(MNIST, INFO))
    assert asyncio.get_running_loop().time() == pytest.approx(5.0)


async def test_sizes_are_the_runtimes_to_tell() -> None:
    bench = Bench()
    bench.runtime.sizes[IRIS] = 77
    await bench.service.load(IRIS, INFO)
    assert await bench.service.size(IRIS) == 77
    assert await bench.service.predict_size(MNIST, INFO) is None
