import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapter.domain.ids import InstanceId
from adapter.instance import state_lines as module
from adapter.instance.state_lines import state_lines
from tests.unit.instance.meshed import AMesh, AnInstance, Given, a_mesh, one_instance

GIVEN = Given(capacity_bytes=96 << 10)
"""Whole units, as the registry counts them."""


@pytest.fixture
async def mesh(_virtual_time: None) -> AsyncIterator[AMesh]:
    async with a_mesh("a", "b", "c", given=GIVEN) as three:
        yield three


@pytest.fixture
async def instance(_virtual_time: None) -> AsyncIterator[AnInstance]:
    async with one_instance(GIVEN) as one:
        yield one


def lines(instance: AnInstance) -> list[str]:
    return list(state_lines(instance.cache, instance.parts.state, now_s=instance.clock.now_s()))


async def test_an_empty_mesh_is_told_in_a_line_for_each_part(mesh: AMesh) -> None:
    assert lines(mesh["b"]) == [
        "CACHESTATE: b: 0 copies, 0 bytes of 96.0 KiB used",
        "CLUSTSTATE: the leader is a",
        "CLUSTSTATE: a at a:8080: 0 copies, 0 bytes of 96.0 KiB used, 0 calls/min",
        "CLUSTSTATE: b at b:8080: 0 copies, 0 bytes of 96.0 KiB used, 0 calls/min",
        "CLUSTSTATE: c at c:8080: 0 copies, 0 bytes of 96.0 KiB used, 0 calls/min",
    ]


async def test_models_are_told_with_what_they_are_worth_the_last_used_first(instance: AnInstance) -> None:
    for name in ("old", "young"):
        await instance.load_here(name)
        await asyncio.sleep(10)
    instance.disk.pull_s = 60.0
    loading = asyncio.ensure_future(instance.load_here("coming"))
    await asyncio.sleep(1)
    assert [line for line in lines(instance) if line.startswith("CACHESTATE")] == [
        "CACHESTATE: a: 2 copies, 2.4 KiB of 96.0 KiB used",
        "CACHESTATE: coming: pulling, 1000 bytes, 1 uses",
        "CACHESTATE: young: active, 1.2 KiB, 1 uses",
        "CACHESTATE: old: active, 1.2 KiB, 1 uses",
    ]
    await loading


async def test_copies_of_other_instances_are_counted(mesh: AMesh) -> None:
    await mesh["a"].load_here("iris")
    await asyncio.sleep(1)
    assert "CLUSTSTATE: a at a:8080: 1 copies, 1.2 KiB of 96.0 KiB used, 0 calls/min" in lines(mesh["c"])


async def test_only_so_many_models_are_listed(instance: AnInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MODELS_MAX", 2)
    for name in "uvxyz":
        await instance.load_here(name)
    told = [line for line in lines(instance) if line.startswith("CACHESTATE")]
    assert len(told) == 4
    assert told[-1] == "CACHESTATE: and 3 more"


async def test_who_drains_or_has_no_address_is_told_so(mesh: AMesh) -> None:
    view, b = mesh["a"].parts.state.view, InstanceId("b")
    view.put_instance(b, replace(view.instances[b].record, address="", draining=True))
    (told,) = [line for line in lines(mesh["a"]) if line.startswith("CLUSTSTATE: b")]
    assert told == "CLUSTSTATE: b at no address: 0 copies, 0 bytes of 96.0 KiB used, 0 calls/min, drains"
