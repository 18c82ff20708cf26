"""The inference door between real sockets: a client, the door, and a runtime without a contract."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from adapter.domain.errors import (
    ModelNotFound,
)
from adapter.http2.retries import COPY_LOST_MAX
from tests.fakes.call_path import FakeCallPath
from tests.fakes.doors import ECHO, INFER, MESSAGE_BYTES_MAX, WAIT_S_MAX, Door, a_door
from tests.fakes.generic_runtime import Failure

ONE_FOR_ONE = pytest.mark.parametrize("method", [ECHO, INFER], ids=["an unknown method", "a known one"])
LOST = Failure(code=grpc.StatusCode.NOT_FOUND, text="no such model")


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with a_door() as built:
        yield built


@ONE_FOR_ONE
async def test_a_call_goes_through_with_its_metadata(door: Door, method: str) -> None:
    call = door.unary(method, b"hello", metadata=(("mm-model-id", "iris"), ("x-bin", b"\x01")))
    assert await call == b"hello"
    (routed,) = door.path.routed
    assert (routed.method, routed.message) == (method, b"hello")
    assert {("mm-model-id", "iris"), ("x-bin", b"\x01")} <= set(routed.metadata)
    assert ("initial", "yes") in tuple(await call.initial_metadata())
    trailing = dict(await call.trailing_metadata())
    assert trailing["seen-routed"] == "yes"
    assert trailing["trailer-bin"] == b"\x00\xff"
    assert "seen-mm-model-id" not in trailing
    assert "server-timing" not in trailing
    assert door.path.inside == 0


@ONE_FOR_ONE
async def test_the_deadline_goes_on(door: Door, method: str) -> None:
    await door.unary(method, b"", timeout=5)
    assert door.runtime.remaining_s is not None
    assert 3 < door.runtime.remaining_s < 5.5  # it travels rounded
    assert 3 < (door.path.routed[0].deadline_s or 0) < 5.5


@ONE_FOR_ONE
async def test_a_status_comes_back_with_its_details(door: Door, method: str) -> None:
    trailing = (("grpc-status-details-bin", b"\x08\x03"), ("why", "so"))
    door.runtime.fail(
        method, Failure(code=grpc.StatusCode.INVALID_ARGUMENT, text="bad shape", trailing=trailing)
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await door.unary(method, b"x")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "bad shape"
    assert set(trailing) <= set(caught.value.trailing_metadata())


async def test_a_known_method_without_a_message_is_refused(door: Door) -> None:
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


@ONE_FOR_ONE
async def test_a_lost_copy_is_loaded_again_unseen(door: Door, method: str) -> None:
    door.runtime.fail(method, LOST)
    assert await door.unary(method, b"x") == b"x"
    assert [call.message for call in door.path.lost] == [b"x"]
    assert len(door.path.routed) == 2


@ONE_FOR_ONE
async def test_a_runtime_that_insists_is_believed(door: Door, method: str) -> None:
    door.runtime.fail(method, *[LOST] * (COPY_LOST_MAX + 1))
    with pytest.raises(grpc.aio.AioRpcError, match="no such model"):
        await door.unary(method, b"x")
    assert len(door.path.lost) == COPY_LOST_MAX


@ONE_FOR_ONE
async def test_a_broken_connection_is_tried_once_more(door: Door, method: str) -> None:
    door.runtime.fail(method, Failure(code=grpc.StatusCode.UNAVAILABLE, text="Socket closed"))
    assert await door.unary(method, b"x") == b"x"
    assert not door.path.lost


@ONE_FOR_ONE
async def test_a_call_that_waited_for_a_load_tells_where_the_time_went(method: str) -> None:
    async with a_door(FakeCallPath(timings={"queue": 0.25, "pull": 12.1234, "load": 4.0})) as door:
        call = door.unary(method, b"x")
        await call
        timing = str(dict(await call.trailing_metadata())["server-timing"])
    assert timing.startswith("queue;dur=0.25, pull;dur=12.123, load;dur=4, infer;dur=")


@ONE_FOR_ONE
async def test_a_refusal_of_the_program_is_the_answer(method: str) -> None:
    async with a_door(FakeCallPath(refusal=ModelNotFound("iris is not registered"))) as door:
        with pytest.raises(grpc.aio.AioRpcError, match="iris is not registered") as caught:
            await door.unary(method, b"x")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert not door.runtime.asked


@pytest.mark.parametrize("method", [INFER, "mmesh.ModelRuntime/loadModel"], ids=["not offered", "the SPI"])
async def test_what_is_not_permitted_is_not_found(method: str) -> None:
    async with a_door(FakeCallPath(forbidden=frozenset({INFER}))) as door:
        with pytest.raises(
            grpc.aio.AioRpcError, match=f"Method not found or not permitted: {method}"
        ) as caught:
            await door.unary(method, b"x")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert not door.runtime.asked


@ONE_FOR_ONE
async def test_a_message_beyond_the_limit_is_refused(door: Door, method: str) -> None:
    assert len(await door.unary(method, bytes(MESSAGE_BYTES_MAX - 100))) == MESSAGE_BYTES_MAX - 100
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await door.unary(method, bytes(MESSAGE_BYTES_MAX + 1))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
