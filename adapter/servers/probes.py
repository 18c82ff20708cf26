"""What the platform asks of this instance: `/ready` and `/live`; and `/prestop`, where runtimes wait for it.

Rules are ModelMesh's (reference: ModelMesh core 2.9, 7.2, 7.3): empty bodies, a trailing `/` is ignored, and
anything else is 404. All who wait at `/prestop` are served at once, which ModelMesh could not.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from adapter.servers.listening import bound
from adapter.servers.small_http import App, Receive, Scope, Send, http_serving

log = logging.getLogger(__name__)

ASKING_MAX: Final = 256
"""Connections at once; each container that waits at `/prestop` has one."""

Asked = Callable[[Receive], Awaitable[HTTPStatus]]


class PreStop:
    """The pod is about to be stopped: the containers beside this one wait until it has done its work."""

    def __init__(self, *, wait_s_max: float) -> None:
        """They are let go after `wait_s_max` in any case; ModelMesh has twice the shutdown's time."""
        self.asked = asyncio.Event()
        """Set when the first of them has come: this instance will be asked to stop too."""
        self._wait_s_max = wait_s_max
        self._exiting = asyncio.Event()

    def exiting(self) -> None:
        """This instance is about to exit: let them all go."""
        self._exiting.set()

    async def wait(self) -> None:
        """Until this instance is about to exit, or has taken too long."""
        self.asked.set()
        try:
            async with asyncio.timeout(self._wait_s_max):
                await self._exiting.wait()
        except TimeoutError:
            log.warning("who waits for this instance to exit is let go", extra={"after_s": self._wait_s_max})


@asynccontextmanager
async def probes_serving(
    *,
    is_ready: Callable[[], bool],
    is_live: Callable[[], bool],
    host: str,
    port: int,
    replaceable: bool = False,
) -> AsyncIterator[int]:
    """Answer the probes while inside; gives the port.

    A port that is taken is replaced by any free one if it is `replaceable`. Raises `CannotListen`.
    """

    async def ready(_receive: Receive) -> HTTPStatus:
        return HTTPStatus.OK if is_ready() else HTTPStatus.SERVICE_UNAVAILABLE

    async def live(_receive: Receive) -> HTTPStatus:
        return HTTPStatus.OK if is_live() else HTTPStatus.INTERNAL_SERVER_ERROR

    listener = bound(host, port, replaceable=replaceable)
    app = _app({"/ready": ready, "/live": live})
    async with http_serving(app, listener, connections_max=ASKING_MAX) as found:
        yield found


@asynccontextmanager
async def health_serving(*, is_ready: Callable[[], bool], host: str, port: int) -> AsyncIterator[int]:
    """Answer `/healthz` and `/readyz`, as controllers have them, while inside; gives the port.

    Raises `CannotListen`.
    """

    async def ready(_receive: Receive) -> HTTPStatus:
        return HTTPStatus.OK if is_ready() else HTTPStatus.SERVICE_UNAVAILABLE

    async def healthy(_receive: Receive) -> HTTPStatus:
        return HTTPStatus.OK

    app = _app({"/readyz": ready, "/healthz": healthy})
    async with http_serving(app, bound(host, port), connections_max=ASKING_MAX) as found:
        yield found


@asynccontextmanager
async def prestop_serving(
    prestop: PreStop, *, host: str, port: int, replaceable: bool = False
) -> AsyncIterator[int]:
    """Have containers wait while inside; gives the port. On leaving they are let go.

    A port that is taken is replaced by any free one if it is `replaceable`. Raises `CannotListen`.
    """

    async def wait(receive: Receive) -> HTTPStatus:
        log.info("a container beside this one is to stop, and waits for this instance")
        async with asyncio.TaskGroup() as owner:
            either = {owner.create_task(prestop.wait()), owner.create_task(_gone(receive))}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            for task in either:
                task.cancel()
        return HTTPStatus.OK

    listener = bound(host, port, replaceable=replaceable)
    async with http_serving(_app({"/prestop": wait}), listener, connections_max=ASKING_MAX) as found:
        try:
            yield found
        finally:
            prestop.exiting()


async def _gone(receive: Receive) -> None:
    """Until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _app(asked: dict[str, Asked]) -> App:
    """Answers these paths with a status and nothing else."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answering = asked.get(scope["path"].rstrip("/"))
        status = HTTPStatus.NOT_FOUND
        if answering is not None and scope["method"] in {"GET", "HEAD"}:
            status = await answering(receive)
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return app
