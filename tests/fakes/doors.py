"""Doors on free ports of the loopback, with clients before and fakes behind them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from adapter.aio.clock import LoopClock
from adapter.http2.flow import Limits
from adapter.servers.grpc_server import serving
from adapter.servers.relay_server import UNIX, RelayServer, relaying
from adapter.wire.dataplane import V2_SERVICE
from tests.fakes.generic_runtime import SERVICE, GenericRuntime, running
from tests.fakes.waiting_router import WaitingRouter

MESSAGE_BYTES_MAX = 1 << 20
LIMITS = Limits(message_bytes_max=MESSAGE_BYTES_MAX)
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


def unary(
    client: grpc.aio.Channel, method: str, message: bytes, **options: Any
) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
    start: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = client.unary_unary(f"/{method}")
    return start(message, **{"timeout": WAIT_S_MAX} | options)


@dataclass(frozen=True, kw_only=True)
class Door:
    """A client's channel to a relay, and what is behind it."""

    client: grpc.aio.Channel
    server: RelayServer
    router: WaitingRouter
    runtime: GenericRuntime
    port: int

    def unary(self, method: str, message: bytes, **options: Any) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
        return unary(self.client, method, message, **options)

    def stream(self, name: str, **options: Any) -> grpc.aio.StreamStreamCall[Any, Any]:
        start: grpc.aio.StreamStreamMultiCallable[Any, Any] = self.client.stream_stream(f"/{SERVICE}/{name}")
        return start(**{"timeout": WAIT_S_MAX} | options)


@asynccontextmanager
async def a_relay(
    router: WaitingRouter,
    runtime_address: str = "127.0.0.1:1",
    *,
    limits: Limits = LIMITS,
    grace_s: float = 0.0,
) -> AsyncIterator[RelayServer]:
    """A relay before a runtime that may be there."""
    async with relaying(router, clock=LoopClock(), limits=limits, grace_s=grace_s) as server:
        router.upstream = server.upstream(runtime_address)
        yield server


@asynccontextmanager
async def a_door(
    router: WaitingRouter | None = None, runtime_address: str = "127.0.0.1:0", *, limits: Limits = LIMITS
) -> AsyncIterator[Door]:
    router, runtime = router or WaitingRouter(), GenericRuntime()
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(running(runtime, runtime_address))
        address = runtime_address if runtime_address.startswith(UNIX) else f"127.0.0.1:{port}"
        server = await stack.enter_async_context(a_relay(router, address, limits=limits))
        door_port = await server.listen("127.0.0.1:0")
        client = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{door_port}"))
        yield Door(client=client, server=server, router=router, runtime=runtime, port=door_port)
