"""What an instance does when another one asks it; most is asked by way of the mesh."""

import asyncio

import pytest

from adapter.cache.messages import Dropped
from adapter.domain.errors import (
    AdapterError,
    ModelCorrupt,
    ModelNotFound,
    NowhereToLoad,
    PeerUnreachable,
    RecordUnreadable,
)
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRules, ModelRecord
from adapter.mesh.constraints import TypeConstraints
from adapter.mesh.departures import Gone, departure
from adapter.registry.encoding import encode_model
from tests.unit.instance.meshed import INFO, AMesh, AnInstance

IRIS, B = ModelId("iris"), InstanceId("b")
RECORD = encode_model(ModelRecord(info=INFO))
PINNED = encode_model(ModelRecord(info=INFO, rules=CopyRules(pinned=True)))


async def load(it: AnInstance, record: bytes = RECORD, *, last_used_ms: int = 0, wait: bool = True) -> bool:
    """Ask it as the others do."""
    return await it.parts.peers.load(
        IRIS, record=record, last_used_ms=last_used_ms, wait=wait, because="a test asks"
    )


async def test_it_says_who_it_is_and_which_start_of_it(mesh: AMesh) -> None:
    hello = mesh["a"].parts.links.channels.hello
    boots = {await hello(f"{name}:8080") for name in ("b", "c")}
    assert boots == {(each.id, each.parts.announcer.record.boot) for each in (mesh["b"], mesh["c"])}


async def test_the_record_that_is_told_is_enough(mesh: AMesh) -> None:
    mesh.registry.away = True
    channels = mesh["a"].parts.links.channels
    assert await channels.load(B, IRIS, record=RECORD, wait=True, timeout_s=5.0)
    assert mesh.held("iris") == ["b"]


async def test_without_a_record_the_registry_is_asked(instance: AnInstance) -> None:
    with pytest.raises(ModelNotFound, match="iris is not registered"):
        await load(instance, b"")
    await instance.registered("iris")
    assert await load(instance, b"")
    assert instance.holds("iris")


async def test_a_record_that_cannot_be_read_is_refused(instance: AnInstance) -> None:
    with pytest.raises(RecordUnreadable, match="iris"):
        await load(instance, b"\xff{")


async def test_who_does_not_wait_is_answered_before_the_load_has_ended(instance: AnInstance) -> None:
    instance.runtime.load_s = 10.0
    assert not await load(instance, wait=False)
    assert not instance.holds("iris")
    await asyncio.sleep(11)
    assert instance.holds("iris")


async def test_why_it_was_asked_is_recalled(instance: AnInstance) -> None:
    await load(instance)
    told = instance.parts.peers.recall(IRIS)
    assert (told.state, told.since, told.size_bytes) == (
        "active",
        "a test asks",
        instance.cache.size_bytes(IRIS),
    )


async def test_why_a_copy_went_is_recalled_for_the_others(mesh: AMesh) -> None:
    await mesh["b"].load_here("iris")
    mesh["b"].loader.tell(Dropped(model=IRIS, unregistered=False))
    told = await mesh["a"].parts.links.channels.recall(B, IRIS, timeout_s=1.0)
    assert told == mesh["b"].parts.peers.recall(IRIS)
    assert departure(told.departed).why is Gone.UNLOADED


@pytest.mark.parametrize(
    ("used_ago_s", "counts_s"),
    [pytest.param(None, 0.0, id="now"), (100.0, 100.0), pytest.param(-100.0, 0.0, id="by a fast clock")],
)
async def test_a_copy_that_nobody_waits_for_is_as_old_as_its_last_use(
    instance: AnInstance, used_ago_s: float | None, counts_s: float
) -> None:
    used_ms = 0 if used_ago_s is None else instance.clock.epoch_ms() - round(used_ago_s * 1e3)
    await load(instance, last_used_ms=used_ms, wait=False)
    await asyncio.sleep(0)
    used_s = instance.cache.used_s(IRIS)
    assert used_s is not None
    assert instance.clock.now_s() - used_s == pytest.approx(counts_s, abs=0.1)


async def test_a_pinned_model_is_pinned_here(instance: AnInstance) -> None:
    await load(instance, PINNED)
    instance.loader.carry_out(
        instance.cache.reset_capacity(
            capacity_bytes=1, loading_slots=1, default_size_bytes=1, now_s=instance.clock.now_s()
        )
    )
    await asyncio.sleep(10)
    assert instance.holds("iris")


async def test_who_drains_takes_no_copy(instance: AnInstance) -> None:
    instance.parts.announcer.announce(draining=True)
    with pytest.raises(PeerUnreachable, match="a: it drains"):
        await load(instance)


async def test_who_lacks_a_label_takes_no_copy(instance: AnInstance) -> None:
    instance.parts.ways.use(TypeConstraints.parse('{"sklearn": {"required": ["gpu"]}}'))
    with pytest.raises(NowhereToLoad, match="gpu"):
        await load(instance)


async def test_a_load_that_failed_here_is_told_and_not_tried_again(instance: AnInstance) -> None:
    instance.runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
    with pytest.raises(ModelCorrupt, match="unreadable"):
        await load(instance)
    instance.runtime.load_failures.clear()
    with pytest.raises(AdapterError, match="unreadable"):
        await load(instance)
    assert instance.runtime.loads[IRIS] == 0


async def test_what_is_here_already_is_no_further_load(instance: AnInstance) -> None:
    for _ in range(2):
        assert await load(instance)
    instance.parts.announcer.announce(draining=True)
    assert await load(instance), "whoever leaves still has what it has"
    assert instance.runtime.loads[IRIS] == 1
