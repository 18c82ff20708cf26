"""The kubelet's own API, as far as `kubectl logs` needs it: `/containerLogs/NAMESPACE/POD/CONTAINER`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.kubelet.container import Container

Find = Callable[[str, str, str], Container | None]
"""By namespace, pod and container."""

FOLLOW_EVERY_S = 0.1
TAIL_BYTES_MAX = 1 << 20
"""Of a log that is asked for by its last lines."""


def log_app(find: Find) -> Starlette:
    """Reads the files that containers write to."""

    async def logs(request: Request) -> Response:
        place = [request.path_params[name] for name in ("namespace", "pod", "container")]
        container = find(*place)
        previous = request.query_params.get("previous") == "true"
        path = container.log(previous=previous) if container else None
        if container is None or path is None or not path.exists():
            return PlainTextResponse(f"no log of container {'/'.join(place)}", status_code=404)
        lines = request.query_params.get("tailLines")
        text = tail(path, int(lines)) if lines else path.read_bytes()
        if request.query_params.get("follow") != "true" or previous:
            return PlainTextResponse(text)
        return StreamingResponse(_following(container, path, text), media_type="text/plain")

    path = "/containerLogs/{namespace}/{pod}/{container}"
    return Starlette(routes=[Route(path, logs)])


def tail(path: Path, lines: int) -> bytes:
    """The last so many lines, within bounds."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES_MAX))
        found = file.read().splitlines(keepends=True)
    return b"".join(found[-lines:]) if lines > 0 else b""


async def _following(container: Container, path: Path, first: bytes) -> AsyncIterator[bytes]:
    """What is there, and what comes, until the container has ended."""
    yield first
    with path.open("rb") as file:
        file.seek(0, 2)
        while True:
            is_over = container.log(previous=False) != path or "terminated" in container.status.state.json()
            if more := file.read():
                yield more
            elif is_over:
                return
            await asyncio.sleep(FOLLOW_EVERY_S)
