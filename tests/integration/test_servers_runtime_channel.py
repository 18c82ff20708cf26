"""The connection to the runtime: a socket as well as a port, and found again when it is back."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import grpc

from adapter.servers.grpc_server import serving
from adapter.servers.passthrough import passthrough_handlers
from adapter.servers.runtime_channel import runtime_channel
from tests.fakes.call_path import FakeCallPath
from tests.fakes.doors import ECHO, MESSAGE_BYTES_MAX, WAIT_S_MAX, a_door
from tests.fakes.generic_runtime import GenericRuntime, running


async def test_a_runtime_behind_a_unix_socket_is_reached(tmp_path: Path) -> None:
    async with a_door(runtime_address=f"unix:{tmp_path}/r.sock") as door:
        assert await door.unary(ECHO, b"x") == b"x"


async def test_a_runtime_that_comes_back_is_found_soon(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/r.sock"
    async with (
        runtime_channel(address, message_bytes_max=MESSAGE_BYTES_MAX) as channel,
        AsyncExitStack() as stack,
    ):
        handlers = passthrough_handlers(FakeCallPath(), channel)
        port = await stack.enter_async_context(serving("127.0.0.1:0", handlers))
        client = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
        echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = client.unary_unary(f"/{ECHO}")
        for _ in range(2):
            async with running(GenericRuntime(), address), asyncio.timeout(WAIT_S_MAX):
                while not await _answers(echo):
                    pass
            assert not await _answers(echo)


async def _answers(echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]) -> bool:
    try:
        return await echo(b"x", timeout=WAIT_S_MAX) == b"x"
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False
