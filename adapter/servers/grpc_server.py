"""What the gRPC doors share: options, binding, stopping, and answering with an error of ours."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message

from adapter.domain.errors import AdapterError, Broken, Code, InvalidRequest
from adapter.domain.ids import ModelId

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]

STATUS: Mapping[Code, grpc.StatusCode] = {Code(status.value[0]): status for status in grpc.StatusCode}

TEXT_CHARS_MAX = 2000
"""An error's text travels in a header, and clients take 8 KiB of those."""

STREAMS_MAX = 10_000
"""Calls at once on one connection; a client with more waits."""

CLIENT_PING_INTERVAL_MS_MIN = 10_000
"""A client that asks more often whether the connection lives is cut off."""


class CannotListen(Broken):
    """The address is taken, or is none of this machine's."""

    code = Code.UNAVAILABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Limits of a door; the defaults are ModelMesh's (reference: ModelMesh core 2.8)."""

    message_bytes_max: int = 16 * 1024 * 1024
    headers_bytes_max: int = 8192

    def as_channel_args(self) -> list[tuple[str, int]]:
        return [
            ("grpc.max_receive_message_length", self.message_bytes_max),
            ("grpc.max_send_message_length", -1),  # what a runtime may answer is limited where it answers
            ("grpc.max_metadata_size", self.headers_bytes_max),
            ("grpc.absolute_max_metadata_size", self.headers_bytes_max),
            ("grpc.max_concurrent_streams", STREAMS_MAX),
            ("grpc.http2.min_ping_interval_without_data_ms", CLIENT_PING_INTERVAL_MS_MIN),
            ("grpc.keepalive_permit_without_calls", 1),
            # Else two servers share one port in silence, each with half of the connections.
            ("grpc.so_reuseport", 0),
        ]


@asynccontextmanager
async def serving(
    address: str,
    handlers: Sequence[grpc.GenericRpcHandler],
    *,
    options: ServerOptions | None = None,
    grace_s: float = 0.0,
) -> AsyncIterator[int]:
    """Serve on `host:port` (port 0: any that is free) or `unix:path` while inside; gives the port.

    The first handler that knows a method answers it. On leaving, no call is begun any more, and those in
    flight have `grace_s` to end. Raises `CannotListen`.
    """
    server = grpc.aio.server(handlers=handlers, options=(options or ServerOptions()).as_channel_args())
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise CannotListen(
            f"cannot listen on {address}: another program does, or this machine has no such address"
        ) from error
    await server.start()
    log.info("listening", extra={"address": address, "port": port})
    try:
        yield port
    finally:
        await server.stop(grace_s)
        log.info("stopped listening", extra={"address": address})


def method_handler(
    behaviour: Callable[[Any, Context], Awaitable[Message]], request: type[Message]
) -> "grpc.RpcMethodHandler[Any, Any]":
    """A unary method that takes a message of this type."""
    return grpc.unary_unary_rpc_method_handler(
        behaviour, request_deserializer=request.FromString, response_serializer=_serialized
    )


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def named_model(name: str) -> ModelId:
    """The model that a request names; raises `InvalidRequest` if it names none."""
    if not name:
        raise InvalidRequest("must provide non-empty modelId")
    return ModelId(name)


class Answering:
    """While inside, an error ends the call with its status: `async with Answering(context, method): ...`.

    An `AdapterError` with its own code and text; what nobody foresaw with INTERNAL, and a line in the log.
    """

    __slots__ = ("_context", "_method")

    def __init__(self, context: Context, method: str) -> None:
        self._context = context
        self._method = method

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is not None:
            await self._end_with(error)

    async def _end_with(self, error: BaseException) -> NoReturn:
        match error:
            case AdapterError():
                code, text = STATUS[error.code], str(error)
            case TimeoutError():
                code, text = grpc.StatusCode.DEADLINE_EXCEEDED, "the call waited longer than it may"
            case asyncio.CancelledError() if not this_task_is_cancelled():
                # Somebody else's work, which this call waited for, was given up. grpc would leave the client
                # without an answer.
                code, text = grpc.StatusCode.UNAVAILABLE, "what the call waited for was given up; try again"
            case grpc.aio.BaseError() | asyncio.CancelledError():
                raise error  # the call is over already: answered, or the client has gone
            case Exception():
                log.error("a call failed unexpectedly", exc_info=error, extra={"method": self._method})
                code, text = grpc.StatusCode.INTERNAL, "an unexpected error; the instance's log tells more"
            case _:
                raise error
        await self._context.abort(code, text[:TEXT_CHARS_MAX])


def this_task_is_cancelled() -> bool:
    """Whether a cancellation is meant for the task that runs, rather than for what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
