import asyncio

import pytest

from adapter.domain.errors import InvalidRequest
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelRecord
from adapter.http2.verdicts import Target
from adapter.instance.naming import Reading
from adapter.instance.sending import Sending
from adapter.mesh.vmodels import Split
from tests.unit.instance.calls import waiting_call
from tests.unit.instance.meshed import INFO, AMesh, AnInstance

IRIS, B = ModelId("iris"), InstanceId("b")
CLIENTS, FORWARDED = Reading(), Reading(forwarded=True)
INTO_THE_MESSAGE = Reading(injection_path=(1,))
NAMED, BY_ALIAS = (IRIS, ""), (IRIS, "newest")


def sending_of(it: AnInstance) -> Sending:
    return it.parts.path._sending


async def with_iris(it: AnInstance) -> Sending:
    """It is loaded here, and an alias with a shadow stands for it."""
    await it.registered("shadow")
    await it.aliased("newest", await it.registered("iris"), split=Split(shadow="shadow"))
    await it.load_here("iris")
    assert await it.parts.vmodel_records.get("newest")
    return sending_of(it)


def begun(sending: Sending) -> Target:
    """A try that goes to the runtime."""
    assert sending.pin(IRIS)
    return sending.here(waiting_call(), CLIENTS, NAMED, None)


async def test_what_is_not_loaded_here_cannot_be_pinned(instance: AnInstance) -> None:
    sending = sending_of(instance)
    assert not sending.pin(IRIS)
    instance.runtime.load_s = 10.0
    loading = asyncio.ensure_future(instance.load_here("iris"))
    await asyncio.sleep(1)
    assert not sending.pin(IRIS)
    await loading
    assert sending.pin(IRIS)


async def test_a_model_stays_until_its_last_try_has_ended(instance: AnInstance) -> None:
    sending = await with_iris(instance)
    tries = [begun(sending) for _ in range(2)]
    instance.loader.drop(IRIS)
    for each in tries:
        await asyncio.sleep(10)
        assert instance.holds("iris")
        sending.released(each)
    await asyncio.sleep(1)
    assert not instance.holds("iris")


async def test_tries_are_counted_by_model_until_they_end(instance: AnInstance) -> None:
    sending = await with_iris(instance)
    tries = [begun(sending) for _ in range(2)]
    seen = []
    for each in tries:
        seen.append(dict(sending.in_flight))
        sending.released(each)
    assert seen == [{IRIS: 2}, {IRIS: 1}]
    assert sending.in_flight == {}


async def test_a_full_model_cannot_be_pinned_until_a_try_ends(instance: AnInstance) -> None:
    sending = await with_iris(instance)
    sending.slots.set(IRIS, 1)
    first = begun(sending)
    assert not sending.pin(IRIS)
    turn = asyncio.ensure_future(sending.slots.turn(IRIS))
    await asyncio.sleep(1)
    assert not turn.done()
    sending.released(first)
    await turn
    assert sending.pin(IRIS)


async def test_a_message_that_cannot_be_read_leaves_no_pin_behind(instance: AnInstance) -> None:
    sending = await with_iris(instance)
    assert sending.pin(IRIS)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        sending.here(waiting_call(b"\x0a\xff"), INTO_THE_MESSAGE, NAMED, None)
    assert sending.in_flight == {}
    instance.loader.drop(IRIS)
    await asyncio.sleep(1)
    assert not instance.holds("iris")


async def test_each_try_here_counts_as_a_use(instance: AnInstance) -> None:
    sending = await with_iris(instance)
    before = sending._rates.total_rpm
    for _ in range(60):
        sending.released(begun(sending))
    await asyncio.sleep(60)
    assert sending._rates.total_rpm > before


@pytest.mark.parametrize(
    ("reading", "named", "inner", "spied"),
    [
        pytest.param(CLIENTS, NAMED, False, False, id="a model"),
        pytest.param(CLIENTS, BY_ALIAS, False, True, id="an alias"),
        pytest.param(FORWARDED, NAMED, True, False, id="forwarded"),
        pytest.param(FORWARDED, BY_ALIAS, True, False, id="forwarded, and kept where it came from"),
        pytest.param(CLIENTS, (IRIS, "other"), False, False, id="an alias without a shadow"),
    ],
)
async def test_a_shadow_has_the_call_kept_where_the_client_made_it(
    instance: AnInstance, reading: Reading, named: tuple[ModelId, str], inner: bool, spied: bool
) -> None:
    sending, call = await with_iris(instance), waiting_call()
    assert sending.pin(IRIS)
    target = sending.here(call, reading, named, None)
    assert (call.inner, call.spied_request is not None) == (inner, spied)
    assert (target.model, target.vmodel, target.to_peer) == ("iris", named[1], False)
    sending.released(target)


async def test_a_call_that_goes_elsewhere_pins_and_counts_nothing_here(mesh: AMesh) -> None:
    sending, call = await with_iris(mesh["a"]), waiting_call()
    target = sending.there(call, B, BY_ALIAS)
    assert target is not None
    assert (target.to_peer, call.spied_request is not None, call.inner) == (True, True, False)
    assert sending.in_flight == {}
    sending.released(target)
    assert mesh["a"].holds("iris")


async def test_a_load_that_was_sent_elsewhere_is_known_until_its_try_ends(mesh: AMesh) -> None:
    sending, links = sending_of(mesh["a"]), mesh["a"].parts.links
    target = sending.there(waiting_call(), B, NAMED, to_load=ModelRecord(info=INFO))
    assert target is not None
    assert links.sent_to(IRIS) == B
    sending.released(target)
    assert links.sent_to(IRIS) is None


async def test_who_has_left_is_sent_nothing(mesh: AMesh) -> None:
    assert sending_of(mesh["a"]).there(waiting_call(), InstanceId("gone"), NAMED) is None


async def test_a_try_of_no_model_ends_without_a_trace(instance: AnInstance) -> None:
    sending = sending_of(instance)
    sending.released(Target(instance.inference.upstream))
    assert sending.in_flight == {}
