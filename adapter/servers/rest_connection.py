"""uvicorn's HTTP/1.1 connection, with the bounds that it has not: on heads, slow clients and their number.

uvicorn parses, orders pipelined requests, paces reading and writing, and closes connections that are idle
between two requests. It waits for ever for a request that was begun, takes heads of any size, and does
not tell a running application that the client has gone. What is refused here never reaches the
application; its answer looks as the application's errors do.
"""

import asyncio
import re
from http import HTTPStatus
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from adapter.domain.errors import Code
from adapter.servers.rest_answers import JSON, error_body
from adapter.servers.rest_app import CONNECTION_KEY
from adapter.servers.rest_joining import JoinedWrites
from adapter.servers.rest_options import RestOptions

HEADER_OVERHEAD_BYTES = 4
"""What a header has beside its name and value: a colon, a blank, and the end of its line."""


_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_NO_UPGRADE = b"\r\nignored:"
"""As long as what it replaces, so that no length changes."""


class HeadTooLarge(Exception):
    """Ends the parsing of a request whose head is larger than it may be."""


class ConnectionConfig(uvicorn.Config):
    """uvicorn's settings, and ours."""

    rest: RestOptions
    gone: asyncio.Event
    """Set whenever a connection has ended."""


class Connection(HttpToolsProtocol):
    """One client's connection, with one request at a time."""

    def __init__(
        self,
        config: ConnectionConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.answering: asyncio.Task[Any] | None = None
        """Answers the request that is there, if one is; cancelled when the client goes away."""
        self._options = config.rest
        self._gone = config.gone
        self._awaited_since_s: float | None = self.loop.time()
        """Since when the client owes us the rest of a request; None: it does not."""
        self._in_head = False
        self._is_head_too_large = False
        self._head_bytes = 0
        self._chunk_bytes = 0
        self._unsent_bytes = 0
        self._unsent_since_s = 0.0

    # What the transport tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        joined = JoinedWrites(transport)
        self._flush = joined.flush
        super().connection_made(cast("asyncio.Transport", joined))
        if len(self.connections) > self._options.connections_max:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, Code.UNAVAILABLE, "too many connections are open")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.answering is not None:
            self.answering.cancel()
        self._gone.set()

    def data_received(self, data: bytes) -> None:
        if data.find(b"h2c", 0, self._options.headers_bytes_max) >= 0 and (self._in_head or self._is_idle()):
            data = _without_upgrade(data)
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._options.headers_bytes_max:
                self._refuse_head()
        elif self._awaited_since_s is None and self._is_idle():
            self._awaited_since_s = self.loop.time()  # blank lines before a request

    # What the parser tells.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][CONNECTION_KEY] = self
        self._awaited_since_s = self.loop.time()
        self._in_head = True
        # Of this chunk nobody knows where the head began; what it brings beyond a bound is one chunk at most.
        self._head_bytes = -self._chunk_bytes

    def on_headers_complete(self) -> None:
        self._in_head = False
        came_in_pieces = self._head_bytes >= 0
        if came_in_pieces or self._chunk_bytes > self._options.headers_bytes_max:
            self._check_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        # After an answer that came before the request's end, uvicorn has no timer for the next one.
        self._awaited_since_s = self.loop.time() if self._is_idle() else None

    def on_response_complete(self) -> None:
        self._flush()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser gives up."""
        if self._is_head_too_large:
            self._refuse_head()
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, Code.INVALID_ARGUMENT, msg)

    # What the server asks.

    def check(self, now_s: float) -> None:
        """End the connection if the client takes too long. To be called about once a second."""
        awaited = self._awaited_since_s
        if awaited is not None and now_s - awaited > self._options.request_s_max:
            if self._is_idle() and not self._in_head:
                self.transport.close()  # nothing was asked, or it is answered and its body still comes
            else:
                text = f"the request was not there after {self._options.request_s_max:g} s"
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, Code.DEADLINE_EXCEEDED, text)
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes == 0 or unsent_bytes != self._unsent_bytes:
            self._unsent_bytes, self._unsent_since_s = unsent_bytes, now_s
        elif now_s - self._unsent_since_s > self._options.answer_stall_s_max:
            self.transport.abort()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _check_head(self) -> None:
        sizes = [len(name) + len(value) + HEADER_OVERHEAD_BYTES for name, value in self.headers]
        if sum(sizes) + len(self.url) > self._options.headers_bytes_max:
            self._is_head_too_large = True
            raise HeadTooLarge

    def _refuse_head(self) -> None:
        text = f"the head of the request is larger than {self._options.headers_bytes_max} bytes"
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, Code.RESOURCE_EXHAUSTED, text)

    def _refuse(self, status: HTTPStatus, code: Code, text: str) -> None:
        """Say why, and close; without a word in the middle of another answer."""
        self._awaited_since_s = None
        if self.transport.is_closing():
            return
        if self._is_idle() or not self.cycle.response_started:
            body = error_body(code, text)
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\n"
                f"content-type: {JSON.decode()}\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            self.transport.write(head.encode("ascii") + body)
        self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    """The beginning of a request that offers to go on in HTTP/2, without the offer.

    Java's client makes it with each request on a connection without TLS. We may ignore it (RFC 9110 7.8), but
    the parser would take the body for the beginning of the other protocol, and drop it.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(_NO_UPGRADE, head) + end + body
