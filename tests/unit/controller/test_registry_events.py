import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapter.aio.clock import LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.controller.keys import ModelKey, RuntimeKey
from adapter.controller.registry_events import OPEN_AGAIN_S, RegistryEvents, owner_of
from adapter.controller.usage import Usage
from adapter.domain.errors import RegistryUnavailable
from adapter.domain.records import CopyRecord, CopyState, InstanceRecord, VModelRecord
from adapter.domain.specs import Source
from adapter.registry.encoding import encode_copy, encode_instance, encode_vmodel, encode_wanted
from adapter.registry.registry import Registry
from tests.fakes.memory_registry import MemoryRegistry

PREFIX = "/mm/modelmesh-serving/"
SK = RuntimeKey("ns", "sk")
IRIS = ModelKey(Source.INFERENCE_SERVICE, "ns", "iris")


@pytest.mark.parametrize(
    ("target", "owner"),
    [
        ("iris__isvc-3642375d03", (Source.INFERENCE_SERVICE, "iris")),
        ("a__b__ksp-7702c1b55a", (Source.PREDICTOR, "a__b")),
        ("iris__other-3642375d03", None),
        ("iris__isvc-3642375d0", None),
        ("iris", None),
    ],
)
def test_a_concrete_model_says_who_declared_it(target: str, owner: tuple[Source, str] | None) -> None:
    assert owner_of(target) == owner


class Events:
    """Of one namespace, over a registry in memory."""

    def __init__(self, owner: asyncio.TaskGroup) -> None:
        self.registry = MemoryRegistry()
        self.told: list[ModelKey] = []
        self.opens = 0
        self.refusals = 0
        self.used: list[RuntimeKey] = []
        clock = LoopClock()
        self.usage = Usage(tell=self.used.append, runtimes=lambda _: ["sk", "tf"], now_ms=clock.epoch_ms)
        self.events = RegistryEvents(
            opened=self._opened, tell=self.told.append, usage=self.usage, owner=owner, clock=clock
        )

    @asynccontextmanager
    async def _opened(self, namespace: str) -> AsyncIterator[tuple[Registry, str]]:
        assert namespace == "ns"
        self.opens += 1
        if self.opens <= self.refusals:
            raise RegistryUnavailable("nobody answers")
        yield self.registry, PREFIX

    async def put(self, key: str, value: bytes | None) -> list[ModelKey]:
        """What is told of this write."""
        self.told.clear()
        await self.registry.commit({f"{PREFIX}{key}": value}, guards={})
        await asyncio.sleep(0.1)
        return list(self.told)


@pytest.fixture
async def events() -> AsyncIterator[Events]:
    async with cancelled_at_the_end() as owner:
        yield Events(owner)


def vmodel(owner: str = "isvc") -> bytes:
    return encode_vmodel(VModelRecord(active="m", target="m", owner=owner))


async def test_changes_of_aliases_are_told_with_who_declared_them(events: Events) -> None:
    events.events.follow("ns")
    await asyncio.sleep(0.1)
    assert await events.put("vmodels/iris", vmodel()) == [IRIS]
    assert await events.put("vmodels/iris", None) == [IRIS]
    assert await events.put("vmodels/somebody-elses", vmodel("me")) == []
    assert await events.put("vmodels/broken", b"{") == []


async def test_changes_of_copies_are_told(events: Events) -> None:
    events.events.follow("ns")
    await asyncio.sleep(0.1)
    copy = encode_copy(CopyRecord(state=CopyState.LOADED, since_ms=1))
    assert await events.put("copies/iris__isvc-3642375d03/a", copy) == [IRIS]
    assert await events.put("copies/another/a", copy) == []


async def test_what_is_there_at_first_is_told(events: Events) -> None:
    await events.put("vmodels/iris", vmodel())
    events.events.follow("ns")
    await asyncio.sleep(0.1)
    assert events.told == [IRIS]


async def test_what_another_store_does_not_have_any_more_is_told(events: Events) -> None:
    events.events.follow("ns")
    await events.put("vmodels/iris", vmodel())
    events.told.clear()
    events.registry.wipe()
    await asyncio.sleep(0.1)
    assert events.told == [IRIS]


async def test_a_registry_that_cannot_be_opened_is_tried_again(events: Events) -> None:
    events.refusals = 2
    await events.put("vmodels/iris", vmodel())
    events.events.follow("ns")
    await asyncio.sleep(OPEN_AGAIN_S * 2 + 0.5)
    assert (events.opens, events.told) == (3, [IRIS])


async def test_nothing_is_told_of_what_is_dropped(events: Events) -> None:
    events.events.follow("ns")
    await asyncio.sleep(0.1)
    events.events.drop("ns")
    assert await events.put("vmodels/iris", vmodel()) == []


# What instances tell of themselves, and of the calls that they hold.


def record(idle_since_ms: int | None = None) -> bytes:
    return encode_instance(
        InstanceRecord(boot="b", address="a:1", started_ms=0, labels=("rt:sk",), idle_since_ms=idle_since_ms)
    )


def wanted_ms(events: Events) -> int | None:
    return events.usage.last_wanted_ms(SK, serves=lambda type_: type_ == "sklearn")


async def test_how_long_instances_are_idle_is_known(events: Events) -> None:
    await events.put("instances/a", record(idle_since_ms=5))
    events.events.follow("ns")
    await asyncio.sleep(0.1)
    assert (wanted_ms(events), events.used) == (5, [SK])
    await events.put("instances/a", record(idle_since_ms=7))
    assert wanted_ms(events) == 7
    await events.put("instances/b", b"{")
    await events.put("instances/a", None)
    assert (wanted_ms(events), events.usage.runs(SK)) == (None, False)


async def test_what_calls_are_held_for_is_known(events: Events) -> None:
    events.events.follow("ns")
    await asyncio.sleep(0.1)
    await events.put("wanted/door", b"[")
    assert wanted_ms(events) is None
    await events.put("wanted/door", encode_wanted(["sklearn"]))
    assert wanted_ms(events) is not None
    assert events.used == [SK, RuntimeKey("ns", "tf")]


async def test_of_another_store_only_what_it_has_counts(events: Events) -> None:
    await events.put("instances/a", record())
    events.events.follow("ns")
    await asyncio.sleep(0.1)
    events.registry.wipe()
    await asyncio.sleep(0.1)
    assert not events.usage.runs(SK)
    await events.put("instances/a", record())
    events.events.again("ns")
    assert not events.usage.runs(SK)
    await asyncio.sleep(0.1)
    assert events.usage.runs(SK)


async def test_it_can_be_looked_again_at_any_moment_and_then_it_is_so(events: Events) -> None:
    with pytest.raises(RegistryUnavailable):
        await events.events.look_again("ns")
    events.events.follow("ns")
    await asyncio.sleep(0.1)
    await events.put("instances/a", record(idle_since_ms=5))
    events.usage.instances("ns", {})
    await events.events.look_again("ns")
    assert wanted_ms(events) == 5
    events.registry.away = True
    with pytest.raises(RegistryUnavailable):
        await events.events.look_again("ns")
