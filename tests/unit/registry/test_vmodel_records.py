import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from adapter.domain.errors import ModelExists, RecordUnreadable, RegistryReadOnly, RegistryUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo, ModelRecord, VModelRecord
from adapter.mesh.vmodels import CopyCounts, Held, SetVModel, Writes, delete_vmodel, models_wanted, set_vmodel
from adapter.registry.cached_records import TRIES_MAX, UNKNOWN
from adapter.registry.model_records import ModelRecords
from adapter.registry.vmodel_records import VModelLedger, VModelRecords
from tests.fakes.memory_registry import MemoryRegistry

PREFIX = "mm/serving/"
IRIS, MNIST = ModelId("iris"), ModelId("mnist")
INFO = ModelInfo(type="t")


class Store:
    """One view of a registry, as an instance has it."""

    def __init__(self, registry: MemoryRegistry) -> None:
        self.registry = registry
        self.models = ModelRecords(registry, PREFIX)
        self.vmodels = VModelRecords(registry, PREFIX)
        self.ledger = VModelLedger(self.models, self.vmodels)

    async def set(self, target: ModelId, vmodel: str = "v", info: ModelInfo | None = None) -> Writes | None:
        asked = SetVModel(vmodel=vmodel, target=target, info=info, auto_delete=True, force=True)
        none = CopyCounts(active=0, target=0)

        def decide(held: Held) -> Writes:
            return set_vmodel(asked, held, none, now_ms=0, default_owner="")

        return await self.ledger.change(vmodel, decide, also=models_wanted(asked))

    async def references(self, model: ModelId) -> int | None:
        record = await self.models.get(model, fresh=True)
        return None if record is None else record.references


@pytest.fixture
def store() -> Store:
    return Store(MemoryRegistry())


async def test_an_alias_stands_where_modelmesh_has_it(store: Store) -> None:
    await store.set(IRIS, info=INFO)
    assert store.registry.entries["mm/serving/vmodels/v"].value == b'{"amid":"iris","tmid":"iris"}'
    assert store.registry.entries["mm/serving/registry/iris"].value == b'{"type":"t","refs":1,"autoDel":true}'


async def test_alias_and_models_are_written_in_one_transaction_and_are_at_hand(store: Store) -> None:
    await store.set(IRIS, info=INFO)
    revision = store.registry.revision
    await store.set(MNIST, info=INFO)
    assert store.registry.revision == revision + 1
    assert store.vmodels.cached("v") == VModelRecord(active="mnist", target="mnist")
    assert await store.references(IRIS) is None, "nothing names it any more"
    assert await store.references(MNIST) == 1


async def test_what_is_no_alias_is_at_hand_too(store: Store) -> None:
    assert store.vmodels.cached("iris") is UNKNOWN
    assert await store.vmodels.get("iris") is None
    assert store.vmodels.cached("iris") is None


async def test_what_is_as_it_should_be_is_not_written(store: Store) -> None:
    await store.set(IRIS, info=INFO)
    revision = store.registry.revision
    writes = await store.set(IRIS)
    assert writes is not None
    assert (writes.cause, store.registry.revision) == (None, revision)


async def test_of_an_error_nothing_is_written(store: Store) -> None:
    await store.set(IRIS, info=INFO)
    revision = store.registry.revision
    with pytest.raises(ModelExists):
        await store.set(IRIS, info=ModelInfo(type="other"))
    assert store.registry.revision == revision


async def test_many_who_name_one_model_at_once_are_all_counted() -> None:
    registry = MemoryRegistry()
    stores = [Store(registry) for _ in range(TRIES_MAX)]
    await asyncio.gather(*(each.set(IRIS, f"v{n}", INFO) for n, each in enumerate(stores)))
    assert await stores[0].references(IRIS) == len(stores)


async def test_a_model_that_is_unregistered_meanwhile_is_noticed(store: Store) -> None:
    await store.models.create(IRIS, ModelRecord(info=INFO))
    tries: list[Held] = []

    def decide(held: Held) -> Writes:
        tries.append(held)
        if len(tries) == 1:  # somebody else is quicker
            del store.registry.entries[store.models.key("iris")]
        return set_vmodel(
            SetVModel(vmodel="v", target=IRIS, info=INFO),
            held,
            CopyCounts(active=0, target=0),
            now_ms=0,
            default_owner="",
        )

    await store.ledger.change("v", decide, also=[IRIS])
    assert [held.models[IRIS] is None for held in tries] == [False, True]
    assert await store.references(IRIS) == 1


class Contended(MemoryRegistry):
    """Somebody else writes every key just before each commit."""

    async def commit(
        self, writes: Mapping[str, bytes | None], *, guards: Mapping[str, int], lease: int = 0
    ) -> int | None:
        await MemoryRegistry.commit(self, dict.fromkeys(guards, b'{"amid":"other"}'), guards={})
        return await MemoryRegistry.commit(self, writes, guards=guards)


async def test_a_change_that_never_gets_through_ends_with_an_error() -> None:
    with pytest.raises(RegistryUnavailable, match=f"vmodel v .* {TRIES_MAX} times"):
        await Store(Contended()).set(IRIS, info=replace(INFO, type="NLCLASSIFIER"))


async def test_an_alias_that_cannot_be_read_can_be_deleted(store: Store) -> None:
    await store.registry.commit({"mm/serving/vmodels/v": b"broken"}, guards={})
    with pytest.raises(RecordUnreadable):
        await store.vmodels.get("v")
    await store.ledger.change("v", lambda held: delete_vmodel(held, owner="x"))
    assert await store.vmodels.get("v", fresh=True) is None


async def test_a_page_has_names_in_order_and_one_bad_record_hides_no_other(store: Store) -> None:
    await store.registry.commit({"mm/serving/vmodels/b": b"broken"}, guards={})
    for name in ("c", "a/b", "a"):
        await store.set(IRIS, name, INFO)
    page = await store.vmodels.page(limit=3)
    assert [name for name, _ in page] == ["a", "a/b", "b"]
    assert isinstance(page[-1][1], RecordUnreadable)
    assert [name for name, _ in await store.vmodels.page(after="b", limit=3)] == ["c"]


async def test_in_read_only_mode_nothing_is_written() -> None:
    registry = MemoryRegistry()
    store = Store(registry)
    store.ledger = VModelLedger(store.models, VModelRecords(registry, PREFIX, read_only=True))
    with pytest.raises(RegistryReadOnly):
        await store.set(IRIS, info=INFO)
    assert registry.entries == {}
