import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from adapter.domain.errors import RecordUnreadable, Refused, RegistryReadOnly, RegistryUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo, ModelRecord
from adapter.registry.cached_records import TRIES_MAX
from adapter.registry.model_records import ModelRecords
from adapter.registry.registry import Entry
from tests.fakes.memory_registry import MemoryRegistry

IRIS, MNIST = ModelId("iris"), ModelId("mnist")
KEY = "mm/serving/registry/iris"


def a_record(path: str = "p") -> ModelRecord:
    return ModelRecord(info=ModelInfo(type="t", path=path))


def used_at(used_ms: int) -> Callable[[ModelRecord], ModelRecord]:
    return lambda record: replace(record, last_used_ms=used_ms)


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def records(registry: MemoryRegistry) -> ModelRecords:
    return ModelRecords(registry, "mm/serving/")


async def test_a_registration_stands_where_modelmesh_has_it(
    records: ModelRecords, registry: MemoryRegistry
) -> None:
    assert await records.create(IRIS, a_record())
    assert registry.entries[KEY].value == b'{"type":"t","mPath":"p"}'


def test_a_prefix_without_its_end_is_refused(registry: MemoryRegistry) -> None:
    with pytest.raises(ValueError, match="must end in /"):
        ModelRecords(registry, "mm/serving")


async def test_a_name_is_registered_once(records: ModelRecords) -> None:
    assert await records.create(IRIS, a_record("first"))
    assert not await records.create(IRIS, a_record("second"))
    assert await records.get(IRIS) == a_record("first")


async def test_of_many_who_register_one_name_one_succeeds(records: ModelRecords) -> None:
    created = await asyncio.gather(*(records.create(IRIS, a_record(str(n))) for n in range(20)))
    assert created.count(True) == 1
    assert await records.get(IRIS) == a_record(str(created.index(True)))


async def test_what_is_not_registered_is_none(records: ModelRecords) -> None:
    assert await records.get(IRIS) is None
    assert records.cached(IRIS) is None
    assert not await records.delete(IRIS)
    assert await records.update(IRIS, used_at(1)) is None


async def test_what_was_created_or_read_is_at_hand(records: ModelRecords, registry: MemoryRegistry) -> None:
    await records.create(IRIS, a_record())
    assert records.cached(IRIS) == a_record()
    fresh = ModelRecords(registry, "mm/serving/")
    assert fresh.cached(IRIS) is None
    assert [await fresh.get(IRIS), await fresh.get(IRIS), fresh.cached(IRIS)] == [a_record()] * 3
    assert registry.reads == 1


async def test_what_was_unregistered_is_forgotten(records: ModelRecords) -> None:
    await records.create(IRIS, a_record())
    assert await records.delete(IRIS)
    assert records.cached(IRIS) is None
    assert await records.get(IRIS) is None
    assert await records.create(IRIS, a_record("anew"))


async def test_what_a_vmodel_names_is_not_unregistered(records: ModelRecords) -> None:
    await records.create(IRIS, replace(a_record(), references=2))
    with pytest.raises(Refused, match=r"iris has referents: vmodels name it \(2 in all\)"):
        await records.delete(IRIS)
    assert await records.delete(IRIS, unreferenced=False)


async def test_in_read_only_mode_nothing_is_registered_or_forgotten(registry: MemoryRegistry) -> None:
    await registry.commit({KEY: b"{}"}, guards={})
    records = ModelRecords(registry, "mm/serving/", read_only=True)
    assert not await records.create(IRIS, a_record()), "it is there already"
    assert not await records.delete(MNIST), "it is not there anyway"
    for writing in (
        records.create(MNIST, a_record()),
        records.delete(IRIS),
        records.update(IRIS, used_at(1)),
    ):
        with pytest.raises(RegistryReadOnly, match="model-mesh read-only mode"):
            await writing


async def test_an_update_keeps_what_another_wrote_meanwhile(
    records: ModelRecords, registry: MemoryRegistry
) -> None:
    await records.create(IRIS, a_record())
    other = ModelRecords(registry, "mm/serving/")
    await other.update(IRIS, lambda record: replace(record, references=1))
    updated = await records.update(IRIS, used_at(7))
    assert updated == replace(a_record(), last_used_ms=7, references=1)
    assert await other.update(IRIS, used_at(7)) == updated


class Contended(MemoryRegistry):
    """Somebody else writes every key just before each commit."""

    async def commit(
        self, writes: Mapping[str, bytes | None], *, guards: Mapping[str, int], lease: int = 0
    ) -> int | None:
        await MemoryRegistry.commit(self, dict.fromkeys(guards, b"{}"), guards={})
        return await MemoryRegistry.commit(self, writes, guards=guards)


async def test_an_update_that_never_gets_through_ends_with_an_error() -> None:
    registry = Contended()
    await MemoryRegistry.commit(registry, {KEY: b"{}"}, guards={})
    records = ModelRecords(registry, "mm/serving/")
    with pytest.raises(RegistryUnavailable, match=f"iris was changed by others {TRIES_MAX} times"):
        await records.update(IRIS, used_at(1))
    with pytest.raises(RegistryUnavailable, match="iris"):
        await records.delete(IRIS)


class Slow(MemoryRegistry):
    """Answers a read with what was there when it was asked, but late."""

    async def get(self, key: str) -> Entry | None:
        entry = await MemoryRegistry.get(self, key)
        await asyncio.sleep(1)
        return entry


async def test_a_late_answer_does_not_bring_back_what_was_unregistered() -> None:
    registry = Slow()
    await registry.commit({KEY: b"{}"}, guards={})
    records = ModelRecords(registry, "mm/serving/")
    deleting = asyncio.ensure_future(records.delete(IRIS))
    await asyncio.sleep(0.5)
    assert await records.get(IRIS) is not None  # asked for before it was gone, answered after
    assert await deleting
    assert records.cached(IRIS) is None


async def test_a_record_that_cannot_be_read_is_told_and_can_be_replaced(
    records: ModelRecords, registry: MemoryRegistry
) -> None:
    await registry.commit({KEY: b"broken"}, guards={})
    with pytest.raises(RecordUnreadable, match=KEY):
        await records.get(IRIS)
    assert await records.delete(IRIS)
    assert await records.create(IRIS, a_record())


async def test_a_page_has_names_in_order_and_one_bad_record_hides_no_other(
    records: ModelRecords, registry: MemoryRegistry
) -> None:
    await registry.commit({KEY: b"broken", "mm/serving/vmodels/a": b"{}"}, guards={})
    for name in ("mnist", "a/b", "zoo"):
        await records.create(ModelId(name), a_record())
    page = await records.page(limit=3)
    assert [model for model, _ in page] == ["a/b", "iris", "mnist"]
    assert [type(record) for _, record in page] == [ModelRecord, RecordUnreadable, ModelRecord]
    assert [model for model, _ in await records.page(after="mnist", limit=3)] == ["zoo"]


async def test_while_the_registry_is_away_what_is_at_hand_still_serves(
    records: ModelRecords, registry: MemoryRegistry
) -> None:
    await records.create(IRIS, a_record())
    registry.away = True
    assert await records.get(IRIS) == a_record()
    with pytest.raises(RegistryUnavailable):
        await records.get(MNIST)
    with pytest.raises(RegistryUnavailable):
        await records.create(MNIST, a_record())
    registry.away = False
    assert await records.create(MNIST, a_record())
