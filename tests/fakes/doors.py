"""Doors on free ports of the loopback, with clients before and fakes behind them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from adapter.servers.grpc_server import ServerOptions, serving
from adapter.servers.passthrough import passthrough_handlers
from adapter.servers.runtime_channel import runtime_channel
from adapter.wire.dataplane import V2_SERVICE
from tests.fakes.call_path import FakeCallPath
from tests.fakes.generic_runtime import SERVICE, GenericRuntime, running

MESSAGE_BYTES_MAX = 1 << 20
WAIT_S_MAX = 10.0
ECHO = f"{SERVICE}/Echo"
INFER = f"{V2_SERVICE}/ModelInfer"


@asynccontextmanager
async def connected(handlers: Sequence[grpc.GenericRpcHandler]) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        serving("127.0.0.1:0", handlers) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield channel


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
        channel = await stack.enter_async_context(
            runtime_channel(address, message_bytes_max=MESSAGE_BYTES_MAX)
        )
        options = ServerOptions(message_bytes_max=MESSAGE_BYTES_MAX)
        door_port = await stack.enter_async_context(
            serving("127.0.0.1:0", passthrough_handlers(path, channel), options=options)
        )
        client = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{door_port}"))
        yield Door(client=client, path=path, runtime=runtime)
