"""The REST door on a port: uvicorn's HTTP/1.1 in the event loop that runs already.

HTTP/1.1 only: a TLS context for it must not offer `h2`. Signals are the program's.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate

from uvicorn.server import ServerState

from adapter.aio.clock import LoopClock
from adapter.servers.calls import UnaryCalls
from adapter.servers.listening import BACKLOG, bound, port_of
from adapter.servers.rest_app import RestApp
from adapter.servers.rest_body import BodyBudget
from adapter.servers.rest_connection import Connection, ConnectionConfig
from adapter.servers.rest_options import RestOptions
from adapter.servers.rest_quick import QuickInference

log = logging.getLogger(__name__)

TICK_S = 1.0
"""How often clients are looked at that take too long; it is the `Date` header's step too."""

TLS_SHUTDOWN_S_MAX = 5.0
CANCELLED_S_MAX = 1.0
"""How long requests may take to answer that they were cancelled, and what is unsent to be sent."""


@asynccontextmanager
async def rest_serving(
    calls: UnaryCalls,
    *,
    host: str,
    port: int,
    options: RestOptions | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serve REST on this address (port 0: any that is free) while inside; gives the port.

    On leaving, no request is begun any more, and those in flight have `stop_grace_s` to end. Raises
    `CannotListen`.
    """
    with bound(host, port) as listener:
        async with rest_serving_on(listener, calls, options=options, tls=tls) as found:
            yield found


@asynccontextmanager
async def rest_serving_on(
    listener: socket.socket,
    calls: UnaryCalls,
    *,
    options: RestOptions | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serve REST on a socket that is bound already, as `rest_serving` does; the socket is closed then."""
    server = _RestServer(calls, options or RestOptions())
    await server.start(listener, tls)
    port = port_of(listener)
    log.info("listening", extra={"door": "REST", "port": port, "tls": tls is not None})
    try:
        yield port
    finally:
        await server.stop()
        log.info("stopped listening", extra={"door": "REST", "port": port})


class _RestServer:
    """The connections of one socket."""

    def __init__(self, calls: UnaryCalls, options: RestOptions) -> None:
        self._options = options
        self._state = ServerState()
        self._clock = LoopClock()
        budget = BodyBudget(options.bodies_bytes_max)
        self._config = ConnectionConfig(
            RestApp(calls, options, budget),
            lifespan="off",
            http=Connection,
            ws="none",
            interface="asgi3",
            log_config=None,
            log_level="error",  # else every stray byte from outside is a line in the log
            access_log=False,
            proxy_headers=False,
            server_header=False,
            forwarded_allow_ips=[],
            workers=1,
        )
        self._config.rest = options
        self._config.quick = QuickInference(calls, options, budget=budget, tasks=self._state.tasks)
        self._config.gone = asyncio.Event()
        self._config.load()
        self._server: asyncio.Server | None = None
        self._next_tick: asyncio.TimerHandle | None = None

    async def start(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        self._tick(loop)
        self._server = await loop.create_server(
            lambda: Connection(self._config, self._state, {}),
            sock=listener,
            ssl=tls,
            backlog=BACKLOG,
            ssl_handshake_timeout=None if tls is None else self._options.request_s_max,
            ssl_shutdown_timeout=None if tls is None else TLS_SHUTDOWN_S_MAX,
        )

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        date = formatdate(self._clock.epoch_ms() / 1e3, usegmt=True).encode("ascii")
        self._state.default_headers = [(b"date", date)]
        now_s = loop.time()
        for connection in self._connections():
            connection.check(now_s)
        self._next_tick = loop.call_later(TICK_S, self._tick, loop)

    def _connections(self) -> list[Connection]:
        return [each for each in self._state.connections if isinstance(each, Connection)]

    async def stop(self) -> None:
        """Close the door, wait for those inside as long as they may take, then send them away."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections():
            connection.shutdown()
        if not await self._all_gone(within_s=self._options.stop_grace_s):
            await self._send_away()
        if self._next_tick is not None:
            self._next_tick.cancel()

    async def _send_away(self) -> None:
        tasks = list(self._state.tasks)
        given_up = len(tasks) + sum([connection.send_away() for connection in self._connections()])
        log.warning("requests in flight are given up", extra={"door": "REST", "requests": given_up})
        for task in tasks:
            task.cancel()
        await self._all_gone(within_s=CANCELLED_S_MAX)
        for connection in self._connections():
            connection.transport.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=CANCELLED_S_MAX)

    async def _all_gone(self, *, within_s: float) -> bool:
        """Whether every connection ends, and all that was running for it, within this time."""
        try:
            async with asyncio.timeout(within_s):
                while self._state.connections or self._state.tasks:
                    if self._state.connections:
                        self._config.gone.clear()
                        await self._config.gone.wait()
                    else:
                        await asyncio.wait(list(self._state.tasks))
        except TimeoutError:
            return False
        return True
