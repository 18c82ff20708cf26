"""What instances ask of each other, and how they find out who does not answer: over their wires."""

import asyncio

import pytest

from adapter.domain.errors import AdapterError, ModelCorrupt, ModelNotFound, PeerUnreachable
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelRecord
from adapter.instance.peer_links import SILENT
from adapter.peers.channels import PeerChannels
from adapter.registry.encoding import encode_model
from tests.unit.instance.meshed import INFO, AMesh

IRIS, B, C = ModelId("iris"), InstanceId("b"), InstanceId("c")
RECORD = encode_model(ModelRecord(info=INFO))


def channels(mesh: AMesh) -> PeerChannels:
    return mesh["a"].parts.links.channels


async def load(mesh: AMesh, *, record: bytes = RECORD, wait: bool = True, last_used_ms: int = 0) -> bool:
    return await channels(mesh).load(
        B, IRIS, record=record, wait=wait, because="a test asks", timeout_s=60.0, last_used_ms=last_used_ms
    )


async def test_each_says_who_it_is(mesh: AMesh) -> None:
    record = mesh["a"].parts.ways.instances()[B].record
    assert await channels(mesh).hello("b:8080") == ("b", record.boot)


async def test_a_load_is_waited_for_or_not(mesh: AMesh) -> None:
    mesh["b"].runtime.load_s = 5.0
    assert not await load(mesh, wait=False)
    assert not mesh["b"].holds("iris")
    assert await load(mesh)
    assert mesh["b"].runtime.loads[IRIS] == 1


async def test_without_its_registration_that_is_read(mesh: AMesh) -> None:
    with pytest.raises(ModelNotFound):
        await load(mesh, record=b"")
    await mesh["a"].registered("iris")
    assert await load(mesh, record=b"")


async def test_the_error_of_the_load_comes_back(mesh: AMesh) -> None:
    mesh["b"].runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
    for _ in range(2):
        with pytest.raises(ModelCorrupt, match="unreadable"):
            await load(mesh)
    assert mesh["b"].disk.pulls[IRIS] == 1


async def test_who_drains_takes_nothing(mesh: AMesh) -> None:
    mesh["b"].parts.announcer.announce(draining=True)
    with pytest.raises(AdapterError, match="it drains"):
        await load(mesh)


async def test_the_last_use_is_believed(mesh: AMesh) -> None:
    it = mesh["b"]
    await asyncio.sleep(100)
    await load(mesh, wait=False, last_used_ms=it.clock.epoch_ms() - 60_000)
    await mesh.until(lambda: it.holds("iris"))
    used_s = it.cache.used_s(IRIS)
    assert used_s is not None
    assert it.clock.now_s() - used_s == pytest.approx(60.0, abs=1.0)


async def test_each_recalls_what_it_holds_and_why(mesh: AMesh) -> None:
    await load(mesh)
    told = await channels(mesh).recall(B, IRIS, timeout_s=1.0)
    assert (told.state, told.since) == ("active", "a test asks")
    assert told.size_bytes == mesh["b"].runtime.held[IRIS]


async def test_who_is_not_there_is_not_asked(mesh: AMesh) -> None:
    await mesh.leave("b")
    await asyncio.sleep(0.1)
    with pytest.raises(PeerUnreachable, match="instance b is not there any more"):
        await load(mesh)


async def test_who_moves_is_reached_where_it_is(mesh: AMesh) -> None:
    links = mesh["a"].parts.links
    before = links.upstream(C)
    mesh.wires.open("elsewhere:1", "c", mesh["c"].server)
    announcer = mesh["c"].parts.announcer
    announcer.placed_at("elsewhere:1")
    announcer.announce()
    await asyncio.sleep(0.1)
    assert links.upstream(C) is not before
    await mesh["c"].registered("iris")
    await mesh["c"].load_here("iris")
    await asyncio.sleep(0.1)
    await mesh["a"].infer("iris")
    assert mesh["c"].inference.models == ["iris"]


async def test_who_does_not_answer_is_told_until_it_does(mesh: AMesh) -> None:
    links = mesh["a"].parts.links
    await mesh["c"].registered("iris")
    await mesh["c"].load_here("iris")
    await asyncio.sleep(0.1)
    await mesh["a"].infer("iris")
    assert links.silent() == {}
    mesh.freeze("c")
    await mesh["a"].infer("iris")
    assert links.silent() == {C: SILENT}
    mesh.wires.frozen.clear()
    await asyncio.sleep(10)
    assert links.silent() == {}


async def test_calls_in_flight_are_counted_here_and_there(mesh: AMesh) -> None:
    await mesh["c"].registered("iris")
    await mesh["c"].load_here("iris")
    await asyncio.sleep(0.1)
    mesh["c"].inference.holds = True
    asking = [asyncio.ensure_future(mesh[name].infer("iris")) for name in ("a", "a", "c")]
    await asyncio.sleep(0.5)
    assert mesh["a"].parts.links.in_flight(C) == 2
    assert mesh["c"].parts.links.in_flight(C) == 3, "its runtime answers them all"
    mesh["c"].inference.answer_all()
    await asyncio.gather(*asking)
    assert mesh["a"].parts.links.in_flight(C) == 0
