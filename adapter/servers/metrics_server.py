"""`/metrics` on port 2112, for Prometheus: HTTP or HTTPS, `name[]=` filters, gzip for who asks.

Metrics are never a reason not to serve models: where the port cannot be had, a line in the log says so.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from adapter.aio.clock import Clock, LoopClock

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
    render: Render, *, host: str, port: int, tls: ssl.SSLContext | None = None, log_scrapes: bool = False
) -> AsyncIterator[int | None]:
    """Serve for as long as the block runs; gives the port, or None if it cannot be had."""
    try:
        listener = _listener(host, port)
    except OSError as error:
        cause = error.strerror or str(error)
        log.warning("metrics are not served", extra={"host": host, "port": port, "cause": cause})
        yield None
        return
    with listener:
        server = _Server(_config(_app(render, log_scrapes=log_scrapes), tls))
        async with asyncio.TaskGroup() as owner:
            owner.create_task(_serve(server, listener), name="metrics")
            yield listener.getsockname()[1]
            server.should_exit = True


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the program's."""
        yield


async def _serve(server: _Server, listener: socket.socket) -> None:
    try:
        await server.serve(sockets=[listener])
    except Exception:
        log.exception("metrics are not served any more")


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), port), family=family)


def _config(app: Starlette, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        limit_concurrency=SCRAPES_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
        ssl_context_factory=(lambda _config, _default: tls) if tls is not None else None,
    )


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
