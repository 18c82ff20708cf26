"""Which model ended the runtime, and what becomes of it in the whole mesh."""

import asyncio

import grpc
import pytest

from adapter.domain.errors import Code, RuntimeCrashed
from adapter.domain.ids import ModelId
from adapter.domain.status import ModelStatus
from tests.unit.instance.meshed import INFO, AMesh, AnInstance

IRIS = ModelId("iris")


async def crash(it: AnInstance) -> None:
    """The runtime ends, and is back after a second."""
    it.crash_runtime()
    await asyncio.sleep(1)
    it.restart_runtime()
    await asyncio.sleep(1)


def crashes(mesh: AMesh) -> int:
    return sum(copy.crashes for copy in mesh["a"].sees("iris").values())


async def crash_while_loading(it: AnInstance, name: str = "iris") -> None:
    it.runtime.load_s = 1.0
    it.loader.start_load(ModelId(name), INFO, used_s=it.clock.now_s())
    await asyncio.sleep(0.5)
    await crash(it)
    it.runtime.load_s = 0.0


async def test_two_crashes_anywhere_in_the_mesh_quarantine_the_model(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await crash_while_loading(mesh["b"])
    assert crashes(mesh) == 1
    await crash_while_loading(mesh["c"])
    assert crashes(mesh) == 2
    for each in mesh:
        answer = await each.infer("iris", timeout_s=30.0)
        assert (answer.code, "quarantined" in answer.text) == (Code.FAILED_PRECONDITION, True)
    assert mesh.loads("iris") == 0
    assert await mesh["a"].status("iris") is ModelStatus.LOADING_FAILED


async def test_a_load_may_see_the_end_of_the_runtime_before_its_watch_does(mesh: AMesh) -> None:
    it = mesh["b"]
    await it.registered("iris")
    it.channel.turn(grpc.ChannelConnectivity.TRANSIENT_FAILURE)
    it.parts.crashes.load_broken_off(IRIS)
    it.parts.announcer.refresh(IRIS)
    await asyncio.sleep(1)
    it.restart_runtime()
    await asyncio.sleep(1)
    assert crashes(mesh) == 1


async def test_one_crash_is_forgiven(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await crash_while_loading(mesh["b"])
    assert (await mesh["a"].infer("iris")).code is Code.OK


async def test_who_registers_it_anew_lifts_the_quarantine(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for name in ("b", "c"):
        await crash_while_loading(mesh[name])
    await mesh["a"].models.unregister(IRIS)
    await mesh["a"].registered("iris")
    await asyncio.sleep(1)
    assert crashes(mesh) == 0
    for each in mesh:
        assert (await each.infer("iris")).code is Code.OK


async def test_a_quarantine_ends_with_its_failure(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for name in ("b", "c"):
        await crash_while_loading(mesh[name])
    await asyncio.sleep(mesh["a"].settings.load_failure_expiry_ms / 1e3 + 10)
    assert (await mesh["a"].infer("iris")).code is Code.OK


async def test_a_crash_while_it_answers_one_model_alone_is_that_models(mesh: AMesh) -> None:
    it = mesh["b"]
    await it.registered("iris")
    await it.load_here("iris")
    it.inference.holds = True
    asking = asyncio.ensure_future(it.infer("iris", timeout_s=5.0))
    await asyncio.sleep(0.5)
    it.runtime.crash()
    it.channel.turn(grpc.ChannelConnectivity.TRANSIENT_FAILURE)
    await asyncio.sleep(0.01)
    await crash(it)
    it.inference.holds = False
    assert crashes(mesh) == 1
    assert (await asking).code in {Code.OK, Code.UNAVAILABLE}


async def test_a_crash_while_it_answers_several_is_nobodys(mesh: AMesh) -> None:
    it = mesh["b"]
    for name in ("iris", "mnist"):
        await it.registered(name)
        await it.load_here(name)
    it.inference.holds = True
    asking = [asyncio.ensure_future(it.infer(name, timeout_s=5.0)) for name in ("iris", "mnist")]
    await asyncio.sleep(0.5)
    await crash(it)
    assert crashes(mesh) == 0
    await asyncio.gather(*asking)


async def test_its_neighbours_are_loaded_again(mesh: AMesh) -> None:
    it = mesh["b"]
    for name in ("iris", "mnist"):
        await it.registered(name)
        await it.load_here(name)
    await crash_while_loading(it, "other")
    assert (await it.infer("mnist")).code is Code.OK
    assert crashes(mesh) == 0


async def test_a_load_that_no_crash_broke_is_no_crash(instance: AnInstance) -> None:
    assert instance.parts.crashes.load_broken_off(IRIS) is None


async def test_the_error_says_what_to_do(instance: AnInstance) -> None:
    await instance.registered("iris")
    for _ in range(2):
        await crash_while_loading(instance)
    with pytest.raises(RuntimeCrashed, match="mend the model and register it again"):
        await instance.load_here("iris")
