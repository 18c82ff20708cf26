import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from adapter.domain.errors import ModelNotFound, RecordUnreadable, RegistryUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import VModelRecord
from adapter.instance.aliases import Aliases
from adapter.registry.encoding import encode_vmodel
from adapter.registry.vmodel_records import VModelRecords
from adapter.wire.headers import ModelRef, RefKind
from tests.fakes.memory_registry import MemoryRegistry

PREFIX = "mm/serving/"
MODEL, VMODEL, EITHER = (ModelRef(kind, "newest") for kind in RefKind)


def alias(active: str, *, canary: str = "", percent: int = 0, shadow: str = "") -> VModelRecord:
    return VModelRecord(active=active, target=active, canary=canary, canary_percent=percent, shadow=shadow)


@dataclass(slots=True, kw_only=True)
class Looked:
    """Aliases of one instance, and the registry that others write."""

    registry: MemoryRegistry
    aliases: Aliases

    async def has(self, record: VModelRecord | bytes | None, name: str = "newest") -> None:
        """The registry has this from now on; who follows hears of it later."""
        value = encode_vmodel(record) if isinstance(record, VModelRecord) else record
        await self.registry.commit({f"{PREFIX}vmodels/{name}": value}, guards={})


@pytest.fixture
def looked() -> Looked:
    """It hears of nothing."""
    registry = MemoryRegistry()
    return Looked(registry=registry, aliases=Aliases(VModelRecords(registry, PREFIX)))


@pytest.fixture
async def following() -> AsyncIterator[Looked]:
    registry = MemoryRegistry()
    records = VModelRecords(registry, PREFIX)
    task = asyncio.ensure_future(records.follow())
    await asyncio.sleep(0.1)
    yield Looked(registry=registry, aliases=Aliases(records))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_model_that_is_named_as_such_is_no_alias(looked: Looked) -> None:
    await looked.has(alias("iris"))
    assert looked.aliases.at_hand(MODEL) == ("newest", "")
    assert await looked.aliases.resolve(MODEL) == ("newest", "")
    assert looked.registry.reads == 0


@pytest.mark.parametrize("ref", [VMODEL, EITHER], ids=["as alias", "as either"])
async def test_an_alias_is_looked_up_once_and_then_at_hand(looked: Looked, ref: ModelRef) -> None:
    await looked.has(alias("iris"))
    assert looked.aliases.at_hand(ref) is None
    for _ in range(3):
        assert await looked.aliases.resolve(ref) == ("iris", "newest")
    assert looked.aliases.at_hand(ref) == ("iris", "newest")
    assert looked.registry.reads == 1


async def test_a_name_without_an_alias_is_a_model(looked: Looked) -> None:
    assert looked.aliases.at_hand(EITHER) is None
    for _ in range(3):
        assert await looked.aliases.resolve(EITHER) == ("newest", "")
    assert looked.aliases.at_hand(EITHER) == ("newest", "")
    assert looked.registry.reads == 1


async def test_an_alias_that_is_not_there_is_not_found_and_looked_for_each_time(looked: Looked) -> None:
    for _ in range(2):
        with pytest.raises(ModelNotFound, match="vmodel not found: newest"):
            await looked.aliases.resolve(VMODEL)
    assert looked.aliases.at_hand(VMODEL) is None
    await looked.has(alias("iris"))
    assert await looked.aliases.resolve(VMODEL) == ("iris", "newest"), "it may have come just now"


async def test_an_alias_that_moves_is_heard_of(following: Looked) -> None:
    await following.has(alias("iris"))
    assert await following.aliases.resolve(VMODEL) == ("iris", "newest")
    await following.has(alias("rose"))
    await asyncio.sleep(0.1)
    assert following.aliases.at_hand(VMODEL) == ("rose", "newest")
    await following.has(None)
    await asyncio.sleep(0.1)
    assert following.aliases.at_hand(EITHER) == ("newest", "")


async def test_without_the_registry_a_name_may_be_a_model_and_an_alias_is_none(looked: Looked) -> None:
    looked.registry.away = True
    assert await looked.aliases.resolve(EITHER) == ("newest", "")
    with pytest.raises(RegistryUnavailable):
        await looked.aliases.resolve(VMODEL)
    looked.registry.away = False
    await looked.has(alias("iris"))
    assert await looked.aliases.resolve(EITHER) == ("iris", "newest"), "nothing was learnt of the outage"


async def test_without_the_registry_what_is_at_hand_holds(looked: Looked) -> None:
    await looked.has(alias("iris"))
    await looked.aliases.resolve(EITHER)
    looked.registry.away = True
    for ref in (VMODEL, EITHER):
        assert await looked.aliases.resolve(ref) == ("iris", "newest")


async def test_an_unreadable_alias_is_an_error_and_no_model(looked: Looked) -> None:
    await looked.has(b"\xff{")
    for ref in (VMODEL, EITHER):
        with pytest.raises(RecordUnreadable, match="vmodels/newest"):
            await looked.aliases.resolve(ref)


async def test_the_canary_gets_its_share_of_the_calls(looked: Looked) -> None:
    await looked.has(alias("iris", canary="rose", percent=30))
    named = [await looked.aliases.resolve(VMODEL) for _ in range(100)]
    assert named.count((ModelId("rose"), "newest")) == 30
    assert named.count((ModelId("iris"), "newest")) == 70


@pytest.mark.parametrize(
    ("record", "shadow"),
    [(alias("iris", shadow="rose"), "rose"), (alias("iris"), ""), (None, "")],
    ids=["one", "none", "no alias"],
)
async def test_a_shadow_is_told_if_it_is_at_hand(
    looked: Looked, record: VModelRecord | None, shadow: str
) -> None:
    if record is not None:
        await looked.has(record)
    assert looked.aliases.shadow_of("newest") == ""
    await looked.aliases.resolve(EITHER)
    assert looked.aliases.shadow_of("newest") == shadow
    assert looked.registry.reads == 1


async def test_what_is_at_hand_can_be_looked_up_again(looked: Looked) -> None:
    await looked.has(alias("iris"))
    await looked.aliases.resolve(VMODEL)
    await looked.has(alias("rose"))
    assert looked.aliases.at_hand(VMODEL) == ("iris", "newest")
    for ref in (VMODEL, EITHER):
        assert await looked.aliases.again(ref) == ("rose", "newest")
    assert looked.aliases.at_hand(VMODEL) == ("rose", "newest")


async def test_a_second_look_finds_no_alias_where_there_is_none(looked: Looked) -> None:
    for ref in (MODEL, VMODEL, EITHER):
        assert await looked.aliases.again(ref) is None
    assert looked.registry.reads == 2, "a model that is named as such is not looked up"
