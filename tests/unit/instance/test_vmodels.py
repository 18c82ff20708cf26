import asyncio
from collections.abc import AsyncIterator

import pytest

from adapter.domain.errors import Code, InvalidRequest, ModelNotFound, RegistryUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules, ModelRecord, VModelRecord
from adapter.domain.status import ModelStatus
from adapter.instance.vmodels import SYNC_S_MAX, VModelsReadOnly
from adapter.mesh.vmodel_states import VModelStatus
from adapter.mesh.vmodels import CopyCounts, SetVModel, VModelReport
from tests.unit.instance.aliased import INFO, Aliased, aliased

A, B = ModelId("a"), ModelId("b")


@pytest.fixture
async def instance() -> AsyncIterator[Aliased]:
    """With the models a and b registered."""
    async with aliased() as instance:
        for name in (A, B):
            await instance.models.create(name, ModelRecord(info=INFO))
        yield instance


def asked(target: ModelId, **fields: object) -> SetVModel:
    return SetVModel(vmodel="v", target=target, **fields)  # type: ignore[arg-type]


def told(report: VModelReport) -> tuple[VModelStatus, str, str]:
    assert report.record is not None
    return report.status, report.record.active, report.record.target


async def on_its_way(instance: Aliased) -> None:
    """From a, which has a copy, to b."""
    await instance.vmodels.set(asked(A))
    instance.mesh.held[A] = 1
    report = await instance.vmodels.set(asked(B))
    assert told(report) == (VModelStatus.TRANSITIONING, "a", "b")


async def test_a_new_alias_is_defined_and_says_what_its_model_is(instance: Aliased) -> None:
    report = await instance.vmodels.set(asked(A, owner="x"))
    assert told(report) == (VModelStatus.DEFINED, "a", "a")
    assert report.active is not None
    assert (report.active.status, report.target) == (ModelStatus.NOT_LOADED, None)
    assert instance.mesh.asked == []
    assert await instance.vmodels.status("v") == report
    assert await instance.vmodels.status("v", owner="x") == report


async def test_the_owner_of_a_new_alias_may_be_a_setting() -> None:
    async with aliased(default_owner="y") as instance:
        report = await instance.vmodels.set(asked(A, info=INFO))
        assert report.record == VModelRecord(active="a", target="a", owner="y")


@pytest.mark.parametrize("owner", ["", "y"], ids=["absent", "another owner's"])
async def test_what_is_not_there_or_not_the_callers_is_not_found(instance: Aliased, owner: str) -> None:
    if owner:
        await instance.vmodels.set(asked(A))
    assert await instance.vmodels.status("v", owner=owner) == VModelReport()


@pytest.mark.parametrize(
    ("fields", "calls"),
    [
        pytest.param({}, [], id="nothing asked"),
        pytest.param({"sync": True}, [], id="sync alone"),
        pytest.param({"sync": True, "info": INFO}, [(A, 1, True, 0)], id="sync, and how to create it"),
        pytest.param({"load_now": True}, [(A, 1, False, 0)], id="load now"),
        pytest.param({"load_now": True, "sync": True}, [(A, 1, True, 0)], id="load now, and wait"),
    ],
)
async def test_a_new_alias_has_its_target_loaded_if_it_is_asked_to(
    instance: Aliased, fields: dict[str, object], calls: list[object]
) -> None:
    await instance.vmodels.set(asked(A, **fields))
    assert instance.mesh.asked == calls


async def test_whoever_looks_after_copies_is_told_of_rules_when_they_come(instance: Aliased) -> None:
    ruled: list[tuple[ModelId, CopyRules]] = []
    instance.vmodels.on_rules = lambda model, record: ruled.append((model, record.rules))
    await instance.vmodels.set(asked(A))
    assert ruled == []
    two = asked(ModelId("c"), info=INFO, rules=CopyRules(copies_min=2))
    await instance.vmodels.set(two)
    await instance.vmodels.set(two)
    assert ruled == [(ModelId("c"), CopyRules(copies_min=2))]


async def test_what_is_on_its_way_tells_of_both_models(instance: Aliased) -> None:
    await on_its_way(instance)
    report = await instance.vmodels.status("v")
    assert report.active is not None
    assert report.target is not None
    assert (report.active.status, report.target.status) == (ModelStatus.LOADED, ModelStatus.LOADING)


async def test_a_target_that_failed_is_told_with_its_errors(instance: Aliased) -> None:
    await on_its_way(instance)
    instance.mesh.failures[B] = "DATA_LOSS: unreadable"
    await instance.move(B, CopyCounts(active=1, target=0))
    report = await instance.vmodels.status("v")
    assert report.status is VModelStatus.TRANSITION_FAILED
    assert report.target is not None
    assert report.target.status is ModelStatus.LOADING_FAILED
    assert report.target.errors == ("DATA_LOSS: unreadable",)


async def test_a_target_that_has_vanished_is_told(instance: Aliased) -> None:
    await on_its_way(instance)
    await instance.models.delete(B, unreferenced=False)
    report = await instance.vmodels.status("v")
    assert report.target is not None
    assert report.target.status is ModelStatus.NOT_FOUND


async def test_sync_waits_until_the_alias_has_moved(instance: Aliased) -> None:
    await on_its_way(instance)
    setting = asyncio.ensure_future(instance.vmodels.set(asked(B, sync=True)))
    await asyncio.sleep(60)
    assert not setting.done()
    await instance.move(B, CopyCounts(active=1, target=1))
    loop = asyncio.get_running_loop()
    before_s = loop.time()
    assert told(await setting) == (VModelStatus.DEFINED, "b", "b")
    assert loop.time() - before_s < 1


async def test_sync_ends_when_the_target_cannot_be_loaded(instance: Aliased) -> None:
    await on_its_way(instance)
    setting = asyncio.ensure_future(instance.vmodels.set(asked(B, sync=True)))
    await asyncio.sleep(1)
    await instance.move(B, CopyCounts(active=1, target=0))
    assert told(await setting) == (VModelStatus.TRANSITION_FAILED, "a", "b")


@pytest.mark.parametrize("deed", ["set", "delete"])
async def test_sync_ends_when_the_alias_is_to_be_something_else(instance: Aliased, deed: str) -> None:
    await on_its_way(instance)
    setting = asyncio.ensure_future(instance.vmodels.set(asked(B, sync=True)))
    await asyncio.sleep(1)
    if deed == "set":
        await instance.vmodels.set(asked(A))
    else:
        await instance.vmodels.delete("v")
    report = await setting
    assert report.status is (VModelStatus.DEFINED if deed == "set" else VModelStatus.NOT_FOUND)


async def test_sync_waits_four_minutes_at_most(instance: Aliased) -> None:
    await on_its_way(instance)
    loop = asyncio.get_running_loop()
    before_s = loop.time()
    report = await instance.vmodels.set(asked(B, sync=True))
    assert told(report) == (VModelStatus.TRANSITIONING, "a", "b")
    assert loop.time() - before_s == pytest.approx(SYNC_S_MAX)
    assert instance.vmodels._waiting == {}


async def test_a_deleted_alias_releases_its_model(instance: Aliased) -> None:
    await instance.vmodels.set(asked(A))
    await instance.vmodels.delete("v", owner="y")
    assert (await instance.vmodels.status("v")).status is VModelStatus.DEFINED, "not the caller's"
    for _ in range(2):
        await instance.vmodels.delete("v")
    assert (await instance.vmodels.status("v")).status is VModelStatus.NOT_FOUND
    assert await instance.models.delete(A)


async def test_a_static_alias_is_set_with_its_model(instance: Aliased) -> None:
    await instance.vmodels.set_static("s", ModelId("new"), INFO, auto_delete=True)
    record = await instance.models.get(ModelId("new"))
    assert record is not None
    assert (record.references, record.auto_delete) == (1, True)


async def test_in_read_only_mode_aliases_are_told_and_not_changed() -> None:
    async with aliased(read_only=True) as instance:
        with pytest.raises(InvalidRequest):
            await instance.vmodels.set(asked(ModelId("")))
        for refused in (instance.vmodels.set(asked(A)), instance.vmodels.delete("v")):
            with pytest.raises(VModelsReadOnly) as caught:
                await refused
            assert caught.value.code is Code.UNAVAILABLE
        assert (await instance.vmodels.status("v")).status is VModelStatus.NOT_FOUND


async def test_errors_are_passed_on(instance: Aliased) -> None:
    with pytest.raises(ModelNotFound, match="model not found: c"):
        await instance.vmodels.set(asked(ModelId("c")))
    instance.registry.away = True
    with pytest.raises(RegistryUnavailable):
        await instance.vmodels.set(asked(A))
