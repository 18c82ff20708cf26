import asyncio

import pytest

from adapter.cache.entry import EntryState
from adapter.domain.errors import (
    LoadTimedOut,
    ModelCorrupt,
    ModelNotFound,
    ObjectMissing,
    RuntimeFailed,
    RuntimeUnavailable,
)
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.instance.unloading import UNLOAD_TRIES_MAX
from tests.unit.instance.loader_bench import INFO, IRIS, MNIST, a_bench


async def test_a_load_is_a_pull_and_then_a_load() -> None:
    async with a_bench() as bench:
        bench.disk.pull_s, bench.runtime.load_s = 3.0, 2.0
        spent = await bench.load(IRIS)
        assert (spent.pull_s, spent.load_s) == pytest.approx((3.0, 2.0))
        assert list(bench.runtime.held) == [IRIS]


async def test_many_callers_share_one_load() -> None:
    async with a_bench() as bench:
        bench.disk.pull_s = 1.0
        await asyncio.gather(*(bench.load(IRIS) for _ in range(50)))
        assert (bench.disk.pulls[IRIS], bench.runtime.loads[IRIS]) == (1, 1)


async def test_a_caller_that_leaves_does_not_end_the_load_of_the_others() -> None:
    async with a_bench() as bench, asyncio.TaskGroup() as callers:
        bench.disk.pull_s = 1.0
        hasty = callers.create_task(bench.load(IRIS))
        patient = callers.create_task(bench.load(IRIS))
        await asyncio.sleep(0.5)
        hasty.cancel()
        assert await patient


async def test_a_pull_that_nobody_waits_for_any_more_is_given_up() -> None:
    async with a_bench() as bench:
        bench.disk.pull_s = 60.0
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await asyncio.gather(*(bench.load(IRIS) for _ in range(3)))
        assert bench.cache.state(IRIS) is EntryState.PULLING
        await asyncio.sleep(4.0)
        assert bench.cache.state(IRIS) is None
        bench.disk.pull_s = 1.0
        await bench.load(IRIS)
        assert bench.disk.pulls[IRIS] == 2
    assert list(bench.disk.on_disk) == [IRIS]


@pytest.mark.parametrize("step", ["queued", "pulling", "discarding"])
async def test_who_comes_back_gets_the_model_whatever_became_of_the_load(step: str) -> None:
    async with a_bench() as bench:
        bench.disk.pull_s = 10.0
        bench.disk.discard_s = 5.0
        if step == "queued":
            bench.loader.start_load(MNIST, INFO, used_s=0.0)
            bench.loader.start_load(ModelId("other"), INFO, used_s=0.0)
            await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await bench.load(IRIS)
        await asyncio.sleep(4.0 if step == "discarding" else 1.9)
        await bench.load(IRIS)
        assert IRIS in bench.runtime.held
        assert bench.disk.pulls[IRIS] == (2 if step == "discarding" else 1)


async def test_a_pull_that_has_not_begun_is_given_up_too() -> None:
    async with a_bench(capacity_bytes=1000) as bench:
        await bench.load(MNIST)
        assert bench.cache.acquire(MNIST, bench.clock.now_s())
        bench.disk.discard_s = 20.0
        for _ in range(2):  # it waits for room; then for its own files to be gone
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await bench.load(IRIS)
            await asyncio.sleep(4.0)
        await asyncio.sleep(40.0)
        assert bench.cache.state(IRIS) is None
        assert list(bench.disk.on_disk) == [MNIST]


async def test_background_work_is_not_given_up_when_a_caller_leaves() -> None:
    async with a_bench() as bench:
        bench.disk.pull_s = 5.0
        bench.loader.start_load(IRIS, INFO, used_s=0.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await bench.load(IRIS)
        await asyncio.sleep(10.0)
        assert list(bench.runtime.held) == [IRIS]


async def test_what_the_runtime_loads_already_is_loaded_to_the_end() -> None:
    async with a_bench() as bench:
        bench.runtime.load_s = 5.0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await bench.load(IRIS)
        await asyncio.sleep(10.0)
        assert list(bench.runtime.held) == [IRIS]


async def test_a_copy_is_unloaded_on_demand_and_a_load_that_callers_wait_for_is_not() -> None:
    async with a_bench() as bench, asyncio.TaskGroup() as callers:
        bench.disk.pull_s = 1.0
        caller = callers.create_task(bench.load(IRIS))
        await asyncio.sleep(0.5)
        assert not bench.loader.unload(IRIS)
        await caller
        bench.use(IRIS)
        assert bench.loader.unload(IRIS)
        await asyncio.sleep(1.0)
        assert (bench.runtime.held, bench.disk.on_disk, len(bench.cache)) == ({}, {}, 0)
        assert bench.loader.unload(IRIS), "there is nothing to unload, which is fine"


async def test_background_work_is_given_up_by_an_unload() -> None:
    async with a_bench() as bench:
        bench.disk.pull_s = 5.0
        bench.loader.start_load(IRIS, INFO, used_s=0.0)
        await asyncio.sleep(1.0)
        assert bench.loader.unload(IRIS)
        await asyncio.sleep(0.1)
        assert bench.cache.state(IRIS) is None
        assert bench.disk.on_disk == {}


@pytest.mark.parametrize("broken", ["pull", "load"])
async def test_a_failed_load_leaves_nothing_and_is_told_to_each_waiter(broken: str) -> None:
    async with a_bench() as bench:
        bench.disk.pull_s = 1.0
        failures = bench.disk.failures if broken == "pull" else bench.runtime.load_failures
        failures[IRIS] = ObjectMissing("nothing at s3://models/x")
        errors = await asyncio.gather(*(bench.load(IRIS) for _ in range(3)), return_exceptions=True)
        assert [str(error) for error in errors] == ["nothing at s3://models/x"] * 3
        assert len({id(error) for error in errors}) == 3, "each has an error of its own"
    assert (bench.disk.on_disk, bench.runtime.held) == ({}, {})


async def test_a_failure_is_remembered_and_then_tried_again() -> None:
    async with a_bench() as bench:
        bench.runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
        for _ in range(3):
            with pytest.raises(ModelCorrupt):
                await bench.load(IRIS)
        assert bench.disk.pulls[IRIS] == 1
        bench.runtime.load_failures.clear()
        await asyncio.sleep(901)
        await bench.load(IRIS)
        assert bench.disk.pulls[IRIS] == 2


async def test_a_load_that_takes_too_long_is_given_up_and_unloaded() -> None:
    async with a_bench() as bench:
        bench.runtime.load_s = 60.0
        with pytest.raises(LoadTimedOut, match="within 30 s"):
            await bench.load(IRIS)
    assert (bench.disk.on_disk, bench.runtime.held) == ({}, {})


async def test_an_unexpected_error_ends_only_its_own_load() -> None:
    async with a_bench() as bench:
        bench.disk.sizes = {MNIST: 10}

        async def breaks(model: ModelId, info: ModelInfo) -> None:
            raise ZeroDivisionError

        provide, bench.disk.provide = bench.disk.provide, breaks  # type: ignore[method-assign,assignment]
        with pytest.raises(RuntimeFailed, match="ZeroDivisionError"):
            await bench.load(IRIS)
        bench.disk.provide = provide  # type: ignore[method-assign]
        await bench.load(MNIST)


async def test_a_model_may_be_unregistered_and_asked_for_anew_at_any_moment_of_its_load() -> None:
    async with a_bench() as bench:
        for pause_s in (0.0, 0.5, 1.0, 1.5, 2.0):
            bench.disk.pull_s = bench.runtime.load_s = 1.0
            bench.loader.start_load(IRIS, INFO, used_s=0.0)
            await asyncio.sleep(pause_s)
            bench.loader.drop(IRIS)
            bench.loader.start_load(IRIS, INFO, used_s=0.0)
            await bench.load(IRIS)
            bench.use(IRIS)
            assert IRIS in bench.runtime.held
            bench.loader.drop(IRIS)
            await asyncio.sleep(10)
        assert (bench.disk.on_disk, bench.runtime.held) == ({}, {})


async def test_those_who_wait_hear_that_the_model_was_unregistered() -> None:
    async with a_bench() as bench:
        bench.disk.pull_s = 1.0
        asyncio.get_running_loop().call_later(0.5, bench.loader.drop, IRIS)
        with pytest.raises(ModelNotFound, match="unregistered"):
            await bench.load(IRIS)


async def test_room_is_made_from_what_is_not_used() -> None:
    async with a_bench(capacity_bytes=3_000) as bench:
        for name in ("a", "b", "c"):
            bench.disk.sizes[ModelId(name)] = 1_500
            bench.runtime.sizes[ModelId(name)] = 1_500
            await bench.load(ModelId(name))
            bench.use(ModelId(name))
        assert bench.runtime.held_bytes_most <= 3_000
        assert ModelId("c") in bench.runtime.held
    assert set(bench.disk.on_disk) == set(bench.runtime.held), "what is unloaded leaves the disk"


async def test_an_unload_is_tried_until_the_runtime_has_let_go() -> None:
    async with a_bench() as bench:
        await bench.load(IRIS)
        bench.use(IRIS)
        bench.runtime.unload_failures[IRIS] = RuntimeFailed("busy")
        bench.loader.drop(IRIS)
        await asyncio.sleep(2)
        assert IRIS in bench.runtime.held
        bench.runtime.unload_failures.clear()
    assert bench.runtime.held == {}
    assert bench.cache.state(IRIS) is None


async def test_an_unload_that_never_succeeds_is_given_up_and_its_memory_stays_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with a_bench() as bench:
        await bench.load(IRIS)
        bench.use(IRIS)
        bench.runtime.unload_failures[IRIS] = RuntimeFailed("busy")
        bench.loader.drop(IRIS)
        await asyncio.sleep(UNLOAD_TRIES_MAX * (UNLOAD_TRIES_MAX + 1))
        assert bench.cache.state(IRIS) is None
        assert bench.cache.stranded_bytes > 0
    assert "model stays in the runtime" in caplog.messages
    assert "model unloaded" not in caplog.messages


async def test_a_disk_that_refuses_to_delete_harms_nobody() -> None:
    async with a_bench() as bench:
        await bench.load(IRIS)
        bench.use(IRIS)
        bench.disk.refuses_to_discard = True
        bench.loader.drop(IRIS)
        await asyncio.sleep(1)
        assert bench.cache.state(IRIS) is None
        await bench.load(MNIST)


async def test_a_copy_that_the_runtime_lost_is_loaded_again() -> None:
    async with a_bench() as bench:
        await bench.load(IRIS)
        bench.use(IRIS)
        bench.runtime.restart()
        bench.loader.copy_lost(IRIS)
        assert bench.cache.state(IRIS) is None
        await bench.load(IRIS)
        assert (bench.runtime.loads[IRIS], bench.disk.pulls[IRIS]) == (2, 2)


async def test_a_new_runtime_holds_nothing_and_nothing_stays_on_disk() -> None:
    async with a_bench() as bench:
        for model in (IRIS, MNIST):
            await bench.load(model)
            bench.use(model)
        bench.runtime.restart()
        bench.loader.runtime_reset(await bench.runtime.status())
        assert bench.cache.used_bytes == 0
    assert bench.disk.on_disk == {}


async def test_an_unload_under_way_is_given_up_when_the_runtime_is_a_new_one() -> None:
    async with a_bench() as bench:
        await bench.load(IRIS)
        bench.use(IRIS)
        bench.runtime.unload_s = 5.0
        bench.loader.drop(IRIS)
        await asyncio.sleep(1)
        assert bench.cache.state(IRIS) is EntryState.UNLOADING
        bench.runtime.restart()
        bench.loader.runtime_reset(await bench.runtime.status())
        await bench.load(IRIS)
        await asyncio.sleep(10)
        assert IRIS in bench.runtime.held, "the old unload must not reach the new copy"


async def test_a_load_during_a_restart_says_that_the_runtime_is_not_there() -> None:
    async with a_bench() as bench:
        bench.runtime.up = False
        with pytest.raises(RuntimeUnavailable):
            await bench.load(IRIS)
        bench.runtime.restart()
        await bench.load(IRIS)
