"""A streaming call between a client and the runtime: two flows, each one message at a time.

A message is read from one side once the other side has taken the one before, so that a slow reader slows the
sender down and nothing piles up here.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import grpc

from adapter.servers.grpc_server import Context
from adapter.servers.runtime_channel import Ending, metadata_pairs

RuntimeCall = grpc.aio.StreamStreamCall[Any, Any]


async def next_message(context: Context) -> bytes | None:
    """The client's next message; None once it has half-closed.

    A client that cancels looks the same, until grpc cancels the call a moment later.
    """
    message = await context.read()
    return message if isinstance(message, bytes) else None


class _Beside:
    """A task that runs while inside, and is cancelled at the end: `async with _Beside(work()): ...`."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(work)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()


class Requests:
    """A client's messages after the first, and what has become of them.

    Reading outlives the single try to send: a try that is given up must not take a message with it.
    """

    def __init__(self, context: Context, *, ended: bool) -> None:
        self.ended = ended
        """The client has half-closed."""
        self.only_first_sent = True
        self._context = context
        self._reading: asyncio.Task[bytes | None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            # Whatever it failed with, the client has gone, and the call is told so by its own cancellation.
            await asyncio.gather(self._reading, return_exceptions=True)

    async def next(self) -> bytes | None:
        """The next message; None once the client has half-closed. Can be cancelled without loss."""
        if self.ended:
            return None
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(next_message(self._context))
        message = await asyncio.shield(self._reading)
        self._reading = None
        if message is None:
            self.ended = True
        else:
            self.only_first_sent = False
        return message


async def send_stream(call: RuntimeCall, first: bytes | None, requests: Requests, context: Context) -> Ending:
    """Send the first message and those that follow, pass the responses back, and tell how it ended."""
    try:
        async with _Beside(_upload(call, first, requests)):
            return await _pass_back(call, requests, context)
    finally:
        call.cancel()  # of no effect on a call that has ended


async def _upload(call: RuntimeCall, first: bytes | None, requests: Requests) -> None:
    # A runtime that ends the call early takes no more messages; the status that it ended with is told
    # by the responses' side.
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        if first is not None:
            await call.write(first)
        while (message := await requests.next()) is not None:
            await call.write(message)
        await call.done_writing()


async def _pass_back(call: RuntimeCall, requests: Requests, context: Context) -> Ending:
    """Pass the responses back.

    The runtime's initial metadata are held until a response follows, so that a call which fails at once can
    be repeated; for a client that may be waiting for them before it sends more, they are not.
    """
    begun = False
    try:
        initial = metadata_pairs(await call.initial_metadata())
        if initial and not requests.ended:
            await context.send_initial_metadata(initial)
            begun = True
        while isinstance(message := await call.read(), bytes):
            if initial and not begun:
                await context.send_initial_metadata(initial)
            begun = True
            await context.write(message)
        ending = Ending(trailing=metadata_pairs(await call.trailing_metadata()), initial=initial)
    except grpc.aio.AioRpcError as error:
        ending = Ending.of(error)
    if begun:
        ending.initial = ()
    ending.can_repeat = not begun and requests.only_first_sent
    return ending
