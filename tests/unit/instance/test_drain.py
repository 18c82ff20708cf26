"""Leaving without a request noticing."""

import asyncio

import pytest

from adapter.domain.errors import Code, RuntimeFailed
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules
from adapter.instance.drain import KEPT_BACK_S
from tests.unit.instance.meshed import AMesh, AnInstance, Given, a_mesh

IRIS = ModelId("iris")


async def holding(
    mesh: AMesh, *models: str, rules: CopyRules | None = None, used_ago_s: float = 0.0
) -> AnInstance:
    """An instance that alone holds these models."""
    it = mesh["b"]
    for model in models or ("iris",):
        await it.registered(model, rules=rules)
        await it.load_here(model, used_ago_s=used_ago_s)
    await asyncio.sleep(0.5)
    return it


async def test_what_is_needed_is_loaded_elsewhere_before_it_is_withdrawn(mesh: AMesh) -> None:
    it = await holding(mesh)
    for each in mesh:
        each.runtime.load_s = 3.0
    leaving = asyncio.ensure_future(it.parts.drain.leave())
    await asyncio.sleep(1)
    assert "iris/b" in mesh.keys("copies/")
    assert (await mesh["a"].infer("iris")).code is Code.OK
    await leaving
    assert mesh["a"].clock.now_s() == pytest.approx(3.6, abs=0.5)
    (other,) = (key for key in mesh.keys("copies/") if key.startswith("iris/"))
    assert other in {"iris/a", "iris/c"}
    assert it.holds("iris"), "it answers until it is gone"


async def test_no_call_notices_that_an_instance_leaves(mesh: AMesh) -> None:
    it = await holding(mesh, "iris", "mnist")
    answers: list[Code] = []

    async def ask() -> None:
        while len(answers) < 200:
            answers.append((await mesh["a"].infer("iris" if len(answers) % 2 else "mnist")).code)
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask())
        await asyncio.sleep(1)
        await mesh.leave(it.name)
    assert set(answers) == {Code.OK}
    assert sorted(mesh.keys("instances/")) == ["a", "c"]


async def test_nothing_new_is_placed_on_who_drains(mesh: AMesh) -> None:
    await mesh["b"].parts.drain.leave()
    await asyncio.sleep(0.1)
    for number in range(20):
        await mesh["a"].registered(f"m{number}")
        assert (await mesh["a"].infer(f"m{number}")).code is Code.OK
    assert not mesh["b"].runtime.held


async def test_what_nobody_needs_is_given_up(mesh: AMesh) -> None:
    it = await holding(mesh, used_ago_s=2 * 3600.0)
    await it.parts.drain.leave()
    assert [key for key in mesh.keys("copies/") if key.startswith("iris/")] == []
    assert mesh.loads("iris") == 1


async def test_what_others_have_is_not_loaded_again(mesh: AMesh) -> None:
    it = await holding(mesh)
    await mesh["c"].load_here("iris")
    await asyncio.sleep(0.5)
    await it.parts.drain.leave()
    assert mesh.keys("copies/") == ["iris/c"]
    assert mesh.loads("iris") == 2


async def test_what_is_pinned_is_loaded_elsewhere_however_long_unused(mesh: AMesh) -> None:
    it = await holding(mesh, rules=CopyRules(pinned=True), used_ago_s=5 * 3600.0)
    await it.parts.drain.leave()
    assert len(mesh.keys("copies/")) == 1


async def test_a_copy_that_cannot_be_loaded_elsewhere_does_not_hold_it_up(mesh: AMesh) -> None:
    it = await holding(mesh)
    for name in ("a", "c"):
        mesh[name].runtime.load_failures[IRIS] = RuntimeFailed("no")
    await it.parts.drain.leave()
    assert mesh["a"].clock.now_s() < 3.0
    assert "iris/b" not in mesh.keys("copies/")


async def test_the_grace_period_is_kept() -> None:
    given = Given(settings={"shutdown_timeout_ms": 20_000})
    async with a_mesh("a", "b", "c", given=given) as mesh:
        it = await holding(mesh)
        for each in mesh:
            each.runtime.load_s = 1000.0
        began_s = it.clock.now_s()
        await it.parts.drain.leave()
        assert it.clock.now_s() - began_s == pytest.approx(20.0 - KEPT_BACK_S, abs=0.5)


async def test_the_last_one_just_goes(instance: AnInstance) -> None:
    await instance.load(await instance.registered("iris"))
    began_s = instance.clock.now_s()
    await instance.parts.drain.leave()
    assert instance.clock.now_s() - began_s < 1.0


async def test_another_one_leads_at_once(mesh: AMesh) -> None:
    assert mesh["b"].parts.state.leader == "a"
    await mesh["a"].parts.drain.leave()
    await asyncio.sleep(0.1)
    assert mesh["b"].parts.state.leader == "b"
