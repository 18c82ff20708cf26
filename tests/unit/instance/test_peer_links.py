import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId, ModelId
from adapter.http2.verdicts import Target
from adapter.instance.mesh_state import MeshState
from adapter.instance.peer_links import SILENT, PeerLinks
from adapter.peers.channels import PeerChannels
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.relay_play import Play
from tests.unit.instance.meshed import AMesh, all_of

A, B, C = InstanceId("a"), InstanceId("b"), InstanceId("c")
IRIS = ModelId("iris")


async def test_there_is_a_way_to_each_other_instance_and_none_to_oneself(mesh: AMesh) -> None:
    links = mesh["a"].parts.links
    ways = {id_: links.upstream(id_) for id_ in (A, B, C)}
    assert [id_ for id_, way in ways.items() if way is not None] == [B, C]
    for id_ in (B, C):
        upstream = ways[id_]
        assert upstream is not None
        assert links.instance_of(upstream) == id_


async def test_ways_come_and_go_with_the_instances(mesh: AMesh) -> None:
    links = mesh["a"].parts.links
    upstream = links.upstream(B)
    assert upstream is not None
    await mesh.leave("b")
    await mesh.start("d")
    await asyncio.sleep(1)
    assert (links.upstream(B), links.instance_of(upstream)) == (None, None)
    assert upstream.is_over
    assert links.upstream(InstanceId("d")) is not None


async def test_who_has_moved_is_reached_where_it_is_now(mesh: AMesh) -> None:
    links, b = mesh["a"].parts.links, mesh["b"]
    before = links.upstream(B)
    mesh.wires.open("b:9090", "b", b.server)
    b.parts.announcer.record = replace(b.parts.announcer.record, address="b:9090")
    b.parts.announcer.announce()
    await asyncio.sleep(1)
    after = links.upstream(B)
    assert after is not before
    assert before is not None
    assert links.instance_of(before) is None
    await b.registered("iris")
    await b.load_here("iris")
    await asyncio.sleep(1)
    assert (await mesh["a"].infer("iris")).code is Code.OK


async def test_a_record_that_changes_otherwise_keeps_its_way(mesh: AMesh) -> None:
    links = mesh["a"].parts.links
    before = links.upstream(B)
    mesh["b"].parts.announcer.announce(draining=True)
    await asyncio.sleep(1)
    assert mesh["a"].parts.ways.instances()[B].record.draining
    assert links.upstream(B) is before


async def test_calls_in_flight_are_known_for_others_and_for_oneself(mesh: AMesh) -> None:
    a, b, links = mesh["a"], mesh["b"], mesh["a"].parts.links
    for each, name in ((a, "ours"), (b, "theirs")):
        each.inference.holds = True
        await each.load_here(await each.registered(name))
    await asyncio.sleep(1)
    calls = asyncio.ensure_future(all_of(a.infer("ours"), a.infer("theirs"), a.infer("theirs")))
    await asyncio.sleep(1)
    assert [links.in_flight(id_) for id_ in (A, B, C)] == [1, 2, 0]
    for each in (a, b):
        each.inference.answer_all()
    await calls
    assert [links.in_flight(id_) for id_ in (A, B, C)] == [0, 0, 0]
    assert links.in_flight(InstanceId("nobody")) == 0


async def test_who_does_not_answer_is_told_until_its_lease_has_ended(mesh: AMesh) -> None:
    links = mesh["a"].parts.links
    await mesh["b"].registered("iris")
    await mesh["b"].load_here("iris")
    await asyncio.sleep(1)
    await mesh["a"].infer("iris")
    assert links.silent() == {}
    await mesh.kill("b")
    assert links.silent() == {B: SILENT}
    await asyncio.sleep(mesh["a"].settings.lease_s + 5)
    assert (links.silent(), links.upstream(B)) == ({}, None)


# Which models calls of ours are having loaded.


class Sent:
    """Calls that are sent to have a model loaded, by one instance's links."""

    def __init__(self) -> None:
        state = MeshState(registry=MemoryRegistry(), prefix="mm/", here=A)
        self.links = PeerLinks(state=state, channels=PeerChannels())
        self._play = Play()

    def to(self, instance: InstanceId, model: ModelId = IRIS) -> Target:
        target = Target(self._play.peer(instance), model=model)
        self.links.load_sent(target, instance)
        return target


@pytest.fixture
def sent() -> Iterator[Sent]:
    """No call of it may be counted in the end."""
    it = Sent()
    yield it
    assert (it.links.pending, it.links._loading, it.links._loads_sent) == ({}, {}, {})


def test_all_calls_of_one_model_are_one_load(sent: Sent) -> None:
    calls = [sent.to(B) for _ in range(3)]
    for call in calls:
        assert (sent.links.sent_to(IRIS), sent.links.pending) == (B, {B: 1})
        sent.links.released(call)
    assert sent.links.sent_to(IRIS) is None


def test_each_model_is_a_load_of_its_own(sent: Sent) -> None:
    calls = [sent.to(B), sent.to(B, ModelId("rose")), sent.to(C, ModelId("wine"))]
    assert sent.links.pending == {B: 2, C: 1}
    for call in calls:
        sent.links.released(call)


def test_a_model_that_is_sent_elsewhere_is_loaded_there_alone(sent: Sent) -> None:
    first = sent.to(B)
    second = sent.to(C)
    assert (sent.links.sent_to(IRIS), sent.links.pending) == (C, {C: 1})
    for call in (second, first):
        sent.links.released(call)


def test_a_call_that_ends_where_the_model_was_to_go_first_changes_nothing(sent: Sent) -> None:
    first = sent.to(B)
    second = sent.to(C)
    sent.links.released(first)
    assert (sent.links.sent_to(IRIS), sent.links.pending) == (C, {C: 1})
    sent.links.released(second)


def test_a_call_that_was_to_load_nothing_ends_uncounted(sent: Sent) -> None:
    call = sent.to(B)
    for _ in range(2):
        sent.links.released(call)
    sent.links.released(Target(Play().upstream, model="rose"))
