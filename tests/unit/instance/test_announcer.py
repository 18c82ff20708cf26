"""What an instance tells the registry of itself, and how seldom."""

import asyncio

import pytest

from adapter.domain.errors import AdapterError, ModelCorrupt, ObjectMissing
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRecord, CopyState, InstanceRecord
from adapter.instance.announcer import RECORD_EVERY_S, RECORD_PAUSE_S, TOLD_LATER_S
from adapter.registry.encoding import decode_copy, decode_instance
from tests.unit.instance.meshed import EPOCH_MS, PREFIX, AMesh, AnInstance

IRIS = ModelId("iris")


def copy_told(instance: AnInstance, name: str = "iris") -> CopyRecord | None:
    """As it stands in the registry."""
    entry = instance.registry.entries.get(f"{PREFIX}copies/{name}/{instance.name}")
    return None if entry is None else decode_copy(entry.key, entry.value)


def record_told(instance: AnInstance) -> InstanceRecord:
    entry = instance.registry.entries[f"{PREFIX}instances/{instance.name}"]
    record = decode_instance(entry.key, entry.value)
    assert record is not None
    return record


def writes(instance: AnInstance, table: str = "copies/") -> int:
    """How often something was written below the table."""
    return sum(change.key.startswith(PREFIX + table) for change in instance.registry._history)


@pytest.mark.parametrize(("load_s", "told"), [(0.02, 1), (5.0, 2)], ids=["quick", "slow"])
async def test_a_quick_load_is_written_once_and_a_slow_one_twice(
    instance: AnInstance, load_s: float, told: int
) -> None:
    instance.runtime.load_s = load_s
    await instance.load(await instance.registered("iris"))
    await asyncio.sleep(10)
    assert writes(instance) == told
    record = copy_told(instance)
    assert record is not None
    assert (record.state, record.size_bytes) == (CopyState.LOADED, instance.runtime.held[IRIS])
    assert record.load_s == pytest.approx(load_s, abs=0.01)


async def test_a_slow_load_is_told_while_it_lasts(instance: AnInstance) -> None:
    instance.runtime.load_s = 60.0
    await instance.registered("iris")
    instance.loader.start_load(IRIS, (await instance.models.record(IRIS)).info, used_s=0.0)
    await asyncio.sleep(TOLD_LATER_S / 2)
    assert copy_told(instance) is None
    await asyncio.sleep(TOLD_LATER_S)
    record = copy_told(instance)
    assert record is not None
    assert record.state is CopyState.LOADING
    assert record.since_ms == pytest.approx(EPOCH_MS, abs=1000)


async def test_what_is_gone_before_it_was_told_is_never_told(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.runtime.load_s = TOLD_LATER_S / 2
    instance.loader.start_load(IRIS, (await instance.models.record(IRIS)).info, used_s=0.0)
    await asyncio.sleep(TOLD_LATER_S / 4)
    instance.loader.unload(IRIS)
    await asyncio.sleep(10)
    assert (writes(instance), copy_told(instance)) == (0, None)


@pytest.mark.parametrize(
    ("failure", "everywhere"),
    [(ModelCorrupt("unreadable"), False), (ObjectMissing("not there"), True)],
    ids=["perhaps only here", "anywhere"],
)
async def test_a_failure_is_told_with_its_cause_and_its_end(
    instance: AnInstance, failure: AdapterError, everywhere: bool
) -> None:
    instance.disk.failures[IRIS] = failure
    await instance.registered("iris")
    await instance.infer("iris")
    await asyncio.sleep(1)
    record = copy_told(instance)
    assert record is not None
    assert (record.state, record.everywhere) == (CopyState.FAILED, everywhere)
    assert record.failure.endswith(str(failure))
    expiry_ms = instance.settings.load_failure_expiry_ms
    assert record.until_ms - record.since_ms == pytest.approx(expiry_ms / 2, abs=1000), "it was in use"


async def test_a_measured_size_is_told_with_the_load(instance: AnInstance) -> None:
    instance.runtime.tells_size_at_load = False
    instance.runtime.sizes[IRIS] = 7000
    await instance.load(await instance.registered("iris"))
    await asyncio.sleep(1)
    record = copy_told(instance)
    assert record is not None
    assert (record.size_bytes, writes(instance)) == (7000, 1)


async def test_the_record_is_told_when_it_has_changed_by_enough(instance: AnInstance) -> None:
    await asyncio.sleep(RECORD_EVERY_S)
    before = writes(instance, "instances/")
    await instance.load(await instance.registered("iris"))
    await asyncio.sleep(RECORD_PAUSE_S * 1.5)
    assert writes(instance, "instances/") == before + 1, "its memory is another"
    assert record_told(instance).copies == 1
    await asyncio.sleep(3 * RECORD_EVERY_S)
    assert writes(instance, "instances/") == before + 1


async def test_a_small_change_waits_for_its_turn(instance: AnInstance) -> None:
    for number in range(10):
        await instance.load(await instance.registered(f"m{number}"))
    await asyncio.sleep(RECORD_PAUSE_S * 2)
    before = writes(instance, "instances/")
    await instance.load(await instance.registered("iris"))
    await asyncio.sleep(RECORD_PAUSE_S * 2)
    assert writes(instance, "instances/") == before
    await asyncio.sleep(RECORD_EVERY_S)
    assert writes(instance, "instances/") == before + 1
    assert record_told(instance).copies == 11


async def test_what_is_withdrawn_is_not_told_again(instance: AnInstance) -> None:
    await instance.load(await instance.registered("iris"))
    await asyncio.sleep(1)
    instance.parts.announcer.withdraw()
    await instance.parts.announcer.settled(1.0)
    assert copy_told(instance) is None
    await instance.load_here("other")
    await asyncio.sleep(1)
    assert copy_told(instance, "other") is None
    assert instance.holds("iris")


async def test_who_is_told_of_a_load_finds_it_in_the_registry(instance: AnInstance) -> None:
    record = await instance.registered("iris")
    await instance.parts.copies.add(
        ModelId("iris"), await instance.models.record(record), because="a test asks", wait_s=30.0
    )
    told = copy_told(instance)
    assert told is not None
    assert told.state is CopyState.LOADED


async def test_who_cannot_reach_the_registry_is_not_kept_waiting(instance: AnInstance) -> None:
    instance.registry.away = True
    instance.parts.announcer.announce(draining=True)
    began_s = instance.clock.now_s()
    await instance.parts.announcer.settled(2.0)
    assert instance.clock.now_s() - began_s == pytest.approx(2.0, abs=0.1)


async def test_with_a_new_lease_all_is_told_anew(mesh: AMesh) -> None:
    it = mesh["b"]
    await it.registered("iris")
    await it.load_here("iris")
    await asyncio.sleep(1)
    lease = it.parts.presence.lease
    mesh.registry.end(lease)
    await mesh.until(lambda: it.parts.presence.lease not in {0, lease})
    await asyncio.sleep(1)
    assert copy_told(it) is not None
    assert record_told(it).address == "b:8080"
    assert mesh["a"].sees("iris").keys() == {"b"}
    assert "b" in mesh.keys("leader/")


async def test_who_asks_for_a_slow_load_again_and_again_does_not_put_its_telling_off(
    instance: AnInstance,
) -> None:
    instance.runtime.load_s = 60.0
    await instance.registered("iris")
    info = (await instance.models.record(IRIS)).info
    for _ in range(20):
        instance.loader.start_load(IRIS, info, used_s=instance.clock.now_s())
        await asyncio.sleep(TOLD_LATER_S / 10)
    record = copy_told(instance)
    assert record is not None
    assert record.state is CopyState.LOADING
