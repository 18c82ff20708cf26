"""Streaming through the relay, between real sockets."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from tests.fakes.doors import ECHO, LIMITS, WAIT_S_MAX, Door, a_door
from tests.fakes.generic_runtime import FLOOD_MESSAGES_MAX, SERVICE, Failure
from tests.integration.raw_http2 import RawClient

LOST = Failure(code=grpc.StatusCode.NOT_FOUND, text="no such model")


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with a_door() as built:
        yield built


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
    count: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = door.client.unary_stream(f"/{SERVICE}/Count")
    assert [message async for message in count(b"3", timeout=WAIT_S_MAX)] == [b"0", b"1", b"2"]


async def test_a_client_can_send_much_for_one_answer(door: Door) -> None:
    add: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = door.client.stream_unary(f"/{SERVICE}/Sum")
    assert await add(iter([b"1", b"2", b"3"]), timeout=WAIT_S_MAX) == b"6"


async def test_a_call_without_a_message_goes_through(door: Door) -> None:
    call = door.stream("Echo")
    await call.done_writing()
    assert await call.read() == b"no message"
    assert door.router.routed[0].request_bytes == 0


async def test_headers_reach_a_client_that_waits_for_them(door: Door) -> None:
    call = door.stream("Headers")
    await call.write(b"one")
    assert ("initial", "early") in tuple(await call.initial_metadata())


async def test_headers_of_a_call_that_can_be_sent_again_are_held_until_there_is_an_answer(door: Door) -> None:
    again = Failure(code=grpc.StatusCode.NOT_FOUND, text="no such model", initial=(("try", "first"),))
    door.runtime.fail(ECHO, again)
    call = door.unary(ECHO, b"x")
    assert await call == b"x"
    assert ("try", "first") not in tuple(await call.initial_metadata())


async def test_a_slow_reader_slows_the_runtime_down(door: Door) -> None:
    call = door.stream("Flood")
    await call.write(b"begin")
    await call.read()
    for _ in range(100):  # while all these go there and back, it could have sent much more
        await door.unary(ECHO, b"x")
    assert door.runtime.flooded < FLOOD_MESSAGES_MAX / 2
    call.cancel()


async def test_a_socket_that_takes_no_more_slows_the_runtime_down(door: Door) -> None:
    """The client allows everything, and reads nothing."""
    client = await asyncio.to_thread(RawClient, door.port, receive_buffer_bytes=4096)
    with client:
        stream = await asyncio.to_thread(client.call, f"{SERVICE}/Flood", b"begin")
        await asyncio.to_thread(client.read_until, lambda: bool(client.answers.get(stream)))
        counts = door.server.relay.shared.counts
        async with asyncio.timeout(WAIT_S_MAX):
            while not any(connection.blocked for connection in door.server.relay.clients):
                await door.unary(ECHO, b"x")
        for _ in range(50):
            await door.unary(ECHO, b"x")
        assert door.runtime.flooded < FLOOD_MESSAGES_MAX / 2
        assert counts.buffered_bytes < 4 * LIMITS.window_bytes
        more_bytes = (door.runtime.flooded + 10) * 100_005
        answer = client.answers[stream]
        await asyncio.to_thread(client.read_until, lambda: len(answer.data) > more_bytes)


async def test_the_runtime_hears_of_a_cancelled_stream(door: Door) -> None:
    call = door.stream("Hold")
    await call.write(b"one")
    await call.read()
    call.cancel()
    await asyncio.wait_for(door.runtime.cancelled.wait(), WAIT_S_MAX)


async def test_a_call_that_has_been_answered_in_part_is_not_repeated(door: Door) -> None:
    door.runtime.fail(
        f"{SERVICE}/Chat", Failure(code=grpc.StatusCode.NOT_FOUND, text="gone", after_messages=1)
    )
    call = door.stream("Chat")
    await call.write(b"x")
    assert await call.read() == b"partial"
    with pytest.raises(grpc.aio.AioRpcError, match="gone"):
        await call.read()
    assert not door.router.lost


async def test_a_stream_that_fails_at_once_goes_on_after_the_load(door: Door) -> None:
    door.runtime.fail(f"{SERVICE}/Chat", LOST)
    call = door.stream("Chat")
    await call.write(b"one")
    assert await call.read() == b"re one"
    await call.write(b"two")
    assert await call.read() == b"re two"
    assert len(door.router.lost) == 1


async def test_a_reader_that_stalls_too_long_loses_its_stream(door: Door) -> None:
    call = door.stream("Flood")
    await call.write(b"begin")
    await call.read()
    relay = door.server.relay
    async with asyncio.timeout(WAIT_S_MAX):
        while not relay.shared.counts.buffered_bytes:
            await door.unary(ECHO, b"x")
    relay.tick(door.server.now() + LIMITS.stall_s_max + 1)
    door.server.flush()
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert relay.shared.counts.limits_hit == {"stall_s_max": 1}
    assert relay.shared.counts.buffered_bytes == 0
