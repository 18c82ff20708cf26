"""What the leader does for the whole mesh."""

import asyncio

import pytest

from adapter.domain.errors import Code
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules
from adapter.instance.leading import COUNT_EVERY_S, FIRST_PASS_S, LOOK_S, PAGE
from adapter.registry.model_records import ModelRecords
from tests.unit.instance.meshed import PREFIX, AMesh, Given, a_mesh

IRIS = ModelId("iris")


def leaders(mesh: AMesh) -> list[str]:
    return [each.name for each in mesh if each.parts.state.is_leader]


async def test_one_leads_and_another_when_it_is_gone(mesh: AMesh) -> None:
    assert leaders(mesh) == ["a"]
    await mesh.kill("a")
    await asyncio.sleep(mesh["b"].settings.lease_s + 1)
    assert leaders(mesh) == ["b"]
    assert {str(each.parts.state.leader) for each in mesh} == {"b"}


async def test_who_comes_back_does_not_lead_again(mesh: AMesh) -> None:
    await mesh.leave("a")
    await mesh.start("a")
    await asyncio.sleep(1)
    assert leaders(mesh) == ["b"]


async def test_what_there_is_room_for_is_loaded_in_advance_over_all(mesh: AMesh) -> None:
    for number in range(30):
        await mesh["b"].registered(f"m{number}")
    await asyncio.sleep(FIRST_PASS_S + 10)
    held = [len(each.runtime.held) for each in mesh]
    assert sum(held) == 30
    assert min(held) > 0


async def test_a_full_instance_is_not_filled_further() -> None:
    async with a_mesh("a", given=Given(capacity_bytes=10_000)) as mesh:
        for number in range(30):
            await mesh["a"].registered(f"m{number}")
        await asyncio.sleep(FIRST_PASS_S + 10)
        assert 0 < len(mesh["a"].runtime.held) < 8


async def test_missing_copies_are_found_by_the_pass(mesh: AMesh) -> None:
    records = ModelRecords(mesh.registry, PREFIX)
    await mesh["b"].registered("iris")
    await records.update(IRIS, lambda there: type(there)(info=there.info, rules=CopyRules(copies_min=2)))
    await asyncio.sleep(FIRST_PASS_S + 10)
    assert len(mesh.held("iris")) == 2


async def test_every_page_is_gone_through(mesh: AMesh) -> None:
    for number in range(PAGE + 1):
        await mesh["b"].registered(f"m{number:04}")
    await mesh["b"].registered("zzz", rules=CopyRules(copies_min=1))
    await mesh.until(lambda: mesh.held("zzz"))
    await asyncio.sleep(FIRST_PASS_S + 20)
    assert sum(len(each.runtime.held) for each in mesh) > 30


async def test_an_unreadable_registration_does_not_end_the_pass(mesh: AMesh) -> None:
    await mesh.registry.commit({f"{PREFIX}registry/bad": b"\xff{"}, guards={})
    await mesh["b"].registered("iris")
    await asyncio.sleep(FIRST_PASS_S + 10)
    assert mesh.held("iris")


async def test_a_registry_that_is_away_is_waited_for(mesh: AMesh) -> None:
    await mesh["b"].registered("iris")
    mesh.registry.away = True
    await asyncio.sleep(5)
    mesh.registry.away = False
    await asyncio.sleep(FIRST_PASS_S + 10)
    assert mesh.held("iris")


async def test_an_alias_moves_when_its_target_is_loaded(mesh: AMesh) -> None:
    for name in ("old", "new"):
        await mesh["b"].registered(name)
    await mesh["b"].aliased("alias", "old")
    await mesh["b"].infer("old")
    await mesh["b"].aliased("alias", "new")
    await asyncio.sleep(30)
    assert (await mesh["c"].ask(metadata=[("mm-vmodel-id", "alias")])).code is Code.OK
    assert mesh.holder("new").inference.models[-1:] == ["new"]


async def test_the_leader_alone_tells_the_figures_of_the_mesh(mesh: AMesh) -> None:
    for name in ("iris", "mnist"):
        await mesh["b"].registered(name)
    await mesh["b"].infer("iris")
    await asyncio.sleep(COUNT_EVERY_S + LOOK_S)
    told = [each.parts.leading.figures() for each in mesh]
    assert told[1:] == [None, None]
    assert told[0] is not None
    assert (told[0].managed, told[0].loaded, told[0].failed) == (2, 1, 0)


async def test_who_leads_no_more_stops(mesh: AMesh) -> None:
    await asyncio.sleep(1)
    mesh["a"].parts.announcer.stand_down()
    await asyncio.sleep(2 * LOOK_S)
    assert leaders(mesh) == ["b"]
    assert mesh["a"].parts.leading.figures() is None
    await asyncio.sleep(COUNT_EVERY_S)
    assert mesh["b"].parts.leading.figures() == pytest.approx(mesh["b"].parts.leading.figures())
