import asyncio

from adapter.domain.ids import ModelId
from tests.unit.instance.membered import AnInstance
from tests.unit.instance.meshed import AMesh

AWHILE_S = 5.0


async def restarted(instance: AnInstance) -> None:
    instance.crash_runtime()
    await asyncio.sleep(0.5)
    instance.restart_runtime()


async def held(instance: AnInstance, *names: str, used_ago_s: float = 0.0) -> None:
    for name in names:
        await instance.registered(name)
        await instance.load_here(name, used_ago_s=used_ago_s)


async def test_what_the_runtime_held_comes_back_before_anybody_asks(mesh: AMesh) -> None:
    await held(mesh["a"], "iris", "mnist")
    await restarted(mesh["a"])
    await mesh.until(lambda: mesh.held("iris") == mesh.held("mnist") == ["a"])
    assert mesh["a"].parts.peers.recall(ModelId("iris")).since == (
        "its runtime restarted, and it was loaded before"
    )


async def test_what_was_not_used_for_long_waits_for_a_call(mesh: AMesh) -> None:
    await held(mesh["a"], "iris", used_ago_s=7200.0)
    await held(mesh["a"], "mnist")
    await restarted(mesh["a"])
    await mesh.until(lambda: mesh.held("mnist") == ["a"])
    await asyncio.sleep(AWHILE_S)
    assert mesh.held("iris") == []


async def test_what_another_instance_holds_is_left_there(mesh: AMesh) -> None:
    await held(mesh["a"], "iris", "mnist")
    await mesh["b"].load_here("iris")
    await restarted(mesh["a"])
    await mesh.until(lambda: mesh.held("mnist") == ["a"])
    await asyncio.sleep(AWHILE_S)
    assert mesh.held("iris") == ["b"]
