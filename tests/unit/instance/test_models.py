import asyncio

import pytest

from adapter.domain.errors import InvalidRequest, ModelCorrupt, ModelExists, ModelNotFound, Refused
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.status import ModelStatus
from adapter.instance.models import AGE_WHEN_LOADED_NOW_MS, AGE_WHEN_REGISTERED_MS, HOUR_MS
from adapter.registry.encoding import decode_model
from adapter.wire.headers import ModelRef, RefKind
from tests.unit.instance.meshed import INFO, AnInstance

IRIS = ModelId("iris")


def last_used_ms(instance: AnInstance) -> int:
    entry = instance.registry.entries["/tas-runtime/mm/registry/iris"]
    return decode_model(entry.key, entry.value).last_used_ms


async def test_a_registered_model_is_not_loaded_until_it_is_asked_for(instance: AnInstance) -> None:
    told = await instance.models.register(IRIS, INFO, load_now=False, sync=False, last_used_ms=0)
    assert (told.status, told.copies) == (ModelStatus.NOT_LOADED, ())
    await instance.load(IRIS)
    told = await instance.models.status(IRIS)
    assert told.status is ModelStatus.LOADED
    assert [copy.instance for copy in told.copies] == ["a"]


async def test_load_now_without_sync_answers_while_it_loads(instance: AnInstance) -> None:
    instance.disk.pull_s = 5.0
    told = await instance.models.register(IRIS, INFO, load_now=True, sync=False, last_used_ms=0)
    assert told.status is ModelStatus.LOADING


async def test_load_now_with_sync_answers_when_it_is_loaded(instance: AnInstance) -> None:
    instance.disk.pull_s = 5.0
    told = await instance.models.register(IRIS, INFO, load_now=True, sync=True, last_used_ms=0)
    assert told.status is ModelStatus.LOADED


async def test_a_failed_load_is_told_and_not_raised(instance: AnInstance) -> None:
    instance.runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
    told = await instance.models.register(IRIS, INFO, load_now=True, sync=True, last_used_ms=0)
    assert (told.status, told.errors) == (ModelStatus.LOADING_FAILED, ("DATA_LOSS: unreadable",))
    assert [copy.status for copy in told.copies] == [ModelStatus.LOADING_FAILED]


async def test_the_same_registration_again_is_fine(instance: AnInstance) -> None:
    await instance.registered("iris")
    told = await instance.models.register(IRIS, INFO, load_now=False, sync=False, last_used_ms=0)
    assert told.status is ModelStatus.NOT_LOADED


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(ModelInfo(type="onnx", path="x"), id="type"),
        pytest.param(ModelInfo(type="sklearn", path="y"), id="path"),
        pytest.param(ModelInfo(type="sklearn", path="x", key="k"), id="key"),
    ],
)
async def test_another_registration_under_the_name_is_refused(instance: AnInstance, other: ModelInfo) -> None:
    await instance.registered("iris")
    with pytest.raises(ModelExists, match="Model already exists with different"):
        await instance.models.register(IRIS, other, load_now=False, sync=False, last_used_ms=0)


async def test_a_model_needs_a_type(instance: AnInstance) -> None:
    with pytest.raises(InvalidRequest, match="type"):
        await instance.models.register(IRIS, ModelInfo(type=""), load_now=False, sync=False, last_used_ms=0)


@pytest.mark.parametrize(
    ("load_now", "age_ms"),
    [(True, AGE_WHEN_LOADED_NOW_MS), (False, AGE_WHEN_REGISTERED_MS)],
    ids=["loaded now", "registered"],
)
async def test_a_new_model_counts_as_used_a_while_ago(
    instance: AnInstance, load_now: bool, age_ms: int
) -> None:
    await instance.models.register(IRIS, INFO, load_now=load_now, sync=True, last_used_ms=0)
    assert instance.clock.epoch_ms() - last_used_ms(instance) == pytest.approx(age_ms, abs=60_000)


@pytest.mark.parametrize(
    ("later_ms", "noted"), [(HOUR_MS // 2, False), (2 * HOUR_MS, True)], ids=["soon", "much later"]
)
async def test_only_a_much_later_use_is_noted(instance: AnInstance, later_ms: int, noted: bool) -> None:
    first_ms = instance.clock.epoch_ms() - 3 * HOUR_MS
    for used_ms in (first_ms, first_ms + later_ms):
        await instance.models.register(IRIS, INFO, load_now=False, sync=False, last_used_ms=used_ms)
    assert (last_used_ms(instance) > first_ms) is noted


async def test_what_is_unregistered_is_unloaded_and_unknown(instance: AnInstance) -> None:
    await instance.registered("iris")
    await instance.load(IRIS)
    instance.cache.acquire(IRIS, instance.clock.now_s())
    instance.loader.carry_out(instance.cache.release(IRIS, instance.clock.now_s()))
    await instance.models.unregister(IRIS)
    await asyncio.sleep(1)
    assert instance.runtime.held == {}
    assert (await instance.models.status(IRIS)).status is ModelStatus.NOT_FOUND
    await instance.models.unregister(IRIS)


async def test_unregistering_forgets_the_failure(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
    with pytest.raises(ModelCorrupt):
        await instance.load(IRIS)
    instance.runtime.load_failures.clear()
    await instance.models.unregister(IRIS)
    await instance.registered("iris")
    await instance.load(IRIS)


async def test_what_is_not_registered_cannot_be_loaded(instance: AnInstance) -> None:
    with pytest.raises(ModelNotFound, match="iris is not registered"):
        await instance.models.ensure_loaded(IRIS, sync=True, last_used_ms=0)


async def test_ready_never_loads(instance: AnInstance) -> None:
    await instance.registered("iris")
    assert await instance.models.ready(ModelRef(RefKind.EITHER, "iris"))
    assert not instance.disk.pulls
    with pytest.raises(ModelNotFound):
        await instance.models.ready(ModelRef(RefKind.MODEL, "nobody"))


async def test_a_model_whose_load_failed_is_not_ready(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
    await instance.models.ensure_loaded(IRIS, sync=True, last_used_ms=0)
    assert not await instance.models.ready(ModelRef(RefKind.MODEL, "iris"))


ANY_IRIS = ModelRef(RefKind.EITHER, "iris")


async def test_the_repository_calls_load_and_unload_and_leave_the_registration(instance: AnInstance) -> None:
    await instance.registered("iris")
    await instance.models.repository_load(ANY_IRIS)
    instance.cache.acquire(IRIS, instance.clock.now_s())
    instance.loader.carry_out(instance.cache.release(IRIS, instance.clock.now_s()))
    await instance.models.repository_unload(ANY_IRIS)
    await asyncio.sleep(1)
    assert instance.runtime.held == {}
    assert (await instance.models.status(IRIS)).status is ModelStatus.NOT_LOADED
    await instance.models.repository_load(ANY_IRIS)
    assert IRIS in instance.runtime.held


async def test_a_repository_load_fails_as_the_load_does(instance: AnInstance) -> None:
    with pytest.raises(ModelNotFound):
        await instance.models.repository_load(ANY_IRIS)
    with pytest.raises(ModelNotFound):
        await instance.models.repository_unload(ANY_IRIS)
    await instance.registered("iris")
    instance.runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
    with pytest.raises(ModelCorrupt):
        await instance.models.repository_load(ANY_IRIS)


async def test_a_model_that_callers_wait_for_is_not_unloaded(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.disk.pull_s = 1.0
    async with asyncio.TaskGroup() as callers:
        callers.create_task(instance.load(IRIS))
        await asyncio.sleep(0.5)
        with pytest.raises(Refused, match="is being loaded for calls that wait"):
            await instance.models.repository_unload(ANY_IRIS)
    assert IRIS in instance.runtime.held


async def test_names_come_in_pages_with_their_states(instance: AnInstance) -> None:
    for name in ("c", "a", "b"):
        await instance.registered(name)
    await instance.load(ModelId("b"))
    assert await instance.models.names(after="a", limit=10) == [
        ("b", ModelStatus.LOADED),
        ("c", ModelStatus.NOT_LOADED),
    ]
