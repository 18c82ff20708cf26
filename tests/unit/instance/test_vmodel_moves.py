import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapter.aio.clock import LoopClock
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelRecord, VModelRecord
from adapter.instance.vmodel_moves import FAILED_AGAIN_S, LOAD_S_MAX, PASS_S, VModelMoves
from adapter.mesh.vmodel_states import VModelStatus, status_of
from adapter.mesh.vmodels import SetVModel
from tests.unit.instance.aliased import INFO, Aliased, aliased

A, B, C = (ModelId(name) for name in "abc")


@pytest.fixture
async def instance() -> AsyncIterator[Aliased]:
    """Two copies of a; b and c are registered; an alias is at a."""
    async with aliased() as instance:
        instance.mesh.instances = 3
        for name in (A, B, C):
            await instance.models.create(name, ModelRecord(info=INFO, last_used_ms=7))
        await aim(instance, A)
        instance.mesh.held[A] = 2
        yield instance


@asynccontextmanager
async def leading(instance: Aliased) -> AsyncIterator[None]:
    """No fixture, since time is not yet virtual in those."""
    moves = the_moves(instance)
    running = asyncio.ensure_future(moves.run())
    await asyncio.sleep(0.1)
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert moves._heard not in instance.records.on_change


def the_moves(instance: Aliased) -> VModelMoves:
    return VModelMoves(
        records=instance.records,
        models=instance.models,
        ledger=instance.ledger,
        mesh=instance.mesh,
        clock=LoopClock(),
    )


async def aim(instance: Aliased, target: ModelId, vmodel: str = "v") -> None:
    await instance.vmodels.set(SetVModel(vmodel=vmodel, target=target))


async def record(instance: Aliased) -> VModelRecord | None:
    return await instance.records.get("v", fresh=True)


async def test_the_leader_loads_as_many_copies_as_there_were_and_moves(instance: Aliased) -> None:
    async with leading(instance):
        instance.mesh.load_s = 5.0
        await aim(instance, B)
        await asyncio.sleep(4)
        assert await record(instance) == VModelRecord(active="a", target="b")
        await asyncio.sleep(2)
        assert await record(instance) == VModelRecord(active="b", target="b")
        assert instance.mesh.asked == [(B, 2, True, 7)]


async def test_with_less_room_than_copies_it_moves_with_what_there_is(instance: Aliased) -> None:
    async with leading(instance):
        instance.mesh.instances = 1
        await aim(instance, B)
        await asyncio.sleep(1)
        assert await record(instance) == VModelRecord(active="b", target="b")


async def test_what_was_on_its_way_before_is_found_on_becoming_the_leader(instance: Aliased) -> None:
    await aim(instance, B)
    async with leading(instance):
        await asyncio.sleep(1)
    assert await record(instance) == VModelRecord(active="b", target="b")


async def test_without_a_copy_to_be_matched_nothing_is_loaded(instance: Aliased) -> None:
    await aim(instance, B)
    instance.mesh.held.clear()
    await the_moves(instance).step("v")
    assert await record(instance) == VModelRecord(active="b", target="b")
    assert instance.mesh.asked == []


async def test_a_target_that_cannot_be_loaded_is_tried_again(instance: Aliased) -> None:
    async with leading(instance):
        instance.mesh.failures[B] = "DATA_LOSS: unreadable"
        await aim(instance, B)
        await asyncio.sleep(1)
        assert status_of(await record(instance)) is VModelStatus.TRANSITION_FAILED
        await asyncio.sleep(FAILED_AGAIN_S)
        assert status_of(await record(instance)) is VModelStatus.TRANSITION_FAILED
        assert len(instance.mesh.asked) == 2
        instance.mesh.failures.clear()
        await asyncio.sleep(FAILED_AGAIN_S)
        assert await record(instance) == VModelRecord(active="b", target="b")


async def test_a_failed_target_is_tried_when_its_registration_changes(instance: Aliased) -> None:
    async with leading(instance):
        instance.mesh.failures[B] = "DATA_LOSS: unreadable"
        await aim(instance, B)
        await asyncio.sleep(1)
        instance.mesh.failures.clear()
        await instance.models.update(
            B, lambda there: ModelRecord(info=there.info, references=1, last_used_ms=8)
        )
        await asyncio.sleep(1)
        assert await record(instance) == VModelRecord(active="b", target="b")


async def test_an_alias_that_is_to_go_elsewhere_does_not_wait_for_its_first_target(instance: Aliased) -> None:
    async with leading(instance):
        instance.mesh.load_s = 100.0
        await aim(instance, B)
        await asyncio.sleep(1)
        instance.mesh.load_s = 1.0
        await aim(instance, C)
        await asyncio.sleep(2)
        assert await record(instance) == VModelRecord(active="c", target="c")


async def test_a_target_that_takes_too_long_has_failed(instance: Aliased) -> None:
    async with leading(instance):
        instance.mesh.load_s = LOAD_S_MAX * 2
        await aim(instance, B)
        await asyncio.sleep(LOAD_S_MAX + 1)
        assert status_of(await record(instance)) is VModelStatus.TRANSITION_FAILED


async def test_a_target_that_has_vanished_has_failed(instance: Aliased) -> None:
    await aim(instance, B)
    await instance.models.delete(B, unreferenced=False)
    await the_moves(instance).step("v")
    assert status_of(await record(instance)) is VModelStatus.TRANSITION_FAILED


async def test_a_registry_that_comes_back_finds_the_leader_at_work(instance: Aliased) -> None:
    async with leading(instance):
        instance.mesh.load_s = 5.0
        await aim(instance, B)
        await asyncio.sleep(1)
        instance.registry.away = True
        await asyncio.sleep(60)
        instance.registry.away = False
        await asyncio.sleep(60)
        assert await record(instance) == VModelRecord(active="b", target="b")


async def test_a_broken_alias_holds_up_no_other(instance: Aliased) -> None:
    async with leading(instance):
        await instance.registry.commit({"mm/serving/vmodels/a": b"broken"}, guards={})
        await asyncio.sleep(PASS_S)
        await aim(instance, B)
        await asyncio.sleep(1)
        assert await record(instance) == VModelRecord(active="b", target="b")


async def test_many_aliases_move_and_none_is_left(instance: Aliased) -> None:
    async with leading(instance):
        names = [f"v{number}" for number in range(300)]
        for name in names:
            await aim(instance, A, name)
        instance.mesh.load_s = 1.0
        for name in names:
            await aim(instance, B, name)
        await asyncio.sleep(60)
        records = [await instance.records.get(name, fresh=True) for name in names]
        assert set(map(status_of, records)) == {VModelStatus.DEFINED}
        model = await instance.models.get(B, fresh=True)
        assert model is not None
        assert model.references == 300


async def test_in_read_only_mode_nothing_moves() -> None:
    async with aliased(read_only=True) as instance:
        await instance.registry.commit({"mm/serving/vmodels/v": b'{"amid":"a","tmid":"b"}'}, guards={})
        await the_moves(instance).run()
        assert await record(instance) == VModelRecord(active="a", target="b")
