"""One more copy: where it goes, what is tried, and what is told of failures."""

import asyncio

import pytest

from adapter.domain.errors import AdapterError, ModelCorrupt, NowhereToLoad, ObjectMissing
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyState
from adapter.instance.copies import Added
from tests.unit.instance.meshed import AMesh, AnInstance

IRIS = ModelId("iris")


async def add(it: AnInstance, *, wait_s: float = 30.0, excluded: tuple[str, ...] = ()) -> Added:
    return await it.parts.copies.add(
        IRIS,
        await it.models.record(IRIS),
        because="a test asks",
        wait_s=wait_s,
        excluded={InstanceId(name): "not there" for name in excluded},
    )


async def test_each_copy_goes_where_there_is_none_until_all_have_one(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for copies in (1, 2, 3):
        added = await add(mesh["a"])
        assert added.loaded
        await asyncio.sleep(1)
        assert len(mesh.held("iris")) == mesh["a"].parts.copies.loaded(IRIS) == copies
    with pytest.raises(NowhereToLoad, match="it holds the model already"):
        await add(mesh["a"])


async def test_who_does_not_wait_is_told_that_it_loads(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for each in mesh:
        each.runtime.load_s = 20.0
    added = await add(mesh["a"], wait_s=0.0)
    assert not added.loaded
    await asyncio.sleep(1)
    copies = mesh["a"].parts.copies
    assert (copies.loaded(IRIS), copies.there_or_coming(IRIS)) == (0, 1)
    await copies.awaited(IRIS, await mesh["a"].models.record(IRIS), wait_s=60.0)
    assert mesh.held("iris") == [added.instance]


@pytest.mark.parametrize("excluded", [("a",), ("b",), ("c",)], ids=lambda names: names[0])
async def test_a_failure_elsewhere_moves_on_to_the_next(mesh: AMesh, excluded: tuple[str, ...]) -> None:
    await mesh["a"].registered("iris")
    first, second = (each for each in mesh if each.name not in excluded)
    first.runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
    added = await add(mesh["a"], excluded=excluded)
    assert (added.instance, mesh.held("iris")) == (second.name, [second.name])


async def test_when_all_failed_the_last_error_is_told(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for each in mesh:
        each.runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
    with pytest.raises(ModelCorrupt, match="unreadable"):
        await add(mesh["a"])


async def test_who_waits_for_a_load_hears_of_its_failure(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for each in mesh:
        each.disk.pull_s = 5.0
        each.disk.failures[IRIS] = ObjectMissing("nothing there")
    added = await add(mesh["b"], wait_s=0.0)
    await asyncio.sleep(1)
    with pytest.raises(AdapterError, match="nothing there"):
        await mesh["a"].parts.copies.awaited(IRIS, await mesh["a"].models.record(IRIS), wait_s=60.0)
    assert mesh["a"].sees("iris")[str(added.instance)].state is CopyState.FAILED


async def test_one_that_lies_dead_is_passed_over(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await mesh.kill("b")
    for _ in range(2):
        await add(mesh["a"])
        await asyncio.sleep(0.5)
    assert mesh.held("iris") == ["a", "c"]


async def test_a_copy_that_drains_is_none(mesh: AMesh) -> None:
    it = mesh["b"]
    await it.registered("iris")
    await it.load_here("iris")
    await asyncio.sleep(0.5)
    assert mesh["a"].parts.copies.loaded(IRIS) == 1
    it.parts.announcer.announce(draining=True)
    await asyncio.sleep(0.5)
    assert mesh["a"].parts.copies.loaded(IRIS) == 0
