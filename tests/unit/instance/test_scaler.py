"""More copies where they are needed, and fewer where memory is scarce."""

import asyncio

import pytest

from adapter.domain.errors import RuntimeFailed
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules
from adapter.instance.scaler import SHRINK_EVERY_S
from tests.unit.instance.meshed import AMesh, AnInstance, Given, a_mesh

IRIS = ModelId("iris")
BUSY = Given(settings={"scaleup_rpm": 120})
"""More than two calls a second are too many for one copy."""


async def burst(it: AnInstance, *, a_second: int, for_s: float) -> None:
    """So many calls."""
    for _ in range(round(a_second * for_s)):
        await it.infer("iris")
        await asyncio.sleep(1 / a_second)


async def test_min_copies_are_there_soon_after_the_registration(mesh: AMesh) -> None:
    await mesh["b"].registered("iris", rules=CopyRules(copies_min=2))
    assert await mesh.until(lambda: len(mesh.held("iris")) == 2) < 1.0
    await asyncio.sleep(5)
    assert len(mesh.held("iris")) == 2


async def test_min_copies_are_as_many_as_there_are_instances_for(mesh: AMesh) -> None:
    await mesh["b"].registered("iris", rules=CopyRules(copies_min=7))
    await mesh.until(lambda: len(mesh.held("iris")) == 3)


async def test_what_a_killed_instance_held_is_made_up_for() -> None:
    async with a_mesh("a", "b", "c", "d") as mesh:
        await mesh["a"].registered("iris", rules=CopyRules(copies_min=2))
        await mesh.until(lambda: len(mesh.held("iris")) == 2)
        await asyncio.sleep(6)
        victim = next(name for name in reversed(mesh.held("iris")) if name != "a")
        await mesh.kill(victim)
        await mesh.until(lambda: len(mesh.held("iris")) == 2, within_s=mesh["a"].settings.lease_s + 60)


async def test_what_a_killed_leader_held_is_made_up_for_by_the_next_one() -> None:
    async with a_mesh("a", "b", "c", "d") as mesh:
        await mesh["a"].load_here("iris")
        await mesh["d"].registered("iris", rules=CopyRules(copies_min=2))
        await mesh.until(lambda: len(mesh.held("iris")) == 2)
        await asyncio.sleep(6)
        await mesh.kill("a")
        await mesh.until(lambda: len(mesh.held("iris")) == 2, within_s=mesh["b"].settings.lease_s + 70)


async def test_a_burst_gets_a_further_copy_within_two_seconds() -> None:
    async with a_mesh("a", "b", "c", given=BUSY) as mesh:
        await mesh["a"].registered("iris")
        await mesh["a"].infer("iris")
        await asyncio.sleep(10)
        async with asyncio.TaskGroup() as group:
            group.create_task(burst(mesh.holder("iris"), a_second=10, for_s=3))
            assert await mesh.until(lambda: len(mesh.held("iris")) >= 2) <= 2.0


async def test_many_calls_at_a_time_get_a_further_copy() -> None:
    async with a_mesh("a", "b", "c") as mesh:
        await mesh["a"].registered("iris")
        await mesh["a"].infer("iris")
        await asyncio.sleep(10)
        holder = mesh.holder("iris")
        holder.inference.holds = True
        asking = [asyncio.ensure_future(holder.infer("iris")) for _ in range(40)]
        took_s = await mesh.until(lambda: len(mesh.held("iris")) >= 2)
        holder.inference.answer_all()
        await asyncio.gather(*asking)
        assert took_s <= 5.0


async def test_max_copies_are_not_exceeded() -> None:
    async with a_mesh("a", "b", "c", given=BUSY) as mesh:
        await mesh["a"].registered("iris", rules=CopyRules(copies_max=1))
        await mesh["a"].infer("iris")
        await asyncio.sleep(10)
        await burst(mesh.holder("iris"), a_second=10, for_s=10)
        assert len(mesh.held("iris")) == 1


async def test_who_drains_asks_for_no_copies() -> None:
    async with a_mesh("a", "b", given=BUSY) as mesh:
        await mesh["a"].registered("iris")
        await mesh["a"].infer("iris")
        await asyncio.sleep(10)
        holder = mesh.holder("iris")
        holder.parts.scaler.draining = True
        await burst(holder, a_second=10, for_s=5)
        assert len(mesh.held("iris")) == 1


async def test_a_copy_that_fails_is_not_asked_for_again_and_again(mesh: AMesh) -> None:
    for each in mesh:
        each.runtime.load_failures[IRIS] = RuntimeFailed("no")
    await mesh["a"].registered("iris", rules=CopyRules(copies_min=2))
    await asyncio.sleep(120)
    assert sum(each.disk.pulls[IRIS] for each in mesh) == 3


async def test_steady_use_gets_a_second_copy(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await mesh["a"].infer("iris")
    holder = mesh.holder("iris")
    await asyncio.sleep(10 * 60)
    assert len(mesh.held("iris")) == 1
    await holder.infer("iris")
    await mesh.until(lambda: len(mesh.held("iris")) == 2, within_s=5.0)


@pytest.mark.parametrize("pinned", [False, True], ids=["as usual", "pinned"])
async def test_where_memory_is_scarce_an_idle_second_copy_goes_unless_it_is_pinned(pinned: bool) -> None:
    async with a_mesh("a", "b", given=Given(capacity_bytes=10_000)) as mesh:
        await mesh["a"].registered("iris", rules=CopyRules(pinned=pinned))
        for each in mesh:
            await each.load_here("iris")
            for number in range(7):
                await each.registered(f"{each.name}{number}")
                await each.load_here(f"{each.name}{number}")
        await asyncio.sleep(60)
        for _ in range(13):
            await asyncio.sleep(SHRINK_EVERY_S)
            for each in mesh:
                for number in range(7):
                    await each.load_here(f"{each.name}{number}")
        assert len(mesh.held("iris")) == (2 if pinned else 1)


async def test_nobody_gives_up_what_no_other_says_that_it_has(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await mesh["b"].load_here("iris")
    await asyncio.sleep(1)
    await mesh["b"].parts.scaler._give_up(IRIS, "a test says so")
    assert mesh.held("iris") == ["b"]
    await mesh["c"].load_here("iris")
    await asyncio.sleep(1)
    await mesh["b"].parts.scaler._give_up(IRIS, "a test says so")
    await asyncio.sleep(1)
    assert mesh.held("iris") == ["c"]


async def test_the_record_tells_how_much_is_asked(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await mesh["a"].infer("iris")
    holder = mesh.holder("iris")
    await burst(holder, a_second=10, for_s=60)
    assert holder.parts.scaler.rpm() == pytest.approx(600, rel=0.05)
    await asyncio.sleep(3)
    for each in mesh:
        assert each.parts.ways.instances()[holder.id].record.rpm == pytest.approx(600, rel=0.1)
