"""Inference, passed through to the runtime as bytes: any method, unary or streaming.

The program decides about each call (`CallPath`); here messages, metadata, deadlines, cancellation and
statuses are carried between the client and the runtime. The first message of a call is awaited before it is
routed. A call that the runtime ended before it answered anything may be sent again (`retries`), unseen by
the client.

A call whose model had to be loaded tells where its time went in trailing metadata, in milliseconds:
`server-timing: queue;dur=0.3, pull;dur=12.1, load;dur=4.2, infer;dur=1.1` (W3C Server-Timing).

Reference: ModelMesh core 2.1, 2.6, 2.7. Beyond it: streaming, and the runtime's trailing metadata are kept.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

import grpc

from adapter.aio.clock import Clock, LoopClock
from adapter.domain.errors import Code, InvalidRequest, MethodNotPermitted
from adapter.servers import model_runtime
from adapter.servers.grpc_server import STATUS, Answering, Context
from adapter.http2.retries import Again, Retries
from adapter.servers.runtime_channel import Ending, metadata_pairs
from adapter.servers.streams import Requests, next_message, send_stream
from adapter.wire.dataplane import V2_SERVICE
from adapter.wire.headers import Pair

UNARY_METHODS = frozenset({f"{V2_SERVICE}/ModelInfer", f"{V2_SERVICE}/ModelMetadata"})
"""Known to have one message either way; that saves a third of the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundCall:
    """A call as it came in."""

    method: str
    """`package.Service/Method`, without a leading slash."""
    metadata: Sequence[Pair]
    deadline_s: float | None
    """Seconds that are left; None: the client waits for ever."""
    message: bytes | None
    """The first message; None if the client sent none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """What to send on to the runtime."""

    metadata: Sequence[Pair]
    message: bytes | None
    timings: Mapping[str, float] | None = None
    """Of a call that waited for a load: milliseconds by step (queue, pull, load)."""


class CallPath(Protocol):
    """What the program must offer."""

    def check(self, method: str) -> None:
        """Raise `MethodNotPermitted` for a method that is not offered."""
        ...

    def route(self, call: InboundCall) -> AbstractAsyncContextManager[Forward]:
        """Have the model loaded, and say what to send; it stays loaded while inside.

        Raises `AdapterError`.
        """
        ...

    async def copy_lost(self, call: InboundCall) -> None:
        """Hear that the runtime does not hold the model of this call, which is outside of `route` by now."""
        ...


def passthrough_handlers(
    path: CallPath,
    runtime: grpc.aio.Channel,
    *,
    unary_methods: Collection[str] = UNARY_METHODS,
    clock: Clock | None = None,
) -> tuple[grpc.GenericRpcHandler, ...]:
    """The handler of every method that no handler before it knows; `runtime` is a `runtime_channel`."""
    return (_Passthrough(path, runtime, frozenset(unary_methods), clock or LoopClock()),)


class _Passthrough(grpc.GenericRpcHandler):
    def __init__(
        self, path: CallPath, runtime: grpc.aio.Channel, unary_methods: frozenset[str], clock: Clock
    ) -> None:
        self._path = path
        self._runtime = runtime
        self._unary_methods = unary_methods
        self._clock = clock

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        method = handler_call_details.method.removeprefix("/")
        if method in self._unary_methods:
            # Not `unary_unary`: grpc leaves a client that half-closes without a message without an answer.
            return grpc.stream_unary_rpc_method_handler(partial(self._unary, method))
        return grpc.stream_stream_rpc_method_handler(partial(self._stream, method))

    async def _unary(self, method: str, _requests: object, context: Context) -> bytes:
        async with Answering(context, method):
            self._check(method)
            message = await next_message(context)
            if message is None:
                raise InvalidRequest("half-closed without a request")
            ending = await self._routed(method, message, context, partial(self._send_unary, method, context))
            await _finish(context, ending)
            return ending.message or b""

    async def _stream(self, method: str, _requests: object, context: Context) -> None:
        async with Answering(context, method):
            self._check(method)
            first = await next_message(context)
            async with Requests(context, ended=first is None) as requests:
                send = partial(self._send_stream, method, context, requests)
                ending = await self._routed(method, first, context, send)
            await _finish(context, ending)

    def _check(self, method: str) -> None:
        if method.startswith(f"{model_runtime.SERVICE}/"):
            raise MethodNotPermitted(f"Method not found or not permitted: {method}")
        self._path.check(method)

    async def _routed(
        self,
        method: str,
        message: bytes | None,
        context: Context,
        send: Callable[[Forward], Awaitable[Ending]],
    ) -> Ending:
        """Route and send, again as often as `Retries` has it; the last ending is the answer."""
        metadata = cast("Sequence[Pair]", context.invocation_metadata() or ())
        retries, timings = Retries(), None
        while True:
            deadline_s = context.time_remaining()
            call = InboundCall(method=method, metadata=metadata, deadline_s=deadline_s, message=message)
            async with self._path.route(call) as forward:
                timings = forward.timings if timings is None else timings
                began_s = self._clock.now_s()
                ending = await send(forward)
            again = retries.after(ending.code, ending.text) if ending.can_repeat else Again.NO
            if again is Again.NO:
                if timings is not None:
                    infer_ms = (self._clock.now_s() - began_s) * 1e3
                    ending.trailing = (*ending.trailing, _server_timing({**timings, "infer": infer_ms}))
                return ending
            if again is Again.COPY_LOST:
                await self._path.copy_lost(call)

    async def _send_unary(self, method: str, context: Context, forward: Forward) -> Ending:
        start: grpc.aio.UnaryUnaryMultiCallable[Any, bytes] = self._runtime.unary_unary(f"/{method}")
        call = start(forward.message, metadata=tuple(forward.metadata), timeout=context.time_remaining())
        try:
            message = await call
        except grpc.aio.AioRpcError as error:
            return Ending.of(error)
        return Ending(
            initial=metadata_pairs(await call.initial_metadata()),
            trailing=metadata_pairs(await call.trailing_metadata()),
            message=message,
        )

    async def _send_stream(
        self, method: str, context: Context, requests: Requests, forward: Forward
    ) -> Ending:
        start: grpc.aio.StreamStreamMultiCallable[Any, Any] = self._runtime.stream_stream(f"/{method}")
        call = start(metadata=tuple(forward.metadata), timeout=context.time_remaining())
        return await send_stream(call, forward.message, requests, context)


async def _finish(context: Context, ending: Ending) -> None:
    """Tell the client how its call ended, as far as it has not been told."""
    if ending.initial:
        await context.send_initial_metadata(tuple(ending.initial))
    if ending.trailing:
        context.set_trailing_metadata(tuple(ending.trailing))
    if ending.code is not Code.OK:
        context.set_code(STATUS[ending.code])
        context.set_details(ending.text)


def _server_timing(steps_ms: Mapping[str, float]) -> Pair:
    return "server-timing", ", ".join(f"{step};dur={round(ms, 3):g}" for step, ms in steps_ms.items())
