import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from adapter.aio.groups import cancelled_at_the_end
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState, InstanceRecord
from adapter.instance.mesh_state import COPIES, INSTANCES, LEADER, MeshState
from adapter.registry.encoding import encode_copy, encode_instance
from tests.fakes.memory_registry import MemoryRegistry

PREFIX = "/mm/serving/"
A, B, C = InstanceId("a"), InstanceId("b"), InstanceId("c")
IRIS = ModelId("iris")


def instance_record(address: str) -> InstanceRecord:
    return InstanceRecord(boot="1", address=address, started_ms=1)


def copy_record(state: CopyState = CopyState.LOADED) -> CopyRecord:
    return CopyRecord(state=state, since_ms=1)


@dataclass(slots=True, kw_only=True)
class Followed:
    """What instance a sees of a registry, into which others write."""

    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    state: MeshState = field(init=False)
    instances_told: int = 0
    copies_told: list[ModelId] = field(default_factory=list)
    own_told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = MeshState(registry=self.registry, prefix=PREFIX, here=A)
        self.state.on_instances.append(self._instances)
        self.state.on_copies.append(self.copies_told.append)
        self.state.on_own = lambda change: self.own_told.append(change.key)

    async def write(self, key: str, value: bytes | None) -> None:
        await self.registry.commit({PREFIX + key: value}, guards={})
        await asyncio.sleep(0.1)

    async def instance(self, name: str, address: str | None) -> None:
        """None: it leaves."""
        record = None if address is None else encode_instance(instance_record(address))
        await self.write(f"instances/{name}", record)

    async def copy(self, model: str, instance: str, record: CopyRecord | None) -> None:
        await self.write(f"copies/{model}/{instance}", None if record is None else encode_copy(record))

    async def stand(self, name: str, *, stands: bool = True) -> None:
        await self.write(f"leader/{name}", name.encode() if stands else None)

    async def missed(self) -> None:
        """All that was written since cannot be told any more."""
        self.registry.compact()
        self.registry.revision += 1
        self.registry.compact()
        self.registry.away = False
        await asyncio.sleep(0.1)

    def own(self) -> None:
        """What a says of itself."""
        self.state.view.put_instance(A, instance_record("a:1"))
        self.state.view.put_copy(IRIS, A, copy_record())

    @property
    def addresses(self) -> dict[str, str]:
        return {id_: each.record.address for id_, each in self.state.view.instances.items()}

    def _instances(self) -> None:
        self.instances_told += 1


@pytest.fixture
async def followed() -> AsyncIterator[Followed]:
    """It follows already."""
    it = Followed()
    async with cancelled_at_the_end() as owner:
        it.state.follow_in(owner)
        await it.state.seen()
        yield it


def test_keys_are_those_of_the_mesh() -> None:
    state = Followed().state
    assert state.key(INSTANCES, "b") == "/mm/serving/instances/b"
    assert state.copy_key(ModelId("zoo/iris")) == "/mm/serving/copies/zoo/iris/a"


async def test_all_that_was_there_before_is_seen() -> None:
    it = Followed()
    await it.instance("b", "b:1")
    await it.copy("iris", "b", copy_record())
    await it.stand("b")
    async with cancelled_at_the_end() as owner:
        it.state.follow_in(owner)
        await it.state.seen()
        assert it.addresses == {"b": "b:1"}
        assert it.state.view.copies(IRIS) == {B: copy_record()}
        assert it.state.leader == B


async def test_nothing_is_seen_while_the_registry_is_away() -> None:
    it = Followed()
    it.registry.away = True
    async with cancelled_at_the_end() as owner:
        it.state.follow_in(owner)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(it.state.seen(), timeout=60)
        it.registry.away = False
        await it.state.seen()


async def test_instances_come_move_and_go(followed: Followed) -> None:
    seen = []
    for address in ("b:1", "b:2", None):
        told = followed.instances_told
        await followed.instance("b", address)
        assert followed.instances_told == told + 1
        seen.append(followed.addresses)
    assert seen == [{"b": "b:1"}, {"b": "b:2"}, {}]


async def test_copies_come_change_and_go(followed: Followed) -> None:
    await followed.instance("b", "b:1")
    seen = []
    for record in (copy_record(CopyState.LOADING), copy_record(), None):
        await followed.copy("iris", "b", record)
        seen.append([each.state for each in followed.state.view.copies(IRIS).values()])
    assert seen == [[CopyState.LOADING], [CopyState.LOADED], []]
    assert followed.copies_told == [IRIS] * 3


async def test_the_name_of_a_model_may_have_slashes(followed: Followed) -> None:
    await followed.instance("b", "b:1")
    await followed.copy("zoo/iris", "b", copy_record())
    assert list(followed.state.view.models()) == ["zoo/iris"]
    assert list(followed.state.view.copies(ModelId("zoo/iris"))) == ["b"]


async def test_what_the_registry_has_of_ourselves_is_told_and_not_believed(followed: Followed) -> None:
    followed.own()
    await followed.instance("a", "elsewhere:1")
    await followed.copy("iris", "a", None)
    await followed.copy("iris", "a", copy_record(CopyState.FAILED))
    assert followed.addresses == {"a": "a:1"}
    assert followed.state.view.copies(IRIS) == {A: copy_record()}
    assert followed.own_told == ["/mm/serving/instances/a", "/mm/serving/copies/iris/a"]
    assert followed.copies_told == []


@pytest.mark.parametrize("key", ["instances/c", "copies/rose/b"])
async def test_one_bad_record_does_not_hide_the_others(followed: Followed, key: str) -> None:
    await followed.write(key, b"\xff{")
    await followed.instance("b", "b:1")
    await followed.copy("iris", "b", copy_record())
    for _ in ("as they come", "all at once"):
        assert followed.addresses == {"b": "b:1"}
        assert list(followed.state.view.models()) == ["iris"]
        await followed.missed()


async def test_a_record_that_becomes_unreadable_stays_as_it_was(followed: Followed) -> None:
    await followed.instance("b", "b:1")
    await followed.write("instances/b", b"\xff{")
    assert followed.addresses == {"b": "b:1"}


async def test_what_went_while_nobody_could_tell_is_gone(followed: Followed) -> None:
    followed.own()
    for name in ("b", "c"):
        await followed.instance(name, f"{name}:1")
        await followed.copy("iris", name, copy_record())
        await followed.stand(name)
    followed.registry.away = True
    for key in ("instances/b", "copies/iris/b", "leader/b"):
        del followed.registry.entries[PREFIX + key]
    assert followed.addresses.keys() == {A, B, C}, "as it was last seen"
    await followed.missed()
    assert followed.addresses.keys() == {A, C}
    assert followed.state.view.copies(IRIS).keys() == {A, C}
    assert followed.state.leader == C


async def test_a_registry_that_came_back_empty_has_us_alone(followed: Followed) -> None:
    followed.own()
    await followed.instance("b", "b:1")
    await followed.copy("iris", "b", copy_record())
    followed.registry.wipe()
    await asyncio.sleep(0.1)
    assert followed.addresses == {"a": "a:1"}
    assert followed.state.view.copies(IRIS).keys() == {A}


# Who leads.


async def test_without_candidates_nobody_leads(followed: Followed) -> None:
    assert (followed.state.leader, followed.state.is_leader) == (None, False)


async def test_who_has_stood_for_longest_leads(followed: Followed) -> None:
    for name in ("b", "a"):
        await followed.stand(name)
    await followed.stand("b")
    assert followed.state.leader == B, "a key that is written again is as old as before"
    await followed.stand("b", stands=False)
    assert (followed.state.leader, followed.state.is_leader) == (A, True)
    await followed.stand("b")
    assert followed.state.leader == A


async def test_of_two_that_stood_at_once_the_first_by_name_leads(followed: Followed) -> None:
    keys = {followed.state.key(LEADER, name): b"" for name in ("c", "b")}
    await followed.registry.commit(keys, guards={})
    await asyncio.sleep(0.1)
    assert followed.state.leader == B


async def test_tables_are_kept_apart(followed: Followed) -> None:
    await followed.stand("b")
    assert followed.state.view.instances == {}
    assert COPIES not in repr(followed.state)
    assert "0 instances" in repr(followed.state)
