"""The relay between real sockets, in one process: a client of grpcio, the relay, and a runtime of grpcio."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from adapter.domain.errors import Code, ModelNotFound
from adapter.http2.retries import COPY_LOST_MAX
from adapter.http2.verdicts import Answer
from tests.fakes.doors import (
    ECHO,
    INFER,
    MESSAGE_BYTES_MAX,
    WAIT_S_MAX,
    Door,
    a_door,
    a_relay,
    unary,
)
from tests.fakes.generic_runtime import Failure, GenericRuntime, running
from tests.fakes.waiting_router import WaitingRouter

ONE_FOR_ONE = pytest.mark.parametrize("method", [ECHO, INFER], ids=["by its headers", "by its message"])
LOST = Failure(code=grpc.StatusCode.NOT_FOUND, text="no such model")


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with a_door() as built:
        yield built


@ONE_FOR_ONE
async def test_a_call_goes_through_with_its_metadata(door: Door, method: str) -> None:
    call = door.unary(method, b"hello", metadata=(("mm-model-id", "iris"), ("x-bin", b"\x01")))
    assert await call == b"hello"
    (routed,) = door.router.routed
    assert routed.head.rpc == method
    assert routed.head.ids == (("mm-model-id", "iris"),)
    assert ("initial", "yes") in tuple(await call.initial_metadata())
    trailing = dict(await call.trailing_metadata())
    assert (trailing["seen-routed"], trailing["seen-x-bin"]) == ("yes", b"\x01")
    assert trailing["trailer-bin"] == b"\x00\xff"
    assert "seen-mm-model-id" not in trailing
    assert "server-timing" not in trailing
    assert not door.router.pinned
    assert door.router.codes == [Code.OK]


@ONE_FOR_ONE
async def test_the_deadline_goes_on(door: Door, method: str) -> None:
    await door.unary(method, b"", timeout=5)
    assert door.runtime.remaining_s is not None
    assert 3 < door.runtime.remaining_s < 5.5  # it travels rounded


async def test_after_a_wait_the_runtime_has_what_is_left_of_the_deadline() -> None:
    loads = asyncio.Event()
    router = WaitingRouter(loads=loads)
    async with a_door(router) as door:
        call = door.unary(ECHO, b"x", timeout=30)
        await asyncio.wait_for(router.began.wait(), WAIT_S_MAX)
        (routed,) = router.routed
        assert routed.deadline_s is not None
        routed.deadline_s -= 20  # as if so long had passed
        loads.set()
        await call
    assert door.runtime.remaining_s is not None
    assert door.runtime.remaining_s < 11


async def test_a_deadline_passes_while_the_model_loads() -> None:
    router = WaitingRouter(loads=asyncio.Event())
    async with a_door(router) as door:
        # grpcio's client would end the call by its own clock, whatever we say.
        answer = await door.server.unary(ECHO, b"x", timeout_s=0.05)
        assert answer.code is Code.DEADLINE_EXCEEDED
        await asyncio.wait_for(router.given_up.wait(), WAIT_S_MAX)
    assert not door.runtime.asked


@ONE_FOR_ONE
async def test_a_status_comes_back_with_its_details(door: Door, method: str) -> None:
    trailing = (("grpc-status-details-bin", b"\x08\x03"), ("why", "so"))
    door.runtime.fail(
        method, Failure(code=grpc.StatusCode.INVALID_ARGUMENT, text="bad shape: 1 ≠ 2", trailing=trailing)
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await door.unary(method, b"x")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "bad shape: 1 ≠ 2"
    assert set(trailing) <= set(caught.value.trailing_metadata())


async def test_a_method_whose_model_is_in_the_message_needs_one(door: Door) -> None:
    infer: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = door.client.stream_unary(f"/{INFER}")
    with pytest.raises(grpc.aio.AioRpcError, match="half-closed without a request"):
        await infer(iter([]), timeout=WAIT_S_MAX)


@ONE_FOR_ONE
async def test_the_runtime_hears_of_a_cancelled_call(door: Door, method: str) -> None:
    method = method.replace("Echo", "Wait")
    door.runtime._modelinfer = door.runtime._wait  # type: ignore[method-assign]  # only its name differs
    call = door.unary(method, b"x")
    await asyncio.wait_for(door.runtime.began.wait(), WAIT_S_MAX)
    call.cancel()
    await asyncio.wait_for(door.runtime.cancelled.wait(), WAIT_S_MAX)


async def test_a_cancelled_call_is_resolved_for_nobody() -> None:
    router = WaitingRouter(loads=asyncio.Event())
    async with a_door(router) as door:
        call = door.unary(ECHO, b"x")
        await asyncio.wait_for(router.began.wait(), WAIT_S_MAX)
        call.cancel()
        await asyncio.wait_for(router.given_up.wait(), WAIT_S_MAX)
        assert router.codes == [Code.CANCELLED]


@ONE_FOR_ONE
async def test_a_lost_copy_is_loaded_again_unseen(door: Door, method: str) -> None:
    door.runtime.fail(method, LOST)
    assert await door.unary(method, b"x") == b"x"
    assert len(door.router.lost) == 1
    assert door.runtime.received == [(method, b"x")]
    assert len(door.router.routed) == 2


@ONE_FOR_ONE
async def test_a_runtime_that_insists_is_believed(door: Door, method: str) -> None:
    door.runtime.fail(method, *[LOST] * (COPY_LOST_MAX + 1))
    with pytest.raises(grpc.aio.AioRpcError, match="no such model"):
        await door.unary(method, b"x")
    assert len(door.router.lost) == COPY_LOST_MAX


@ONE_FOR_ONE
async def test_a_broken_connection_is_tried_once_more(door: Door, method: str) -> None:
    door.runtime.fail(method, Failure(code=grpc.StatusCode.UNAVAILABLE, text="Socket closed"))
    assert await door.unary(method, b"x") == b"x"
    assert not door.router.lost
    assert sum(door.server.relay.shared.counts.retries.values()) == 1


@ONE_FOR_ONE
async def test_a_call_that_waited_for_a_load_tells_where_the_time_went(method: str) -> None:
    async with a_door(WaitingRouter(timings_ms={"queue": 0.25, "pull": 12.1234, "load": 4.0})) as door:
        call = door.unary(method, b"x")
        await call
        timing = str(dict(await call.trailing_metadata())["server-timing"])
    assert timing.startswith("queue;dur=0.25, pull;dur=12.123, load;dur=4, infer;dur=")


@ONE_FOR_ONE
async def test_the_router_may_have_the_answer_itself(method: str) -> None:
    answer = Answer(message=b"ours", trailing=[("why", "so")])
    async with a_door(WaitingRouter(answer=answer)) as door:
        call = door.unary(method, b"x")
        assert await call == b"ours"
        assert dict(await call.trailing_metadata())["why"] == "so"
    assert not door.runtime.asked


@ONE_FOR_ONE
async def test_a_refusal_of_the_program_is_the_answer(method: str) -> None:
    async with a_door(WaitingRouter(refusal=ModelNotFound("iris is not registered"))) as door:
        with pytest.raises(grpc.aio.AioRpcError, match="iris is not registered") as caught:
            await door.unary(method, b"x")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert not door.runtime.asked


@pytest.mark.parametrize(
    ("accident", "code"),
    [
        pytest.param(ModelNotFound("gone"), grpc.StatusCode.NOT_FOUND, id="an error of ours"),
        pytest.param(TimeoutError(), grpc.StatusCode.DEADLINE_EXCEEDED, id="a wait that was too long"),
        pytest.param(asyncio.CancelledError(), grpc.StatusCode.UNAVAILABLE, id="a flight that was given up"),
        pytest.param(ZeroDivisionError("secret"), grpc.StatusCode.INTERNAL, id="a mistake of ours"),
    ],
)
async def test_whatever_goes_wrong_the_client_is_answered(
    accident: BaseException, code: grpc.StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_door(WaitingRouter(accident=accident)) as door:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await door.unary(ECHO, b"x")
    assert caught.value.code() is code
    assert "secret" not in str(caught.value.details())
    told = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert told == ["a call could not be routed"] * (code is grpc.StatusCode.INTERNAL)


async def test_what_is_not_permitted_is_not_found() -> None:
    async with a_door(WaitingRouter(forbidden=INFER)) as door:
        with pytest.raises(
            grpc.aio.AioRpcError, match=f"Method not found or not permitted: {INFER}"
        ) as caught:
            await door.unary(INFER, b"x")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert not door.runtime.asked


@ONE_FOR_ONE
async def test_a_message_beyond_the_limit_is_refused_either_way(door: Door, method: str) -> None:
    assert len(await door.unary(method, bytes(MESSAGE_BYTES_MAX - 100))) == MESSAGE_BYTES_MAX - 100
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await door.unary(method, bytes(MESSAGE_BYTES_MAX + 1))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_runtime_behind_a_unix_socket_is_reached(tmp_path: Path) -> None:
    async with a_door(runtime_address=f"unix:{tmp_path}/r.sock") as door:
        assert await door.unary(ECHO, b"x") == b"x"


async def test_a_runtime_that_comes_back_is_found_soon(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/r.sock"
    async with a_relay(WaitingRouter(), address) as server:
        port = await server.listen("127.0.0.1:0")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as client:
            for _ in range(2):
                async with running(GenericRuntime(), address), asyncio.timeout(WAIT_S_MAX):
                    while not await _answers(client):
                        pass
                assert not await _answers(client)


async def _answers(client: grpc.aio.Channel) -> bool:
    try:
        return await unary(client, ECHO, b"x") == b"x"
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False


async def test_calls_from_inside_take_the_same_way(door: Door) -> None:
    answer = await door.server.unary(ECHO, b"hello", metadata=[("x", "y")], timeout_s=WAIT_S_MAX)
    assert (answer.code, answer.message) == (Code.OK, b"hello")
    assert ("initial", "yes") in answer.initial
    assert {("seen-routed", "yes"), ("seen-x", "y"), ("trailer-bin", b"\x00\xff")} <= {*answer.trailing}
    door.runtime.fail(ECHO, Failure(code=grpc.StatusCode.ABORTED, text="no"))
    answer = await door.server.unary(ECHO, b"x")
    assert (answer.code, answer.text) == (Code.ABORTED, "no")


async def test_a_caller_inside_that_leaves_cancels_its_call(door: Door) -> None:
    method = ECHO.replace("Echo", "Wait")
    async with asyncio.TaskGroup() as callers:
        calling = callers.create_task(door.server.unary(method, b"x"))
        await asyncio.wait_for(door.runtime.began.wait(), WAIT_S_MAX)
        calling.cancel()
    assert calling.cancelled()
    await asyncio.wait_for(door.runtime.cancelled.wait(), WAIT_S_MAX)
    assert not door.router.pinned


async def test_a_call_from_inside_needs_no_task_that_waits(door: Door) -> None:
    answers: asyncio.Queue[Answer] = asyncio.Queue()
    for number in range(2):  # the second finds a connection that is open
        door.server.begin(ECHO, b"%d" % number, metadata=[("x", "y")], answered=answers.put_nowait)
        answer = await asyncio.wait_for(answers.get(), WAIT_S_MAX)
        assert (answer.code, answer.message) == (Code.OK, b"%d" % number)
        assert {("seen-routed", "yes"), ("seen-x", "y")} <= {*answer.trailing}


async def test_such_a_call_can_be_given_up(door: Door) -> None:
    answers: list[Answer] = []
    give_up = door.server.begin(ECHO.replace("Echo", "Wait"), b"x", answered=answers.append)
    await asyncio.wait_for(door.runtime.began.wait(), WAIT_S_MAX)
    give_up()
    give_up()
    await asyncio.wait_for(door.runtime.cancelled.wait(), WAIT_S_MAX)
    assert not door.router.pinned
    assert answers == []
