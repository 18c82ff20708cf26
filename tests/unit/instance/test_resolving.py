"""What becomes of calls whose model is not loaded where they come in."""

import asyncio

import pytest

from adapter.domain.errors import (
    AdapterError,
    Code,
    ModelCorrupt,
    ObjectMissing,
    RuntimeFailed,
    StorageAccessDenied,
)
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState
from adapter.mesh.verdicts import Placed
from tests.unit.instance.meshed import AMesh, AnInstance, a_mesh, all_of, codes

IRIS = ModelId("iris")


def belongs(mesh: AMesh) -> AnInstance:
    """Where a cold iris is loaded."""
    ways = mesh["a"].parts.ways
    placed = ways.place(IRIS, mesh["a"].models.at_hand(IRIS), excluded={})
    assert isinstance(placed, Placed)
    return mesh[placed.instance]


def pulls(mesh: AMesh) -> int:
    return sum(each.disk.pulls[IRIS] for each in mesh)


async def test_a_cold_model_that_all_are_asked_for_at_once_is_loaded_once(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for each in mesh:
        each.runtime.load_s = 2.0
    answers = await all_of(*(each.infer("iris") for each in mesh for _ in range(5)))
    assert set(codes(answers)) == {Code.OK}
    assert (mesh.loads("iris"), pulls(mesh)) == (1, 1)


async def test_a_call_waits_where_the_model_is_being_loaded(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for each in mesh:
        each.runtime.load_s = 5.0
    first = asyncio.ensure_future(mesh["a"].infer("iris"))
    await asyncio.sleep(2)
    assert (await mesh["b"].infer("iris")).code is Code.OK
    assert asyncio.get_running_loop().time() == pytest.approx(5.0, abs=0.3)
    await first
    assert mesh.loads("iris") == 1


async def test_who_has_lost_its_copy_refuses_and_does_not_forward(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    there = belongs(mesh)
    asked = next(each for each in mesh if each is not there)
    stale = CopyRecord(state=CopyState.LOADED, since_ms=1)
    asked.parts.state.view.put_copy(IRIS, there.id, stale)
    assert (await asked.infer("iris")).code is Code.OK
    assert there.inference.asked == []
    assert sum(len(each.inference.asked) for each in mesh) == mesh.loads("iris") == 1


async def test_where_a_load_failed_another_instance_tries(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    bad = belongs(mesh)
    bad.runtime.load_failures[IRIS] = RuntimeFailed("no")
    for each in mesh:
        assert (await each.infer("iris")).code is Code.OK
    assert bad.name not in mesh.held("iris")
    assert bad.disk.pulls[IRIS] == 1
    failed = mesh["a"].sees("iris")[bad.name]
    assert (failed.state, failed.failure) == (CopyState.FAILED, "INTERNAL: no")


@pytest.mark.parametrize(
    "failure",
    [ObjectMissing("nothing there"), StorageAccessDenied("go away")],
    ids=["no object", "no access"],
)
async def test_what_fails_everywhere_is_tried_once(mesh: AMesh, failure: AdapterError) -> None:
    await mesh["a"].registered("iris")
    for each in mesh:
        each.disk.failures[IRIS] = failure
    for each in mesh:
        answer = await each.infer("iris")
        assert answer.code is failure.code
        assert str(failure) in answer.text
    assert pulls(mesh) == 1


async def test_what_failed_in_three_instances_is_not_tried_in_a_fourth() -> None:
    async with a_mesh("a", "b", "c", "d") as mesh:
        await mesh["a"].registered("iris")
        for each in mesh:
            each.runtime.load_failures[IRIS] = ModelCorrupt("unreadable")
        assert (await mesh["a"].infer("iris")).code is Code.DATA_LOSS
        again = await mesh["b"].infer("iris")
        assert (again.code, "unreadable" in again.text) == (Code.DATA_LOSS, True)
        assert pulls(mesh) == 3


async def test_a_failure_is_forgotten_when_its_time_is_up(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    for each in mesh:
        each.disk.failures[IRIS] = ObjectMissing("nothing there")
    await mesh["a"].infer("iris")
    for each in mesh:
        each.disk.failures.clear()
    assert (await mesh["b"].infer("iris")).code is Code.FAILED_PRECONDITION
    await asyncio.sleep(mesh["a"].settings.load_failure_expiry_ms / 1e3 + 1)
    assert (await mesh["b"].infer("iris")).code is Code.OK


async def test_an_instance_that_lies_dead_is_left_for_another(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    there = belongs(mesh)
    await mesh.kill(there.name)
    for each in mesh:
        assert (await each.infer("iris")).code is Code.OK
    assert mesh.loads("iris") == 1


async def test_a_holder_that_is_killed_in_the_middle_of_a_call_costs_its_caller_nothing(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await mesh["a"].infer("iris")
    holder, (asked, _) = mesh.holder("iris"), mesh.others("iris")
    holder.inference.holds = True
    asking = asyncio.ensure_future(asked.infer("iris"))
    await asyncio.sleep(0.5)
    await mesh.kill(holder.name)
    assert (await asking).code is Code.OK


async def test_a_holder_that_falls_silent_is_avoided(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await mesh["a"].infer("iris")
    holder, (asked, _) = mesh.holder("iris"), mesh.others("iris")
    await asked.infer("iris")
    mesh.freeze(holder.name)
    assert (await asked.infer("iris", timeout_s=10.0)).code is Code.OK
    began_s = asked.clock.now_s()
    assert (await asked.infer("iris")).code is Code.OK
    assert asked.clock.now_s() - began_s < 0.1, "nobody is asked who did not answer"
    assert InstanceId(holder.name) in asked.parts.links.silent()


async def test_while_its_runtime_is_away_the_others_answer(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await mesh["a"].infer("iris")
    holder = mesh.holder("iris")
    holder.crash_runtime()
    await asyncio.sleep(0.1)
    for each in mesh:
        assert (await each.infer("iris", timeout_s=5.0)).code is Code.OK
    holder.restart_runtime()
    assert holder.name not in mesh.held("iris")


async def test_nowhere_to_load_says_what_is_missing(mesh: AMesh) -> None:
    for each in mesh:
        await each.parts.drain.leave()
    await mesh["a"].registered("iris")
    answer = await mesh["a"].infer("iris")
    assert answer.code is Code.RESOURCE_EXHAUSTED
    assert "drains" in answer.text


# While the registry is away.


async def test_while_the_registry_is_away_what_is_known_is_answered_and_loaded(mesh: AMesh) -> None:
    for name in ("hit", "known"):
        await mesh["a"].registered(name)
    await mesh["a"].infer("hit")
    mesh.registry.away = True
    await asyncio.sleep(60)
    for name in ("hit", "known"):
        assert (await mesh["a"].infer(name)).code is Code.OK
    assert mesh.loads("known") == 1


async def test_while_the_registry_is_away_nobody_can_tell_of_what_is_unknown(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    mesh.registry.away = True
    answer = await mesh["b"].infer("iris")
    assert (answer.code, mesh.loads("iris")) == (Code.UNAVAILABLE, 0)
    assert "registry" in answer.text
    mesh.registry.away = False
    assert (await mesh["b"].infer("iris")).code is Code.OK


async def test_what_is_unregistered_elsewhere_is_dropped_and_not_found(mesh: AMesh) -> None:
    await mesh["a"].registered("iris")
    await mesh["a"].infer("iris")
    (other, *_) = mesh.others("iris")
    await other.models.unregister(IRIS)
    await asyncio.sleep(1)
    assert mesh.held("iris") == []
    assert (await mesh["a"].infer("iris")).code is Code.NOT_FOUND
    assert mesh.keys("copies/") == []
