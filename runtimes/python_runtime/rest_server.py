"""uvicorn, told to leave the signals to the program."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

STOP_GRACE_S = 5
BACKLOG = 1024


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class RestServer:
    """One application on one TCP port."""

    def __init__(self, app: Starlette, *, host: str, port: int) -> None:
        """Listen; raises `OSError` if the address cannot be had."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._app = app
        self._socket = socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)

    @property
    def port(self) -> int:
        """The port that it got."""
        port: int = self._socket.getsockname()[1]
        return port

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; requests that run may end within the grace."""
        server = _Server(
            uvicorn.Config(
                self._app,
                lifespan="off",
                access_log=False,
                log_level="warning",
                timeout_graceful_shutdown=STOP_GRACE_S,
            )
        )
        async with asyncio.TaskGroup() as owner:
            owner.create_task(server.serve(sockets=[self._socket]), name="rest")
            await stop.wait()
            server.should_exit = True
