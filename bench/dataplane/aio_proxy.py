"""The plain way to write a proxy in Python: `grpc.aio` on both sides, messages as bytes.

python -m bench.dataplane.aio_proxy --port 8033 --upstream 127.0.0.1:8001
"""

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Final, cast

import grpc
from grpc import aio

OPTIONS: Final = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_concurrent_streams", 1024),
]
NOT_PASSED_ON: Final = frozenset({"user-agent", "grpc-timeout", "content-type", "te"})

Handler = Callable[[bytes, "aio.ServicerContext[bytes, bytes]"], Awaitable[bytes]]


class PassThrough(grpc.GenericRpcHandler):
    """Every method, as a unary call."""

    def __init__(self, channel: aio.Channel) -> None:
        self._channel = channel
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        handler = self._handlers.get(details.method)
        if handler is None:
            handler = self._handlers[details.method] = self._handler(details.method)
        return handler

    def _handler(self, method: str) -> "grpc.RpcMethodHandler[bytes, bytes]":
        call: aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)

        async def handle(request: bytes, context: "aio.ServicerContext[bytes, bytes]") -> bytes:
            pairs = context.invocation_metadata() or ()
            metadata = [(name, value) for name, value in pairs if name not in NOT_PASSED_ON]
            try:
                return await call(request, metadata=metadata, timeout=context.time_remaining())
            except aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")

        return grpc.unary_unary_rpc_method_handler(cast("Handler", handle))


async def serve(port: int, upstream: str) -> None:
    """Until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with aio.insecure_channel(upstream, options=OPTIONS) as channel:
        server = aio.server(options=OPTIONS)
        server.add_generic_rpc_handlers((PassThrough(channel),))
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await ended.wait()
        await server.stop(grace=None)


def main() -> None:
    """Read the flags and serve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--uvloop", action="store_true")
    asked = parser.parse_args()
    factory = None
    if asked.uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(asked.port, asked.upstream))


if __name__ == "__main__":
    main()
