"""A runtime without a contract: it answers any method, and what a method does is told by its name.

- `Echo`: one message for one
- `Count`: as many messages as the request's text says
- `Sum`: one message, the sum of the requests' texts
- `Chat`: each message is answered as it comes
- `Headers`: initial metadata at once, then as `Chat`
- `Hold`: as `Chat`, but it does not end
- `Wait`: it never answers
- `Flood`: large messages, as fast as they are taken

Each tells the request's metadata in its trailers (as `seen-...`). A status that was set for a method is
answered instead, as often as was said.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc

from adapter.servers.grpc_server import Context, ServerOptions, serving

SERVICE = "test.Any"

FLOOD_MESSAGES_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A status to answer with."""

    code: grpc.StatusCode
    text: str
    trailing: tuple[tuple[str, str | bytes], ...] = ()
    initial: tuple[tuple[str, str | bytes], ...] = ()
    """Sent before it, as headers of their own."""
    after_messages: int = 0


@dataclass(slots=True, kw_only=True)
class GenericRuntime(grpc.GenericRpcHandler):
    """What it was asked, and what it is to say."""

    asked: Counter[str] = field(default_factory=Counter)
    received: list[tuple[str, bytes]] = field(default_factory=list)
    remaining_s: float | None = None
    """What the last call had left of its deadline."""
    failures: dict[str, deque[Failure]] = field(default_factory=dict)
    flooded: int = 0
    """Large messages that somebody took."""
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, method: str, *failures: Failure) -> None:
        """Answer the next calls of this method so."""
        self.failures.setdefault(method, deque()).extend(failures)

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        return grpc.stream_stream_rpc_method_handler(partial(self._answer, details.method.removeprefix("/")))

    async def _answer(self, method: str, _requests: object, context: Context) -> None:
        self.asked[method] += 1
        self.began.set()
        self.remaining_s = context.time_remaining()
        seen = tuple((f"seen-{key}", value) for key, value in context.invocation_metadata() or ())
        try:
            await self._fail_if_told(method, context)
            await getattr(self, f"_{method.rpartition('/')[2].lower()}")(method, context)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        context.set_trailing_metadata((*seen, ("trailer-bin", b"\x00\xff")))

    async def _fail_if_told(self, method: str, context: Context) -> None:
        failures = self.failures.get(method)
        if failures:
            failure = failures.popleft()
            if failure.initial:
                await context.send_initial_metadata(failure.initial)
            for _ in range(failure.after_messages):
                await context.write(b"partial")
            await context.abort(failure.code, failure.text, failure.trailing)

    async def _next(self, method: str, context: Context) -> bytes | None:
        message: object = await context.read()
        if not isinstance(message, bytes):
            return None
        self.received.append((method, message))
        return message

    async def _echo(self, method: str, context: Context) -> None:
        message = await self._next(method, context)
        await context.send_initial_metadata((("initial", "yes"),))
        await context.write(message or b"no message")

    _modelinfer = _echo

    async def _count(self, method: str, context: Context) -> None:
        for number in range(int(await self._next(method, context) or b"0")):
            await context.write(b"%d" % number)

    async def _sum(self, method: str, context: Context) -> None:
        total = 0
        while (message := await self._next(method, context)) is not None:
            total += int(message)
        await context.write(b"%d" % total)

    async def _chat(self, method: str, context: Context) -> None:
        while (message := await self._next(method, context)) is not None:
            await context.write(b"re " + message)

    async def _headers(self, method: str, context: Context) -> None:
        await context.send_initial_metadata((("initial", "early"),))
        await self._chat(method, context)

    async def _wait(self, method: str, context: Context) -> None:
        await self._next(method, context)
        await asyncio.Event().wait()

    async def _hold(self, method: str, context: Context) -> None:
        await self._chat(method, context)
        await asyncio.Event().wait()

    async def _flood(self, _method: str, context: Context) -> None:
        while self.flooded < FLOOD_MESSAGES_MAX:
            await context.write(bytes(100_000))
            self.flooded += 1


@asynccontextmanager
async def running(runtime: GenericRuntime, address: str = "127.0.0.1:0") -> AsyncIterator[int]:
    """Serve the runtime; gives the port."""
    async with serving(address, [runtime], options=ServerOptions(), grace_s=0) as port:
        yield port
