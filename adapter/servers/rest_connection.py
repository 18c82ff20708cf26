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
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from adapter.domain.errors import Code
from adapter.servers.rest_answers import JSON, HttpAnswer, Stopping, error_answer, error_body
from adapter.servers.rest_app import CONNECTION_KEY
from adapter.servers.rest_joining import JoinedWrites
from adapter.servers.rest_options import RestOptions
from adapter.servers.rest_quick import QuickCall, QuickInference, QuickRequest

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
    quick: QuickInference
    gone: asyncio.Event
    """Set whenever a connection has ended."""


class NobodyWaits:
    """In the place of an event."""

    def set(self) -> None:
        """Nobody is told."""


class QuickCycle:
    """What uvicorn looks at of a request, where it is answered without the application."""

    __slots__ = ("disconnected", "keep_alive", "response_complete", "response_started")

    message_event = NobodyWaits()

    def __init__(self) -> None:
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = True
        self.response_started = False


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
        self._quick = config.quick
        self._quick_request: QuickRequest | None = None
        """What is asked for, while its body still comes; uvicorn knows nothing of it."""
        self._quick_body: list[bytes] = []
        self._quick_call: QuickCall | None = None
        self._quick_cycle = QuickCycle()
        """Of the last request that was answered without the application."""
        self._awaited_since_s: float | None = self.loop.time()
        """Since when the client owes us the rest of a request; None: it does not."""
        self._idle_since_s: float | None = None
        """Since when the client has all answers, and has said nothing; None: it has not."""
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
        self._write_whole = transport.write
        super().connection_made(cast("asyncio.Transport", joined))
        if len(self.connections) > self._options.connections_max:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, Code.UNAVAILABLE, "too many connections are open")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.answering is not None:
            self.answering.cancel()
        self._cancel_quick()
        self._gone.set()

    def data_received(self, data: bytes) -> None:
        self._idle_since_s = None
        if data.find(b"h2c", 0, self._options.headers_bytes_max) >= 0 and (self._in_head or self._is_idle()):
            data = _without_upgrade(data)
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._options.headers_bytes_max:
                self._refuse_head()
        elif self._awaited_since_s is None and self._idle_since_s is None and self._is_idle():
            self._awaited_since_s = self.loop.time()  # blank lines before a request

    # What the parser tells.

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._awaited_since_s = self.loop.time()
        self._in_head = True
        # Of this chunk nobody knows where the head began; what it brings beyond a bound is one chunk at most.
        self._head_bytes = -self._chunk_bytes

    def on_headers_complete(self) -> None:
        self._in_head = False
        came_in_pieces = self._head_bytes >= 0
        if came_in_pieces or self._chunk_bytes > self._options.headers_bytes_max:
            self._check_head()
        self._quick_request = self._taken()
        if self._quick_request is None:
            self._to_application()

    def on_body(self, body: bytes) -> None:
        if self._quick_request is None:
            super().on_body(body)
        else:
            self._quick_body.append(body)

    def on_message_complete(self) -> None:
        if self._quick_request is not None and self._begin_quick(self._quick_request):
            self._awaited_since_s = None
            return
        super().on_message_complete()
        # After an answer that came before the request's end, nobody waits for the next one yet.
        self._awaited_since_s = self.loop.time() if self._is_idle() else None

    def on_response_complete(self) -> None:
        self._flush()
        if self.pipeline:
            super().on_response_complete()
            return
        # As uvicorn does it, but for a timer: `check` sees to that.
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self._idle_since_s = self.loop.time()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser gives up."""
        if self._is_head_too_large:
            self._refuse_head()
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, Code.INVALID_ARGUMENT, msg)

    # Who answers.

    def _to_application(self) -> None:
        """The request is uvicorn's, and the application's."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        self.scope["state"][CONNECTION_KEY] = self
        super().on_headers_complete()

    def _taken(self) -> QuickRequest | None:
        """The request, if it may be answered without the application."""
        if self.flow.write_paused or not self._is_idle():
            return None  # another one is being answered
        parser = self.parser
        if parser.get_method() != b"POST" or parser.should_upgrade() or parser.get_http_version() != "1.1":
            return None
        return self._quick.taken(self.url, self.headers)

    def _begin_quick(self, request: QuickRequest) -> bool:
        """The body is there; gives whether the application need not know of it."""
        body = b"".join(self._quick_body)
        cycle = self._quick_cycle = QuickCycle()
        cycle.keep_alive = self.parser.should_keep_alive()
        cycle.response_complete = False
        before, self.cycle = self.cycle, cast("RequestResponseCycle", cycle)
        self._quick_request = None
        self._quick_body = []
        call = self._quick.begin(request, body, self._answer_quick)
        if call is None:
            self.cycle = before
            self._to_application()
            super().on_body(body)
            return False
        if not cycle.response_complete:
            self._quick_call = call
        return True

    def _answer_quick(self, answer: HttpAnswer) -> None:
        self._quick_call = None
        cycle = self._quick_cycle
        cycle.response_complete = True
        if self.transport.is_closing():
            return
        parts = [STATUS_LINE[answer.status]]
        for name, value in (*self.server_state.default_headers, *answer.headers):
            parts += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (b"content-length: %d\r\n\r\n" % len(answer.body), answer.body)
        self._write_whole(b"".join(parts))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _cancel_quick(self) -> bool:
        call, self._quick_call = self._quick_call, None
        if call is not None:
            call.cancel()
        return call is not None

    # What the server asks.

    def shutdown(self) -> None:
        """Begin no further request."""
        if self._quick_request is not None:
            self._quick_request = None
            self._to_application()
            super().on_body(b"".join(self._quick_body))
            self._quick_body = []
        super().shutdown()

    def send_away(self) -> bool:
        """Give up what is answered without the application; gives whether there was something."""
        if not self._cancel_quick():
            return False
        self._quick_cycle.keep_alive = False
        self._answer_quick(error_answer(Stopping()))
        return True

    def check(self, now_s: float) -> None:
        """End the connection if the client takes too long. To be called about once a second."""
        awaited, idle = self._awaited_since_s, self._idle_since_s
        if awaited is not None and now_s - awaited > self._options.request_s_max:
            if self._is_idle() and not self._in_head:
                self.transport.close()  # nothing was asked, or it is answered and its body still comes
            else:
                text = f"the request was not there after {self._options.request_s_max:g} s"
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, Code.DEADLINE_EXCEEDED, text)
        elif idle is not None and now_s - idle > self._options.keep_alive_s:
            self.transport.close()
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes == 0 or unsent_bytes != self._unsent_bytes:
            self._unsent_bytes, self._unsent_since_s = unsent_bytes, now_s
        elif now_s - self._unsent_since_s > self._options.answer_stall_s_max:
            self.transport.abort()

    def _is_idle(self) -> bool:
        return self._quick_request is None and (self.cycle is None or self.cycle.response_complete)

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
        if self._quick_request is not None or self._is_idle() or not self.cycle.response_started:
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
