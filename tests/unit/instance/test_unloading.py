import asyncio

import pytest

from adapter.domain.errors import RuntimeFailed
from adapter.instance.unloading import UNLOAD_TRIES_MAX
from tests.unit.instance.loader_bench import IRIS, Bench, a_bench

UNLOADS = "modelmesh_unloadmodel_milliseconds"
STUCK = RuntimeFailed("it is stuck")


def failed_tries(bench: Bench) -> int:
    return bench.metrics.models.failures["modelmesh_unloadmodel_attempt_failure"]


async def test_an_unload_that_succeeds_is_asked_for_once_and_at_once() -> None:
    async with a_bench() as bench:
        bench.runtime.held[IRIS] = 1
        bench.runtime.unload_s = 2.0
        before_s = bench.clock.now_s()
        assert await bench.loader._hands.unload(IRIS) is None
        assert bench.clock.now_s() - before_s == pytest.approx(2.0)
        assert (bench.runtime.held, bench.runtime.unloads[IRIS]) == ({}, 1)
        assert (bench.told(UNLOADS), failed_tries(bench)) == ({("iris", ""): (1, 2000)}, 0)


async def test_an_unload_that_fails_is_tried_again_ever_later() -> None:
    async with a_bench() as bench:
        bench.runtime.held[IRIS] = 1
        bench.runtime.unload_failures[IRIS] = STUCK
        asyncio.get_running_loop().call_later(5.0, bench.runtime.unload_failures.clear)
        before_s = bench.clock.now_s()
        assert await bench.loader._hands.unload(IRIS) is None
        assert bench.clock.now_s() - before_s == pytest.approx(0 + 1 + 2 + 3)
        assert (bench.runtime.held, failed_tries(bench)) == ({}, 3)
        assert bench.told(UNLOADS) == {("iris", ""): (1, 0)}, "the try that succeeded is measured alone"


async def test_what_never_succeeds_is_given_up_and_told_with_its_last_error() -> None:
    async with a_bench() as bench:
        bench.runtime.held[IRIS] = 1
        bench.runtime.unload_failures[IRIS] = STUCK
        before_s = bench.clock.now_s()
        assert await bench.loader._hands.unload(IRIS) == "INTERNAL: it is stuck"
        assert bench.clock.now_s() - before_s == pytest.approx(sum(range(UNLOAD_TRIES_MAX)))
        assert failed_tries(bench) == UNLOAD_TRIES_MAX
        assert (IRIS in bench.runtime.held, bench.told(UNLOADS)) == (True, {})


async def test_a_runtime_that_is_away_is_waited_for() -> None:
    async with a_bench() as bench:
        bench.runtime.crash()
        asyncio.get_running_loop().call_later(10.0, bench.runtime.restart)
        assert await bench.loader._hands.unload(IRIS) is None


@pytest.mark.parametrize("stuck", [False, True], ids=["succeeds", "fails"])
async def test_after_a_failed_load_an_unload_is_tried_once(stuck: bool) -> None:
    async with a_bench() as bench:
        bench.runtime.held[IRIS] = 1
        if stuck:
            bench.runtime.unload_failures[IRIS] = STUCK
        before_s = bench.clock.now_s()
        await bench.loader._hands.clean_up(IRIS)
        assert bench.clock.now_s() == before_s
        assert (IRIS in bench.runtime.held) is stuck
        assert (bench.told(UNLOADS), failed_tries(bench)) == ({}, 0), "it may not even have been loaded"
