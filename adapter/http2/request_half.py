"""The half of a call that goes from the client to the runtime: what came, what is kept, what went on.

A first message is kept until the answer begins: as long as it is all that was sent, and nothing was answered,
the call can be sent again without the client seeing any of it. The client is given credit for what went on,
and for a message that is awaited whole, since its size has a limit.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from adapter.domain.errors import AdapterError, Code
from adapter.http2.client_side import ClientConnection
from adapter.http2.flow import Stream
from adapter.http2.frames import ErrorCode
from adapter.http2.outgoing import Shared
from adapter.http2.request_head import RequestHead
from adapter.http2.verdicts import Plan
from adapter.wire.grpc_messages import PREFIX_BYTES, BadMessage, MessageBounds, inflated, is_one_message


class ClientSide(Protocol):
    """The side that the call came from: a connection of a client's, or a caller in this process."""

    def send_headers(self, stream: Stream, block: bytes, *, end: bool) -> None: ...
    def send_trailers(self, stream: Stream, block: bytes) -> None: ...
    def send_data(self, stream: Stream, chunk: bytes, *, end: bool) -> int: ...
    def taken(self, stream: Stream, size: int) -> None: ...
    def reset(self, stream: Stream, code: ErrorCode) -> None: ...


class RequestHalf(ABC):
    """The request of one call."""

    # Most calls change few of these; those that stand here cost a call nothing.
    client_stream: Stream
    ended = False
    """The client has half-closed."""
    done = False
    request_bytes = 0
    spied_request: list[bytes] | None = None
    spied_response: list[bytes] | None = None
    """What passed by, for payload processors; None: none wants it."""
    cancel_resolving: Callable[[], object] | None = None
    """While the router finds out where to: gives it up."""
    upstream_connection: ClientConnection | None = None
    upstream_stream: Stream | None = None
    _bounds: MessageBounds | None = None
    """Follows the messages; None: so far there is none, or one that came as one chunk."""
    _message_bytes: int | None = None
    """How long the first message is with its prefix, once it is whole."""
    _held_bytes = 0
    _credited = 0
    """For how many bytes the client was given credit."""
    _passed = 0
    """How many bytes this try has sent on."""

    def __init__(self, shared: Shared, client: ClientSide, head: RequestHead, plan: Plan) -> None:
        self._shared = shared
        self.client = client
        self.head = head
        self.plan = plan
        self._held: list[bytes] | None = []
        """All that came so far; None: too late to send it again."""

    @abstractmethod
    def _route(self) -> None:
        """The call can be routed."""

    @abstractmethod
    def refuse(self, code: Code, text: str) -> None:
        """End the call with a status of ours."""

    @property
    def first_message(self) -> bytes | None:
        """The first message, without its prefix and uncompressed; None: it has none, or is not awaited.

        Raises `AdapterError` for a compression that is not offered, or a message that does not decompress.
        """
        held = self._held
        if held is None or self._message_bytes is None:
            return None
        whole = held[0] if len(held) == 1 else b"".join(held)
        message = whole[PREFIX_BYTES : self._message_bytes]
        if whole[0]:
            encoding = self.head.encoding.decode("latin-1")
            return inflated(message, encoding, limit_bytes=self._shared.limits.message_bytes_max)
        return message

    def spy(self) -> None:
        """Keep what passes by, up to the size of a message each way."""
        if self.spied_request is None:
            self.spied_request = list(self._held or ())
            self.spied_response = []

    def request_data(self, chunk: bytes, *, end: bool) -> None:
        """A part of the request has come, and perhaps its end."""
        if self.done:
            return
        if end:
            self.ended = True
        self.request_bytes += len(chunk)
        try:
            completed = self._followed(chunk, end=end)
        except AdapterError as error:
            self.refuse(error.code, str(error))
            return
        if self.spied_request is not None and self.request_bytes <= self._shared.limits.message_bytes_max:
            self.spied_request.append(chunk)
        if self._held is None:
            self._send_on(chunk, end=end)
        else:
            self._hold(chunk, completed, end=end)

    def _followed(self, chunk: bytes, *, end: bool) -> int:
        """How many messages this chunk completes. Raises `MessageTooLarge` or `BadMessage`."""
        bounds, limit_bytes = self._bounds, self._shared.limits.message_bytes_max
        if bounds is None:
            if is_one_message(chunk, limit_bytes):
                return 1
            bounds = self._bounds = MessageBounds(limit_bytes=limit_bytes)
        completed = bounds.feed(chunk)
        if end and not bounds.between_messages:
            raise BadMessage("the request ends within a message")
        return completed

    def _hold(self, chunk: bytes, completed: int, *, end: bool) -> None:
        """Keep what came, and send it on if the call is open already."""
        assert self._held is not None
        first_was_whole = self._message_bytes is not None
        if chunk:
            self._held.append(chunk)
            self._held_bytes += len(chunk)
            self._shared.counts.buffered_bytes += len(chunk)
        if completed and not first_was_whole:
            self._message_bytes = self._first_message_bytes(chunk)
        if self.upstream_stream is not None:
            if first_was_whole and chunk:
                self._let_go()
            self._send_on(chunk, end=end)
        elif self.plan.message_first and not first_was_whole:
            self._await_message(chunk)

    def _first_message_bytes(self, chunk: bytes) -> int:
        held = self._held
        assert held is not None
        if self._bounds is None:
            return len(chunk)
        head = b"".join(held)[:PREFIX_BYTES]
        return PREFIX_BYTES + int.from_bytes(head[1:], "big")

    def _await_message(self, chunk: bytes) -> None:
        """Route once the first message is whole."""
        if self._message_bytes is not None:
            self._route()
        elif self.ended:
            self.refuse(Code.INTERNAL, "half-closed without a request")
        elif self._shared.is_full:
            self._shared.counts.note(self._shared.counts.limits_hit, "buffered_bytes_max")
            self.refuse(
                Code.RESOURCE_EXHAUSTED, "this instance holds too many unfinished requests; try again"
            )
        elif chunk:
            # It is awaited whole, so its sender must not wait for us; its size has a limit.
            self._credited += len(chunk)
            self.client.taken(self.client_stream, len(chunk))

    def _send_on(self, chunk: bytes, *, end: bool) -> None:
        connection, stream = self.upstream_connection, self.upstream_stream
        if connection is None or stream is None or stream.ended_out:
            return
        sent = connection.send_data(stream, chunk, end=end)
        if sent and not end:
            self.request_sent(sent)

    def request_sent(self, size: int) -> None:
        """So much of the request has gone on; as much more may come."""
        self._passed += size
        credit = self._passed - self._credited
        if credit > 0 and not self.ended:
            self._credited += credit
            self.client.taken(self.client_stream, credit)

    def _let_go(self) -> None:
        """It is too late to send the request again: it need not be kept."""
        if self._held is not None:
            self._held = None
            self._shared.counts.buffered_bytes -= self._held_bytes
