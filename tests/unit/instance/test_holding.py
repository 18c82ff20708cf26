"""Calls for models that no instance may serve now, in a mesh of doors and of instances with runtimes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapter.domain.errors import Code, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.domain.status import ModelStatus
from adapter.instance import holding
from adapter.instance.scaler import IDLE_AFTER_S
from adapter.mesh.constraints import TypeConstraints
from adapter.mesh.wanted_types import LINGER_S
from adapter.registry.encoding import decode_instance, decode_wanted
from tests.unit.instance.meshed import EPOCH_MS, PREFIX, AMesh, AnInstance, Given, a_mesh, all_of, codes

pytestmark = pytest.mark.usefixtures("_virtual_time")

RULES = '{"sklearn": {"required": ["sk"]}, "_default": {"required": ["_no_runtime"]}}'
HOLD_S = 60.0


def given(*labels: str, hold_s: float = HOLD_S, capacity_bytes: int = 100_000, **more: Any) -> Given:
    settings = {"type_constraints": RULES, "labels": ",".join(labels), "hold_s": hold_s} | more
    return Given(capacity_bytes=capacity_bytes, settings=settings)


DOOR = given(capacity_bytes=0)


@asynccontextmanager
async def a_door(it: Given = DOOR) -> AsyncIterator[tuple[AMesh, AnInstance]]:
    """A mesh of an instance without a runtime, and a model."""
    async with a_mesh("door", given=it) as mesh:
        await mesh["door"].registered("iris")
        yield mesh, mesh["door"]


def wanted(mesh: AMesh, name: str = "door") -> tuple[str, ...]:
    """The types that this instance is known to wait for."""
    entry = mesh.registry.entries.get(f"{PREFIX}wanted/{name}")
    return () if entry is None else decode_wanted(entry.key, entry.value)


async def test_a_call_is_held_until_somebody_comes_who_may_answer_it() -> None:
    async with a_door() as (mesh, door):
        asking = asyncio.ensure_future(door.infer("iris", timeout_s=30.0))
        await asyncio.sleep(5)
        assert not asking.done()
        assert (wanted(mesh), door.parts.holding.held) == (("sklearn",), 1)
        await mesh.start("other", given("tf"))
        await asyncio.sleep(1)
        assert not asking.done()
        await mesh.start("here", given("sk"))
        began_s = door.clock.now_s()
        assert (await asking).code is Code.OK
        assert door.clock.now_s() - began_s < 1.0
        assert (mesh.held("iris"), door.parts.holding.held) == (["here"], 0)
        await asyncio.sleep(LINGER_S + 1)
        assert mesh.keys("wanted/") == []


async def test_what_calls_wait_for_is_told_once() -> None:
    async with a_door() as (mesh, door):
        asking = [asyncio.ensure_future(door.infer("iris", timeout_s=30.0)) for _ in range(20)]
        for _ in range(5):  # and again and again, by who has no patience
            assert (await door.infer("iris", timeout_s=1.0)).code is Code.DEADLINE_EXCEEDED
        await mesh.start("here", given("sk"))
        assert set(codes(await all_of(*asking))) == {Code.OK}
        await asyncio.sleep(LINGER_S + 1)
        assert mesh.written("wanted/") == ["door", "door"]
        assert mesh.loads("iris") == 1


async def test_a_client_that_leaves_is_waited_for_no_more() -> None:
    async with a_door() as (mesh, door):
        assert (await door.infer("iris", timeout_s=2.0)).code is Code.DEADLINE_EXCEEDED
        await asyncio.sleep(LINGER_S + 1)
        assert (wanted(mesh), door.parts.holding.held) == ((), 0)


async def test_after_the_wait_the_call_is_refused_as_without_it() -> None:
    async with a_door() as (mesh, door):
        began_s = door.clock.now_s()
        answer = await door.infer("iris", timeout_s=1000.0)
        assert answer.code is Code.RESOURCE_EXHAUSTED
        assert "sk" in answer.text
        assert door.clock.now_s() - began_s == pytest.approx(HOLD_S, abs=0.5)
        await asyncio.sleep(LINGER_S + 1)
        assert mesh.keys("wanted/") == []


async def test_without_the_setting_nothing_is_held() -> None:
    async with a_door(given(capacity_bytes=0, hold_s=0.0)) as (mesh, door):
        began_s = door.clock.now_s()
        assert (await door.infer("iris", timeout_s=30.0)).code is Code.RESOURCE_EXHAUSTED
        assert door.clock.now_s() - began_s < 0.1
        assert mesh.written("wanted/") == []


async def test_a_call_that_somebody_could_answer_is_not_held() -> None:
    async with a_mesh("a", given=given("sk")) as mesh:
        await mesh["a"].registered("iris")
        mesh["a"].disk.failures[ModelId("iris")] = ObjectMissing("nothing there")
        assert (await mesh["a"].infer("iris", timeout_s=30.0)).code is Code.FAILED_PRECONDITION
        assert mesh.written("wanted/") == []


async def test_more_calls_than_may_be_held_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "HELD_MAX", 2)
    async with a_door() as (_, door):
        asking = [asyncio.ensure_future(door.infer("iris", timeout_s=3.0)) for _ in range(3)]
        answers = codes(await all_of(*asking))
        assert sorted(code.name for code in answers) == [
            "DEADLINE_EXCEEDED",
            "DEADLINE_EXCEEDED",
            "RESOURCE_EXHAUSTED",
        ]


async def test_new_type_constraints_let_held_calls_go_on() -> None:
    async with a_door() as (mesh, door):
        await mesh.start("here", given("other"))
        asking = asyncio.ensure_future(door.infer("iris", timeout_s=30.0))
        await asyncio.sleep(1)
        rules = TypeConstraints.parse('{"sklearn": {"required": ["other"]}}')
        for each in mesh:
            each.parts.ways.use(rules)
        assert (await asking).code is Code.OK
        assert mesh.held("iris") == ["here"]


async def test_when_the_last_one_leaves_its_calls_wait_for_the_next() -> None:
    async with a_door() as (mesh, door):
        await mesh.start("one", given("sk"))
        assert (await door.infer("iris")).code is Code.OK
        await mesh.leave("one")
        asking = asyncio.ensure_future(door.infer("iris", timeout_s=30.0))
        await asyncio.sleep(2)
        assert wanted(mesh) == ("sklearn",)
        await mesh.start("one", given("sk"))
        assert (await asking).code is Code.OK


async def test_who_waits_for_a_load_waits_for_an_instance_too() -> None:
    async with a_door() as (mesh, door):
        model = ModelId("iris")
        now = await door.models.ensure_loaded(model, sync=False, last_used_ms=0)
        assert (now.status, wanted(mesh)) == (ModelStatus.LOADING_FAILED, ())
        loading = asyncio.ensure_future(door.models.ensure_loaded(model, sync=True, last_used_ms=0))
        await asyncio.sleep(1)
        assert wanted(mesh) == ("sklearn",)
        await mesh.start("here", given("sk"))
        assert (await loading).status is ModelStatus.LOADED


# How long nothing was asked for, as the controller is told.


def idle_since_s(mesh: AMesh, name: str) -> float | None:
    """As this instance's record in the registry has it, by its clock."""
    entry = mesh.registry.entries[f"{PREFIX}instances/{name}"]
    record = decode_instance(entry.key, entry.value)
    assert record is not None
    return None if record.idle_since_ms is None else (record.idle_since_ms - EPOCH_MS) / 1e3


async def test_an_instance_tells_since_when_it_is_idle_and_that_it_is_no_more() -> None:
    async with a_door() as (mesh, door):
        began_s = door.clock.now_s()
        here = await mesh.start("here", given("sk"))
        assert idle_since_s(mesh, "here") is None
        await asyncio.sleep(IDLE_AFTER_S + 4)
        assert idle_since_s(mesh, "here") == pytest.approx(began_s, abs=1.5)
        await door.infer("iris")
        used_s = here.clock.now_s()
        await asyncio.sleep(4)
        assert idle_since_s(mesh, "here") is None
        await asyncio.sleep(IDLE_AFTER_S)
        assert idle_since_s(mesh, "here") == pytest.approx(used_s, abs=1.5)


async def test_long_calls_and_loads_are_no_idleness() -> None:
    async with a_door() as (mesh, door):
        here = await mesh.start("here", given("sk"))
        here.runtime.load_s = 2 * IDLE_AFTER_S
        here.inference.holds = True
        asking = asyncio.ensure_future(door.infer("iris", timeout_s=5 * IDLE_AFTER_S))
        for _ in range(4):
            await asyncio.sleep(IDLE_AFTER_S)
            assert idle_since_s(mesh, "here") is None
        await asking


async def test_where_nothing_is_held_nobody_is_told_of_idleness() -> None:
    async with a_mesh("a") as mesh:
        written = len(mesh.written("instances/"))
        await asyncio.sleep(3 * IDLE_AFTER_S)
        assert (idle_since_s(mesh, "a"), len(mesh.written("instances/"))) == (None, written)
