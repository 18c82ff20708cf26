"""A small HTTP/1.1 door: uvicorn's connections in the event loop that runs already, without its server.

For metrics and probes; REST has a door of its own, with more bounds (`rest_gateway`). Signals are the
program's.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from functools import partial
from socket import socket
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from adapter.aio.clock import LoopClock
from adapter.servers.listening import listening

KEEP_ALIVE_S: Final = 75
"""How long a connection may be idle between two requests."""
FIRST_S_MAX: Final = 10.0
"""How long a client may take from connecting to the end of its first request's head."""
GRACE_S: Final = 1.0
"""How long answers that were begun may take when the door closes."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""ASGI's."""


@asynccontextmanager
async def http_serving(
    app: App,
    listener: socket,
    *,
    tls: ssl.SSLContext | None = None,
    connections_max: int,
    keep_alive_s: int = KEEP_ALIVE_S,
) -> AsyncIterator[int]:
    """Serve on a socket that listens already, while inside; gives the port. The socket is closed then.

    Clients beyond so many connections at once are told 503.
    """
    config = uvicorn.Config(
        app,
        lifespan="off",
        interface="asgi3",
        http=HttpToolsProtocol,
        ws="none",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        limit_concurrency=connections_max + 1,  # it counts who asks, too
        timeout_keep_alive=keep_alive_s,
    )
    config.load()
    state = _State()
    door = await listening(partial(_Connection, config, state, {}), listener, tls=tls)
    try:
        yield door.port
    finally:
        door.stop()
        await state.close()


class _State(ServerState):
    """What the connections of one door share."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()
        """Set whenever a connection has ended."""
        self._clock = LoopClock()

    def renew_date(self) -> None:
        """As often as somebody asks, which is seldom; uvicorn's own server does it all the time."""
        date = formatdate(self._clock.epoch_ms() / 1e3, usegmt=True)
        self.default_headers = [(b"date", date.encode("ascii"))]

    async def close(self) -> None:
        """Let what was begun be answered, for a moment; then end it."""
        for connection in list(self.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(GRACE_S):
                while self.connections:
                    self.gone.clear()
                    await self.gone.wait()
        except TimeoutError:
            for task in list(self.tasks):
                task.cancel()
            for connection in list(self.connections):
                if isinstance(connection, _Connection):
                    connection.transport.abort()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=GRACE_S)


class _Connection(HttpToolsProtocol):
    """uvicorn's, which would wait for ever for a first request."""

    server_state: _State

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._first_by = self.loop.call_later(FIRST_S_MAX, self._end_if_silent)

    def data_received(self, data: bytes) -> None:
        self.server_state.renew_date()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._first_by.cancel()
        super().connection_lost(exc)
        self.server_state.gone.set()

    def _end_if_silent(self) -> None:
        if self.cycle is None:
            self.transport.close()
