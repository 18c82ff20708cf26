import asyncio

import pytest

from adapter.domain.errors import (
    Code,
    ObjectMissing,
    RuntimeUnavailable,
)
from adapter.domain.ids import ModelId
from adapter.http2.header_blocks import FieldMemory
from adapter.http2.request_head import RequestHead
from adapter.http2.verdicts import Answer
from adapter.instance.resolving import NO_DEADLINE_WAIT_FACTOR, TRIES_MAX
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.dataplane import DataplaneConfig
from tests.unit.instance.meshed import INFER, AnInstance

IRIS = ModelId("iris")
IN_FIELD_2 = DataplaneConfig.parse('{"rpcConfigs": {"a.B/C": {"idExtractionPath": [2]}}}')


def timings_ms(answer: Answer) -> dict[str, float]:
    """By step, as the trailers tell them."""
    told = str(dict(answer.trailing).get("server-timing", ""))
    return {step.split(";dur=")[0]: float(step.split(";dur=")[1]) for step in told.split(", ") if step}


def a_head(rpc: str) -> RequestHead:
    head = RequestHead(FieldMemory())
    head.rpc = rpc
    return head


# Whom a call is for.


async def test_the_model_is_named_in_the_headers(instance: AnInstance) -> None:
    await instance.registered("iris")
    metadata = [("mm-model-id", "iris"), ("user", "me"), ("mm-balanced", "true")]
    answer = await instance.ask(b"anything", metadata=metadata)
    assert (answer.code, answer.message) == (Code.OK, b"anything")
    assert instance.inference.headers["mm-model-id"] == "iris"
    assert instance.inference.headers["mm-model-id-bin"] == "aXJpcw"
    assert instance.inference.headers["user"] == "me"
    assert "mm-balanced" not in instance.inference.headers


async def test_without_a_header_a_v2_message_names_it(instance: AnInstance) -> None:
    await instance.registered("iris")
    assert (await instance.infer("iris")).code is Code.OK
    assert instance.inference.headers["mm-model-id"] == "iris"


async def test_without_a_configuration_the_headers_come_before_the_message(instance: AnInstance) -> None:
    await instance.registered("iris")
    message = v2.ModelInferRequest(model_name="nobody").SerializeToString()
    assert (await instance.ask(message, method=INFER)).code is Code.OK


@pytest.mark.parametrize(
    ("message", "model"),
    [
        pytest.param(b"\x12\x05mnist", "mnist", id="the message comes first"),
        pytest.param(b"\x0a\x05mnist", "iris", id="the headers, if it names none"),
    ],
)
async def test_with_a_configuration_it_says_where(instance: AnInstance, message: bytes, model: str) -> None:
    for name in ("iris", "mnist"):
        await instance.registered(name)
    instance.parts.path.use(IN_FIELD_2)
    assert (await instance.ask(message, method="a.B/C")).code is Code.OK
    assert instance.inference.headers["mm-model-id"] == model


@pytest.mark.parametrize(
    ("key", "name"),
    [("mm-vmodel-id", "newest"), ("mm-model-id", "iris"), ("tas-model-id", "iris")],
)
async def test_each_header_names_the_model_in_its_way(instance: AnInstance, key: str, name: str) -> None:
    await instance.registered("iris")
    await instance.aliased("newest", "iris")
    assert (await instance.ask(metadata=[(key, name)])).code is Code.OK
    assert instance.inference.headers["mm-model-id"] == "iris"


async def test_a_name_that_is_no_ascii_goes_on_in_binary(instance: AnInstance) -> None:
    await instance.registered("ирис")
    assert (await instance.ask(metadata=[("mm-model-id-bin", "ирис".encode())])).code is Code.OK
    assert "mm-model-id" not in instance.inference.headers


@pytest.mark.parametrize(
    ("message", "metadata", "says"),
    [
        pytest.param(b"\x12\x01x", [], "must include mm-model-id header", id="none"),
        pytest.param(b"\x0a\x00", [], "must be non-empty", id="an empty name in the message"),
        pytest.param(b"", [("mm-model-id", "")], "must be non-empty", id="an empty name in a header"),
        pytest.param(
            b"", [("mm-model-id", "a"), ("mm-vmodel-id", "b")], "only one of", id="a model and an alias"
        ),
        pytest.param(b"\xff\xff", [], "", id="a message that cannot be read"),
    ],
)
async def test_a_call_that_names_no_model_is_refused(
    instance: AnInstance, message: bytes, metadata: list[tuple[str, str | bytes]], says: str
) -> None:
    answer = await instance.ask(message, method=INFER, metadata=metadata)
    assert answer.code is Code.INVALID_ARGUMENT
    assert says in answer.text
    assert not instance.inference.asked


async def test_an_unknown_model_is_named(instance: AnInstance) -> None:
    answer = await instance.infer("nobody")
    assert answer.code is Code.NOT_FOUND
    assert "nobody" in answer.text


# What the runtime is sent.


@pytest.mark.parametrize("by_header", [True, False], ids=["named in a header", "named in the message"])
async def test_the_runtimes_name_is_put_where_it_wants_it(instance: AnInstance, by_header: bool) -> None:
    await instance.registered("iris")
    instance.offers(ModelInfer=(1,))
    if by_header:
        message = v2.ModelInferRequest(model_name="of the client's", id="7").SerializeToString()
        await instance.ask(message, method=INFER)
    else:
        await instance.infer("iris")
    sent = v2.ModelInferRequest.FromString(instance.inference.message)
    assert (sent.model_name, sent.id) == ("runtime's iris", "7")


async def test_a_message_that_cannot_take_the_name_lets_go_of_the_model(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.offers(ModelInfer=(1, 2))
    await instance.ask(v2.ModelInferRequest(id="7").SerializeToString(), method=INFER)
    answer = await instance.ask(b"\x0a\xff", method=INFER)
    assert answer.code is Code.INVALID_ARGUMENT
    instance.loader.drop(IRIS)
    await asyncio.sleep(1)
    assert not instance.holds("iris")


# A model that is here, or is not.


async def test_a_cold_call_loads_its_model_and_tells_the_time_it_took(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.disk.pull_s, instance.runtime.load_s = 3.0, 2.0
    cold, warm = await instance.infer(), await instance.infer()
    assert timings_ms(cold) == {"queue": 0.0, "pull": 3000.0, "load": 2000.0, "infer": 0.0}
    assert not timings_ms(warm)


async def test_a_model_in_use_is_not_unloaded(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.inference.holds = True
    asking = asyncio.ensure_future(instance.infer())
    await asyncio.sleep(1)
    instance.loader.drop(IRIS)
    await asyncio.sleep(10)
    assert instance.holds("iris")
    instance.inference.answer_all()
    assert (await asking).code is Code.OK
    await asyncio.sleep(1)
    assert not instance.holds("iris")


@pytest.mark.parametrize("ending", ["an error", "a cancellation", "a deadline"])
async def test_however_a_call_ends_it_lets_go_of_its_model(instance: AnInstance, ending: str) -> None:
    await instance.registered("iris")
    if ending == "an error":
        instance.inference.failures = [(Code.INTERNAL, "no")]
        assert (await instance.infer()).code is Code.INTERNAL
    else:
        instance.inference.holds = True
        asking = asyncio.ensure_future(instance.infer(timeout_s=5.0 if ending == "a deadline" else None))
        await asyncio.sleep(1)
        if ending == "a deadline":
            assert (await asking).code is Code.DEADLINE_EXCEEDED
        asking.cancel()
        await asyncio.sleep(1)
    instance.loader.drop(IRIS)
    await asyncio.sleep(1)
    assert not instance.holds("iris")


async def test_a_failed_load_fails_the_call(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.disk.failures[IRIS] = ObjectMissing("nothing there")
    answer = await instance.infer()
    assert (answer.code, answer.text) == (Code.FAILED_PRECONDITION, "nothing there")


@pytest.mark.parametrize("deadline_s", [5.0, 0.0], ids=["some time", "no time left"])
async def test_a_caller_waits_no_longer_than_its_deadline(instance: AnInstance, deadline_s: float) -> None:
    await instance.registered("iris")
    instance.disk.pull_s = 60.0
    assert (await instance.infer(timeout_s=deadline_s)).code is Code.DEADLINE_EXCEEDED
    assert instance.clock.now_s() == pytest.approx(deadline_s, abs=0.1)


async def test_a_caller_without_a_deadline_does_not_wait_for_ever(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.disk.pull_s = 1000.0
    assert (await instance.infer()).code is Code.DEADLINE_EXCEEDED
    waited_s = instance.watch.status.loading_timeout_s * NO_DEADLINE_WAIT_FACTOR
    assert instance.clock.now_s() == pytest.approx(waited_s, abs=1.0)


async def test_a_copy_that_the_runtime_lost_is_loaded_again_unseen(instance: AnInstance) -> None:
    await instance.registered("iris")
    await instance.infer()
    instance.runtime.restart()
    instance.inference.failures = [(Code.NOT_FOUND, "no such model")]
    assert (await instance.infer()).code is Code.OK
    assert instance.runtime.loads[IRIS] == 2


async def test_a_call_waits_while_the_runtime_restarts(instance: AnInstance) -> None:
    await instance.registered("iris")
    await instance.infer()
    instance.watch._there.clear()
    asyncio.get_running_loop().call_later(7.0, instance.watch._there.set)
    assert (await instance.infer()).code is Code.OK
    assert instance.clock.now_s() == pytest.approx(7.0, abs=0.1)


async def test_a_load_that_the_runtimes_crash_broke_is_tried_again(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.runtime.load_failures[IRIS] = RuntimeUnavailable("gone")
    instance.disk.pull_s = 1.0
    asyncio.get_running_loop().call_later(1.5, instance.runtime.load_failures.clear)
    assert (await instance.infer()).code is Code.OK
    assert instance.disk.pulls[IRIS] == 2


async def test_a_runtime_that_never_takes_a_load_is_told_as_unavailable(instance: AnInstance) -> None:
    await instance.registered("iris")
    instance.runtime.load_failures[IRIS] = RuntimeUnavailable("gone")
    assert (await instance.infer()).code is Code.UNAVAILABLE
    assert instance.disk.pulls[IRIS] == TRIES_MAX
