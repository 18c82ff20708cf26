"""`/metrics` on port 2112, for Prometheus: HTTP or HTTPS, `name[]=` filters, gzip for who asks.

Metrics are never a reason not to serve models: where the port cannot be had, a line in the log says so.
"""

import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from adapter.aio.clock import Clock, LoopClock
from adapter.servers.grpc_server import CannotListen
from adapter.servers.listening import bound
from adapter.servers.small_http import http_serving

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Always this form: OpenMetrics knows no counter without `_total`, and ModelMesh has such."""

SCRAPES_MAX = 32
"""Connections at once; further ones are told 503."""

KEEP_ALIVE_S = 75
"""More than a usual interval of scrapes, so that each need not connect anew."""

GZIP_LEVEL = 4

Render = Callable[[frozenset[str]], Iterator[bytes]]
"""The text of the metrics with these names, or of all, in pieces."""


@asynccontextmanager
async def metrics_serving(
    render: Render,
    *,
    host: str,
    port: int,
    replaceable: bool = False,
    tls: ssl.SSLContext | None = None,
    log_scrapes: bool = False,
) -> AsyncIterator[int | None]:
    """Serve for as long as the block runs; gives the port, or None if it cannot be had.

    A port that is taken is replaced by any free one if it is `replaceable`.
    """
    try:
        listener = bound(host, port, replaceable=replaceable)
    except CannotListen as error:
        cause = str(error)
        log.warning("metrics are not served", extra={"host": host, "port": port, "cause": cause})
        yield None
        return
    async with metrics_serving_on(listener, render, tls=tls, log_scrapes=log_scrapes) as found:
        yield found


@asynccontextmanager
async def metrics_serving_on(
    listener: socket.socket,
    render: Render,
    *,
    tls: ssl.SSLContext | None = None,
    log_scrapes: bool = False,
) -> AsyncIterator[int]:
    """The same on a socket that is bound already; the socket is closed then."""
    app = _app(render, log_scrapes=log_scrapes)
    async with http_serving(
        app, listener, tls=tls, connections_max=SCRAPES_MAX, keep_alive_s=KEEP_ALIVE_S
    ) as port:
        yield port


def _app(render: Render, *, log_scrapes: bool) -> Starlette:
    clock = LoopClock()

    async def scrape(request: Request) -> StreamingResponse:
        if log_scrapes:
            log.info("metrics scraped", extra={"client": request.client.host if request.client else ""})
        names = frozenset(request.query_params.getlist("name[]"))
        return StreamingResponse(_in_turns(render(names), clock), media_type=CONTENT_TYPE)

    app = Starlette(
        routes=[Route(path, scrape) for path in ("/metrics", "/")],
        middleware=[Middleware(GZipMiddleware, compresslevel=GZIP_LEVEL)],
    )
    app.router.redirect_slashes = False
    return app


async def _in_turns(pieces: Iterator[bytes], clock: Clock) -> AsyncIterator[bytes]:
    """Let the loop turn between the pieces: calls go on while a large scrape is answered."""
    for piece in pieces:
        yield piece
        await clock.sleep(0)
