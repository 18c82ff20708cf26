"""The door at which the API server asks whether an object may be made or changed: `AdmissionReview` by HTTPS.

What is decided is not known here: for each path a function from the review to its answer is handed over,
which is quick and does not block. What goes wrong here is an HTTP error, after which the API server does what
the webhook's `failurePolicy` says.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapter.domain.errors import InvalidRequest
from adapter.servers.small_http import http_serving

log = logging.getLogger(__name__)

REVIEW_BYTES_MAX: Final = 8 << 20
"""An object of the API server has at most 3 MiB, and a review has its old and its new form."""
READ_AT_ONCE_MAX: Final = 4
"""Reviews in memory at the same time."""
READ_S_MAX: Final = 5.0
"""How long a review may take to arrive; the API server waits 10 s by default."""
CONNECTIONS_MAX: Final = 64

Review = Mapping[str, Any]
Decide = Callable[[Review], Review]
"""The answer to a review, as a review. Raises `InvalidRequest` if it is none."""


@asynccontextmanager
async def admission_serving(
    decisions: Mapping[str, Decide], listener: socket.socket, *, tls: ssl.SSLContext | None
) -> AsyncIterator[int]:
    """Answer at these paths, on a socket that listens already, while inside; gives the port.

    The API server asks over TLS only.
    """
    async with http_serving(
        admission_app(decisions), listener, tls=tls, connections_max=CONNECTIONS_MAX
    ) as port:
        yield port


def admission_app(decisions: Mapping[str, Decide]) -> Starlette:
    """The same without a socket."""
    turns = asyncio.Semaphore(READ_AT_ONCE_MAX)
    app = Starlette(
        routes=[Route(path, _asked(decide, turns), methods=["POST"]) for path, decide in decisions.items()]
    )
    app.router.redirect_slashes = False
    return app


class _Refused(Exception):
    """An HTTP answer."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


def _asked(decide: Decide, turns: asyncio.Semaphore) -> Callable[[Request], Any]:
    async def ask(request: Request) -> Response:
        try:
            return _answered(decide, await _read(request, turns), request.url.path)
        except _Refused as refused:
            return PlainTextResponse(str(refused), refused.status)

    return ask


async def _read(request: Request, turns: asyncio.Semaphore) -> bytes:
    try:
        async with asyncio.timeout(READ_S_MAX), turns:
            return await _body(request)
    except TimeoutError:
        text = f"the review has not arrived within {READ_S_MAX:.0f} s, or too many others are being read"
        raise _Refused(HTTPStatus.REQUEST_TIMEOUT, text) from None
    except ClientDisconnect:
        raise _Refused(HTTPStatus.BAD_REQUEST, "the client has gone") from None


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > REVIEW_BYTES_MAX:
            text = f"a review has at most {REVIEW_BYTES_MAX} bytes"
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
    return bytes(body)


def _answered(decide: Decide, body: bytes, path: str) -> Response:
    try:
        review = orjson.loads(body)
    except ValueError:
        raise _Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON") from None
    try:
        answer = decide(review)
    except InvalidRequest as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
    except Exception:
        log.exception("a review could not be decided", extra={"path": path})
        text = "this webhook failed; its log says why"
        raise _Refused(HTTPStatus.INTERNAL_SERVER_ERROR, text) from None
    return Response(orjson.dumps(answer), media_type="application/json")
