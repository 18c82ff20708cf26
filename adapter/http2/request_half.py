"""The half of a call that goes from the client to the runtime: what came, what is kept, what went on.

A first message is kept until the answer begins: as long as it is all that was sent, and nothing was answered,
the call can be sent again without the client seeing any of it. The client is given credit for what went on,
and for a message that is awaited whole, since its size has a limit.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence

from adapter.domain.errors import AdapterError, Code
from adapter.http2.client_side import ClientConnection
from adapter.http2.flow import ClientSide, Exchange, Stream
from adapter.http2.outgoing import Shared, keep
from adapter.http2.request_head import RequestHead
from adapter.http2.verdicts import Plan, Target, refusal_of
from adapter.wire.chunks import NotSure, located_in_chunks
from adapter.wire.grpc_messages import (
    PREFIX_BYTES,
    BadMessage,
    Chunk,
    MessageBounds,
    MessageTooLarge,
    inflated,
    is_one_message,
    prefix,
)
from adapter.wire.splice import Located, located


class RequestHalf(Exchange):
    """The request of one call."""

    # Most calls change few of these; those that stand here cost a call nothing.
    ended = False
    """The client has half-closed."""
    done = False
    spied_request: list[Chunk] | None = None
    spied_response: list[Chunk] | None = None
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
        self._held: list[Chunk] | None = []
        """All that came so far; None: too late to send it again."""

    @abstractmethod
    def _route(self) -> None:
        """The call can be routed."""

    @abstractmethod
    def refuse(self, code: Code, text: str, word: str = "") -> None:
        """End the call with a status of ours; a `word` tells another instance that it may ask elsewhere."""

    @property
    def first_message(self) -> bytes | None:
        """The first message, without its prefix and uncompressed; None: it has none, or is not awaited.

        Raises `AdapterError` for a compression that is not offered, or a message that does not decompress.
        """
        held = self._held
        if held is None or self._message_bytes is None:
            return None
        if len(held) > 1:
            held[:] = [b"".join(held)]
        message = bytes(held[0][PREFIX_BYTES : self._message_bytes])
        if held[0][0]:
            encoding = self.head.encoding.decode("latin-1")
            return inflated(message, encoding, limit_bytes=self._shared.limits.message_bytes_max)
        return message

    @property
    def is_compressed(self) -> bool:
        """Whether the first message is; what is put into it goes on without compression."""
        return bool(self._held and self._held[0][0])

    def located(self, path: Sequence[int]) -> Located | None:
        """The string at this path of the first message; None: there is none, or no message.

        Raises `AdapterError` as `first_message` does, and for a message that cannot be read.
        """
        held, size = self._held, self._message_bytes
        if held is None or size is None:
            return None
        if len(path) == 1 and not held[0][0]:
            try:
                return located_in_chunks(held, path[0], start=PREFIX_BYTES, end=size)
            except NotSure:
                pass
        message = self.first_message
        return None if message is None else located(message, path)

    def _rewritten(self, target: Target, held: list[Chunk]) -> list[Chunk]:
        """What was held, with the first message as the target wants it."""
        size, edit = self._message_bytes, target.edit
        assert size is not None
        if edit is not None:
            first = held[0]
            grown = len(edit.put) - (edit.end - edit.start)
            before, after = first[PREFIX_BYTES : PREFIX_BYTES + edit.start], first[PREFIX_BYTES + edit.end :]
            begin = b"".join((prefix(size - PREFIX_BYTES + grown), before, edit.put, after))
            chunks: list[Chunk] = [begin, *held[1:]] if len(held) > 1 else [begin]
        else:
            assert target.message is not None
            rest = b"".join(held)[size:]
            chunks = [prefix(len(target.message)) + target.message]
            if rest:
                chunks.append(rest)
            grown = len(target.message) + PREFIX_BYTES - size
        # A message that is longer or shorter than it came counts as it came.
        self._passed = -grown
        return chunks

    def spy(self) -> None:
        """Keep what passes by, up to the size of a message each way."""
        if self.spied_request is None:
            self.spied_request = list(self._held or ())
            self.spied_response = []

    def request_data(self, chunk: Chunk, *, end: bool) -> None:
        """A part of the request has come, and perhaps its end."""
        if self.done:
            return
        size = len(chunk)
        self.request_bytes += size
        if not end and self._bounds is not None and self._bounds.passes(size):
            self._amid_message(chunk, size)
            return
        if end:
            self.ended = True
        try:
            completed = self._followed(chunk, end=end)
        except AdapterError as error:
            self._refuse_for(error)
            return
        if self.spied_request is not None:
            self._spy_on(chunk)
        if self._held is None:
            self._send_on(chunk, end=end)
        else:
            self._hold(chunk, completed, end=end)

    def _refuse_for(self, error: AdapterError) -> None:
        if isinstance(error, MessageTooLarge):
            self._shared.counts.note(self._shared.counts.limits_hit, "message_bytes_max")
        refusal = refusal_of(error)
        self.refuse(refusal.code, refusal.text, refusal.word)

    def _amid_message(self, chunk: Chunk, size: int) -> None:
        """A part of the request that neither begins nor ends a message: most of what is in a large one."""
        if self.spied_request is not None:
            self._spy_on(chunk)
        held, shared = self._held, self._shared
        if held is None:
            self._send_on(chunk, end=False)
        elif self._message_bytes is not None or self.upstream_stream is not None:
            self._hold(chunk, 0, end=False)
        else:
            keep(held, chunk)
            self._held_bytes += size
            shared.counts.buffered_bytes += size
            if self.plan.message_first:
                self._credited += size
                self.client.taken(self.client_stream, size)

    def _spy_on(self, chunk: Chunk) -> None:
        if self.spied_request is not None and self.request_bytes <= self._shared.limits.message_bytes_max:
            keep(self.spied_request, chunk)

    def _followed(self, chunk: Chunk, *, end: bool) -> int:
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

    def _hold(self, chunk: Chunk, completed: int, *, end: bool) -> None:
        """Keep what came, and send it on if the call is open already."""
        assert self._held is not None
        first_was_whole = self._message_bytes is not None
        if chunk:
            keep(self._held, chunk)
            self._held_bytes += len(chunk)
            self._shared.counts.buffered_bytes += len(chunk)
        if completed and not first_was_whole:
            self._message_bytes = self._first_message_bytes(chunk)
        if self.upstream_stream is not None:
            if first_was_whole and chunk:
                self.let_go()
            self._send_on(chunk, end=end)
        elif self.plan.message_first and not first_was_whole:
            self._await_message(chunk)

    def _first_message_bytes(self, chunk: Chunk) -> int:
        held = self._held
        assert held is not None
        if self._bounds is None:
            return len(chunk)
        head = held[0] if len(held[0]) >= PREFIX_BYTES else b"".join(held)
        return PREFIX_BYTES + int.from_bytes(head[1:PREFIX_BYTES], "big")

    def _await_message(self, chunk: Chunk) -> None:
        """Route once the first message is whole."""
        if self._message_bytes is not None:
            self._route()
        elif self.ended:
            self.refuse(Code.INTERNAL, "half-closed without a request")
        elif chunk:
            # It is awaited whole, so its sender must not wait for us; its size has a limit.
            self._credited += len(chunk)
            self.client.taken(self.client_stream, len(chunk))

    def _send_on(self, chunk: Chunk, *, end: bool) -> None:
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

    @property
    def kept_bytes(self) -> int:
        """What lies here of the request."""
        waiting = 0 if self.upstream_stream is None else self.upstream_stream.unsent_bytes
        return waiting if self._held is None else waiting + self._held_bytes

    def let_go(self) -> None:
        """It is too late to send the request again: it need not be kept."""
        if self._held is not None:
            self._held = None
            self._shared.counts.buffered_bytes -= self._held_bytes
