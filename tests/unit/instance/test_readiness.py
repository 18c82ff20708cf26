import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from adapter.domain.errors import AdapterError, ObjectMissing
from adapter.domain.ids import InstanceId, ModelId
from adapter.instance.readiness import FATAL_MAX, OUTCOMES_MIN, FailFast, Readiness
from adapter.instance.settings import InstanceSettings
from tests.unit.instance.meshed import AMesh, AnInstance

B = InstanceId("b")
NEW = InstanceSettings(service_name="mm", probe_port=None, prestop_port=None, bootstrap_ms=60_000)
"""For a minute; it has no doors for probes."""


def drains(instance: AnInstance, *, draining: bool = True, at: InstanceId = B) -> None:
    """What this instance sees of another one."""
    view = instance.parts.state.view
    view.put_instance(at, replace(view.instances[at].record, draining=draining))


def told_loads(*, loaded: int = 0, failed: int = 0, fatal: int = 0, enabled: bool = True) -> FailFast:
    """What so many loads say, which ended in time."""
    failfast = FailFast(until_s=60.0, enabled=enabled)
    for count, is_failed, elsewhere in ((loaded, False, True), (failed, True, False), (fatal, True, True)):
        for _ in range(count):
            failfast.load_ended(failed=is_failed, loads_elsewhere=elsewhere, now_s=1.0)
    return failfast


# The first loads.


@pytest.mark.parametrize(
    ("failfast", "says"),
    [
        pytest.param(told_loads(), "", id="none"),
        pytest.param(told_loads(loaded=1000), "", id="all went well"),
        pytest.param(told_loads(fatal=FATAL_MAX), "", id="few that others can load"),
        pytest.param(told_loads(fatal=FATAL_MAX + 1), "3 models that other instances hold", id="one more"),
        pytest.param(told_loads(failed=OUTCOMES_MIN), "", id="too few to say"),
        pytest.param(told_loads(failed=OUTCOMES_MIN + 1), "21 of the first 21 loads failed", id="enough"),
        pytest.param(told_loads(loaded=11, failed=11), "", id="a half failed"),
        pytest.param(told_loads(loaded=11, failed=12), "12 of the first 23 loads failed", id="over a half"),
        pytest.param(told_loads(fatal=100, enabled=False), "", id="it is switched off"),
    ],
)
def test_the_first_loads_say_whether_an_instance_is_any_good(failfast: FailFast, says: str) -> None:
    assert failfast.verdict.startswith(says)
    assert bool(failfast.verdict) is bool(says)


def test_after_its_probation_failures_say_nothing_and_the_verdict_stays() -> None:
    good, bad = told_loads(), told_loads(fatal=3)
    for failfast in (good, bad):
        for _ in range(100):
            failfast.load_ended(failed=failfast is good, loads_elsewhere=True, now_s=61.0)
    assert (good.verdict == "", bad.verdict == "") == (True, False)


# The probes.


async def test_an_instance_is_ready_from_its_doors_on_until_it_drains(instance: AnInstance) -> None:
    readiness = Readiness(asyncio.Event())
    assert not readiness.is_ready()
    readiness.serve(instance.parts)
    assert readiness.is_ready()
    readiness.leaving()
    assert not readiness.is_ready()


async def test_a_new_instance_waits_while_another_drains(mesh: AMesh) -> None:
    readiness, a = Readiness(asyncio.Event()), mesh["a"]
    readiness.serve(a.parts)
    drains(a)
    assert not readiness.is_ready()
    drains(a, draining=False)
    assert readiness.is_ready()


async def test_one_that_was_ready_stays_so_while_another_drains(mesh: AMesh) -> None:
    readiness, a = Readiness(asyncio.Event()), mesh["a"]
    readiness.serve(a.parts)
    assert readiness.is_ready()
    drains(a)
    assert readiness.is_ready()


async def test_one_that_is_no_good_is_not_ready_though_it_was(instance: AnInstance) -> None:
    readiness = Readiness(asyncio.Event())
    readiness.serve(instance.parts)
    assert readiness.is_ready()
    readiness.failfast = told_loads(fatal=3)
    assert not readiness.is_ready()


async def test_each_change_is_told_once(mesh: AMesh, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "adapter.instance.readiness")
    readiness, a = Readiness(asyncio.Event()), mesh["a"]
    drains(a)
    drains(a, at=InstanceId("c"))
    assert not any([readiness.is_ready(), readiness.is_ready()])
    readiness.serve(a.parts)
    assert not any([readiness.is_ready(), readiness.is_ready()])
    readiness.leaving()
    assert not any([readiness.is_ready(), readiness.is_ready()])
    assert [vars(record)["because"] for record in caplog.records] == [
        "it starts",
        "b, c drains; one at a time",
        "it drains",
    ]


# What it hears of loads.


@pytest.fixture
async def watching(mesh: AMesh) -> AsyncIterator[Readiness]:
    """Of a, in a mesh where b holds iris."""
    readiness = Readiness(asyncio.Event())
    await mesh["b"].load_here("iris")
    async with AsyncExitStack() as stack:
        await readiness.open(NEW, stack)
        readiness.watch(mesh["a"].parts)
        yield readiness


@pytest.mark.parametrize(
    ("name", "fails", "counts"),
    [
        pytest.param("iris", False, (1, 0, 0), id="loaded"),
        pytest.param("rose", True, (0, 1, 0), id="failed, and nobody has it"),
        pytest.param("iris", True, (0, 1, 1), id="failed, and another one has it"),
    ],
)
async def test_loads_count_for_a_while(
    mesh: AMesh, watching: Readiness, name: str, fails: bool, counts: tuple[int, int, int]
) -> None:
    a = mesh["a"]
    await asyncio.sleep(1)
    if fails:
        a.disk.failures[ModelId(name)] = ObjectMissing("nothing there")
        with pytest.raises(AdapterError):
            await a.load_here(name)
    else:
        await a.load_here(name)
    failfast = watching.failfast
    assert (failfast.loaded, failfast.failed, failfast.fatal) == counts
    await asyncio.sleep(61)
    await a.load_here("late")
    assert (failfast.loaded, failfast.failed, failfast.fatal) == counts


async def test_without_ports_there_is_nothing_to_probe(watching: Readiness) -> None:
    assert watching.endpoints == {}
