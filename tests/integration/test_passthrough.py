"""The inference door between real sockets: a client, the door, and a runtime without a contract."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from adapter.domain.errors import ModelNotFound
from adapter.servers.grpc_server import ServerOptions, serving
from adapter.servers.passthrough import passthrough_handlers
from adapter.servers.retries import COPY_LOST_MAX
from adapter.servers.runtime_channel import runtime_channel
from adapter.wire.dataplane import V2_SERVICE
from tests.fakes.call_path import FakeCallPath
from tests.fakes.generic_runtime import SERVICE, Failure, GenericRuntime, running

MIB = 1 << 20
ECHO = f"{SERVICE}/Echo"
INFER = f"{V2_SERVICE}/ModelInfer"
ONE_FOR_ONE = pytest.mark.parametrize("method", [ECHO, INFER], ids=["an unknown method", "a known one"])
WAIT_S_MAX = 10.0


@dataclass(frozen=True, kw_only=True)
class Door:
    """A client's channel to a door, and what is behind it."""

    client: grpc.aio.Channel
    path: FakeCallPath
    runtime: GenericRuntime

    def unary(self, method: str, message: bytes, **options: Any) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
        start: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.client.unary_unary(f"/{method}")
        return start(message, **{"timeout": WAIT_S_MAX} | options)

    def stream(self, name: str, **options: Any) -> grpc.aio.StreamStreamCall[Any, Any]:
        start: grpc.aio.StreamStreamMultiCallable[Any, Any] = self.client.stream_stream(f"/{SERVICE}/{name}")
        return start(**{"timeout": WAIT_S_MAX} | options)


@asynccontextmanager
async def a_door(
    path: FakeCallPath | None = None, runtime_address: str = "127.0.0.1:0"
) -> AsyncIterator[Door]:
    path, runtime = path or FakeCallPath(), GenericRuntime()
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(running(runtime, runtime_address))
        address = runtime_address if runtime_address.startswith("unix:") else f"127.0.0.1:{port}"
        channel = await stack.enter_async_context(runtime_channel(address, message_bytes_max=MIB))
        options = ServerOptions(message_bytes_max=MIB)
        door_port = await stack.enter_async_context(
            serving("127.0.0.1:0", passthrough_handlers(path, channel), options=options)
        )
        client = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{door_port}"))
        yield Door(client=client, path=path, runtime=runtime)


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
    assert 3 < door.runtime.remaining_s <= 5
    assert 3 < (door.path.routed[0].deadline_s or 0) <= 5


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


@pytest.mark.parametrize("name", ["Chat", "Headers"])
async def test_both_sides_can_stream_at_once(door: Door, name: str) -> None:
    call = door.stream(name)
    for message in (b"one", b"two"):
        await call.write(message)
        assert await call.read() == b"re " + message
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    assert ("initial", "early") in tuple(await call.initial_metadata()) or name == "Chat"


async def test_a_runtime_can_answer_much_to_one_message(door: Door) -> None:
    count = door.client.unary_stream(f"/{SERVICE}/Count")
    assert [message async for message in count(b"5", timeout=WAIT_S_MAX)] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_client_can_send_much_for_one_answer(door: Door) -> None:
    add = door.client.stream_unary(f"/{SERVICE}/Sum")
    assert await add(iter([b"1", b"2", b"3"]), timeout=WAIT_S_MAX) == b"6"


async def test_a_call_without_a_message_goes_through(door: Door) -> None:
    call = door.stream("Echo")
    await call.done_writing()
    assert await call.read() == b"no message"
    assert door.path.routed[0].message is None


async def test_a_known_method_without_a_message_is_refused(door: Door) -> None:
    call = door.client.stream_unary(f"/{INFER}")(iter([]), timeout=WAIT_S_MAX)
    with pytest.raises(grpc.aio.AioRpcError, match="half-closed without a request"):
        await call


async def test_headers_reach_a_client_that_waits_for_them(door: Door) -> None:
    call = door.stream("Headers")
    await call.write(b"one")
    assert ("initial", "early") in tuple(await call.initial_metadata())


async def test_a_slow_reader_slows_the_runtime_down(door: Door) -> None:
    call = door.stream("Flood")
    await call.read()
    sent = -1
    while sent != len(door.runtime.received):
        sent = len(door.runtime.received)
        await asyncio.sleep(0.2)
    assert sent < 100, "10 MB and more lie about somewhere"
    call.cancel()


@ONE_FOR_ONE
async def test_the_runtime_hears_of_a_cancelled_call(door: Door, method: str) -> None:
    method = method.replace("Echo", "Wait")
    door.runtime._modelinfer = door.runtime._wait  # type: ignore[method-assign]  # only its name differs
    call = door.unary(method, b"x")
    await asyncio.wait_for(door.runtime.began.wait(), WAIT_S_MAX)
    call.cancel()
    await asyncio.wait_for(door.runtime.cancelled.wait(), WAIT_S_MAX)


async def test_the_runtime_hears_of_a_cancelled_stream(door: Door) -> None:
    call = door.stream("Chat")
    await call.write(b"one")
    await call.read()
    call.cancel()
    await asyncio.wait_for(door.runtime.cancelled.wait(), WAIT_S_MAX)


LOST = Failure(code=grpc.StatusCode.NOT_FOUND, text="no such model")


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


async def test_a_call_that_has_been_answered_in_part_is_not_repeated(door: Door) -> None:
    door.runtime.fail(
        f"{SERVICE}/Chat", Failure(code=grpc.StatusCode.NOT_FOUND, text="gone", after_messages=1)
    )
    call = door.stream("Chat")
    await call.write(b"x")
    assert await call.read() == b"partial"
    with pytest.raises(grpc.aio.AioRpcError, match="gone"):
        await call.read()
    assert not door.path.lost


async def test_a_stream_that_fails_at_once_goes_on_after_the_load(door: Door) -> None:
    door.runtime.fail(f"{SERVICE}/Chat", LOST)
    call = door.stream("Chat")
    await call.write(b"one")
    assert await call.read() == b"re one"
    await call.write(b"two")
    assert await call.read() == b"re two"
    assert len(door.path.lost) == 1


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


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        pytest.param(TimeoutError(), grpc.StatusCode.DEADLINE_EXCEEDED, id="a wait that was too long"),
        pytest.param(asyncio.CancelledError(), grpc.StatusCode.UNAVAILABLE, id="a flight that was given up"),
        pytest.param(ZeroDivisionError("secret"), grpc.StatusCode.INTERNAL, id="a mistake of ours"),
    ],
)
async def test_whatever_goes_wrong_the_client_is_answered(
    refusal: BaseException, code: grpc.StatusCode
) -> None:
    async with a_door(FakeCallPath(refusal=refusal)) as door:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await door.unary(ECHO, b"x")
    assert caught.value.code() is code
    assert "secret" not in str(caught.value.details())


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
    assert len(await door.unary(method, bytes(MIB - 100))) == MIB - 100
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await door.unary(method, bytes(MIB + 1))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_runtime_behind_a_unix_socket_is_reached(tmp_path: Path) -> None:
    async with a_door(runtime_address=f"unix:{tmp_path}/r.sock") as door:
        assert await door.unary(ECHO, b"x") == b"x"
