"""What one instance knows that the registry's tables do not say, and where it sends calls for that."""

import asyncio

import pytest

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState, ModelRecord
from adapter.instance.wayfinder import RESTARTS
from adapter.mesh.constraints import TypeConstraints
from adapter.mesh.verdicts import ForwardTo, LoadAt, LoadHere, Placed, Refused, Reject, ServeHere
from adapter.mesh.verdicts import Route as Verdict
from tests.unit.instance.meshed import INFO, AMesh, AnInstance

IRIS, B = ModelId("iris"), InstanceId("b")
RECORD = ModelRecord(info=INFO)


def route(it: AnInstance, **more: bool) -> Verdict:
    return it.parts.ways.route(IRIS, RECORD, excluded={}, **more)


async def test_its_own_cache_is_believed_before_the_table(mesh: AMesh) -> None:
    it = mesh["b"]
    await it.load_here("iris")
    it.parts.state.view.drop_copy(IRIS, B)
    assert it.sees("iris")["b"].state is CopyState.LOADED
    it.loader.unload(IRIS)
    it.parts.state.view.put_copy(IRIS, B, CopyRecord(state=CopyState.LOADED, since_ms=1))
    assert it.sees("iris") == {}


async def test_the_crashes_of_a_copy_that_is_gone_still_count(mesh: AMesh) -> None:
    it = mesh["b"]
    it.parts.state.view.put_copy(IRIS, B, CopyRecord(state=CopyState.LOADED, since_ms=1, crashes=1))
    own = it.sees("iris")["b"]
    assert (own.state, own.crashes) == (CopyState.FAILED, 1)


async def test_a_loaded_copy_answers_here_or_there(mesh: AMesh) -> None:
    await mesh["b"].load_here("iris")
    await asyncio.sleep(0.1)
    assert isinstance(route(mesh["b"]), ServeHere)
    verdict = route(mesh["a"])
    assert isinstance(verdict, ForwardTo)
    assert verdict.instance == "b"


async def test_who_spreads_its_calls_is_answered_where_it_asks(mesh: AMesh) -> None:
    for name in ("a", "b"):
        await mesh[name].load_here("iris")
    await asyncio.sleep(0.1)
    mesh["a"].inference.holds = True
    asking = [asyncio.ensure_future(mesh["a"].ask(metadata=[("mm-model-id", "iris"), BALANCED]))]
    await mesh["a"].registered("iris")
    await asyncio.sleep(0.1)
    assert isinstance(route(mesh["a"], balanced=True), ServeHere)
    mesh["a"].inference.answer_all()
    await asyncio.gather(*asking)


BALANCED = ("mm-balanced", "true")


async def test_while_our_runtime_is_away_the_others_are_chosen(mesh: AMesh) -> None:
    await mesh["b"].load_here("iris")
    mesh["b"].crash_runtime()
    await asyncio.sleep(0.1)
    verdict = route(mesh["b"])
    assert isinstance(verdict, LoadAt)
    assert verdict.instance != "b"
    placed = mesh["b"].parts.ways.place(IRIS, RECORD, excluded={})
    assert RESTARTS in placed.refused[B]
    mesh["b"].restart_runtime()


async def test_alone_its_return_is_waited_for(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.crash_runtime()
    await asyncio.sleep(0.1)
    assert isinstance(route(instance), LoadHere)
    asking = asyncio.ensure_future(instance.infer("iris"))
    await asyncio.sleep(5)
    instance.restart_runtime()
    assert (await asking).code is Code.OK


async def test_constraints_say_who_may_hold_it(mesh: AMesh) -> None:
    ways = mesh["a"].parts.ways
    ways.use(TypeConstraints.parse('{"sklearn": {"required": ["gpu"]}}'))
    assert isinstance(ways.place(IRIS, RECORD, excluded={}), Refused)
    announcer = mesh["c"].parts.announcer
    announcer.record = type(announcer.record)(
        **{name: getattr(announcer.record, name) for name in announcer.record.__slots__}
        | {"labels": ("gpu",)}
    )
    announcer.announce()
    await asyncio.sleep(0.1)
    placed = ways.place(IRIS, RECORD, excluded={})
    assert isinstance(placed, Placed)
    assert placed.instance == "c"


async def test_who_is_sent_a_load_takes_it_unless_it_drains(mesh: AMesh) -> None:
    ways = mesh["b"].parts.ways
    assert isinstance(ways.served_here(IRIS, RECORD), LoadHere)
    mesh["b"].parts.announcer.announce(draining=True)
    assert isinstance(ways.served_here(IRIS, RECORD), Reject)


@pytest.mark.parametrize("skew_ms", [-3_600_000, 3_600_000], ids=["an hour behind", "an hour ahead"])
async def test_a_clock_that_is_wrong_by_an_hour_changes_no_answer(mesh: AMesh, skew_ms: int) -> None:
    for each in mesh:
        each.clock.skew_ms = skew_ms if each.name == "b" else 0
    for number in range(10):
        await mesh["b"].registered(f"m{number}")
        for each in mesh:
            assert (await each.infer(f"m{number}")).code is Code.OK
        assert mesh.loads(f"m{number}") == 1
