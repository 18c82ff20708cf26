import asyncio

import grpc
import pytest

from adapter.aio.clock import LoopClock
from adapter.domain.errors import RuntimeUnavailable
from adapter.domain.runtime import RuntimeState, RuntimeStatus
from adapter.instance.runtime_watch import RuntimeWatch
from tests.fakes.runtime import FakeRuntime
from tests.unit.instance.channels import FakeChannel

READY, IDLE = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.IDLE


def a_watch(runtime: FakeRuntime, channel: FakeChannel | None = None) -> RuntimeWatch:
    return RuntimeWatch(driver=runtime, channel=channel or FakeChannel(), clock=LoopClock())  # type: ignore[arg-type]


async def test_it_waits_until_the_runtime_is_ready() -> None:
    runtime = FakeRuntime(capacity_bytes=7)
    runtime.up = False
    asyncio.get_running_loop().call_later(12.0, runtime.restart)
    watch = a_watch(runtime)
    assert (await watch.wait_ready(timeout_s=60)).capacity_bytes == 7
    assert watch.is_there
    assert asyncio.get_running_loop().time() == pytest.approx(12.0, abs=0.2)


async def test_a_runtime_that_is_never_ready_is_told_with_what_it_said() -> None:
    runtime = FakeRuntime()
    runtime.up = False
    with pytest.raises(RuntimeUnavailable, match=r"within 60 s; it said: it is not there"):
        await a_watch(runtime).wait_ready(timeout_s=60)


async def test_a_runtime_that_says_it_fails_is_not_waited_for() -> None:
    class Failing(FakeRuntime):
        async def status(self) -> RuntimeStatus:
            return RuntimeStatus(state=RuntimeState.FAILING, reason="no GPU")

    with pytest.raises(RuntimeUnavailable, match="no GPU"):
        await a_watch(Failing()).wait_ready(timeout_s=60)


async def test_a_runtime_that_comes_back_is_taken_for_a_new_and_empty_one() -> None:
    runtime, channel, resets = FakeRuntime(), FakeChannel(), list[RuntimeStatus]()
    watch = a_watch(runtime, channel)
    await watch.wait_ready(timeout_s=1)
    async with asyncio.TaskGroup() as owner:
        keeping = owner.create_task(watch.keep(on_reset=resets.append, start_s_max=60))
        await asyncio.sleep(1)
        channel.turn(READY)
        await asyncio.sleep(1)
        assert not resets, "connecting for the first time is no restart"
        runtime.up = False
        channel.turn(IDLE)
        await asyncio.sleep(1)
        assert not watch.is_there
        runtime.restart()
        await watch.there()
        await asyncio.sleep(0)
        assert len(resets) == 1
        keeping.cancel()
