"""The connection of a client: we are the server, and the client opens the streams."""

from math import inf
from typing import TYPE_CHECKING, Final

from adapter.domain.errors import Code
from adapter.http2.connection import Connection
from adapter.http2.control_frames import DRAIN_PING
from adapter.http2.flow import NOBODY, Allowance, Exchange, Stream
from adapter.http2.frames import (
    PREFACE,
    STREAM_ID_MAX,
    ConnectionProblem,
    ErrorCode,
    Setting,
    StreamProblem,
    goaway_frame,
    ping_frame,
)
from adapter.http2.header_blocks import BlockReader
from adapter.http2.outgoing import Outlet
from adapter.http2.page import Page
from adapter.http2.request_head import HeadersTooBig, HeadReader, check_trailers
from adapter.http2.response_head import RESPONSE_FIELDS, trailer_fields
from adapter.http2.verdicts import ANYONE, Caller
from adapter.wire.grpc_messages import Chunk

if TYPE_CHECKING:
    from adapter.http2.relay import Relay

_HTTP1_TEXT: Final = b"This port speaks gRPC over HTTP/2. REST is on a port of its own.\n"
_HTTP1_ANSWER: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_HTTP1_TEXT), _HTTP1_TEXT)
)
_HTTP1_METHODS = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ")


class ServerConnection(Connection):
    """Our side of a client's connection."""

    def __init__(self, relay: "Relay", outlet: Outlet, *, caller: Caller = ANYONE) -> None:
        super().__init__(relay.shared, outlet)
        self.caller = caller
        self.relay = relay
        self._reader = HeadReader(
            relay.shared.heads, list_bytes_max=relay.shared.limits.header_list_bytes_max
        )
        self._greeted = False
        self._preface = b""
        self._draining = False
        self._drain_by_s: float | None = None
        limits = relay.shared.limits
        self._allowances = {
            "pings_burst": Allowance(limits.pings_burst),
            "settings_burst": Allowance(limits.settings_burst),
            "resets_burst": Allowance(limits.resets_burst),
            "empty_frames_burst": Allowance(limits.empty_frames_burst),
        }
        self.idle_since_s = relay.shared.now_s
        self.blocked_since_s: float | None = None
        """Since when the client's socket has taken nothing; the shell sets it."""
        relay.shared.counts.connections_opened += 1
        relay.shared.counts.connections_open += 1
        relay.clients.add(self)

    def __repr__(self) -> str:
        return f"<ServerConnection with {len(self.streams)} streams>"

    def receive(self, data: bytes) -> None:
        """Bytes have come; the first are to be the preface (RFC 9113, section 3.4)."""
        if not self._greeted:
            if self.finished:
                return
            self._preface += data
            if not self._preface.startswith(PREFACE):
                self._refuse_preface()
                return
            data, self._preface = self._preface[len(PREFACE) :], b""
            self._begin()
        super().receive(data)

    def _refuse_preface(self) -> None:
        if PREFACE.startswith(self._preface):
            return
        if self._preface.startswith(_HTTP1_METHODS):
            self.push(_HTTP1_ANSWER)
            self.shared.counts.note(self.shared.counts.connection_errors, "HTTP_1_1")
            self.lost("HTTP/1.1")
        elif not any(method.startswith(self._preface) for method in _HTTP1_METHODS):
            self.fail(ErrorCode.PROTOCOL_ERROR, "this is no HTTP/2")

    def _begin(self) -> None:
        self._greeted = True
        limits = self.shared.limits
        self._greet(
            {
                Setting.HEADER_TABLE_SIZE: 0,
                Setting.MAX_CONCURRENT_STREAMS: limits.streams_max,
                Setting.INITIAL_WINDOW_SIZE: limits.window_bytes,
                Setting.MAX_FRAME_SIZE: limits.frame_bytes_max,
                Setting.MAX_HEADER_LIST_SIZE: limits.header_list_bytes_max,
            }
        )
        if self._draining:
            self._announce_drain()

    # Streams.

    def _headers(self, stream_id: int, block: bytes, *, end: bool) -> None:
        stream = self.streams.get(stream_id)
        if stream is not None:
            self._trailers(stream, block, end=end)
        elif stream_id % 2 == 0:
            raise ConnectionProblem(ErrorCode.PROTOCOL_ERROR, f"HEADERS on stream {stream_id}, which is ours")
        elif stream_id <= self.last_stream_id:
            self._block_too_late(stream_id, block)
        else:
            self.last_stream_id = stream_id
            self._begin_stream(stream_id, block, end=end)

    def _begin_stream(self, stream_id: int, block: bytes, *, end: bool) -> None:
        try:
            head = self._reader.read(block, stream_id)
        except HeadersTooBig as error:
            self._hit("header_list_bytes_max")
            self._turn_away(stream_id, Code.RESOURCE_EXHAUSTED, str(error), end=end)
            return
        if len(self.streams) >= self.shared.limits.streams_max:
            self._hit("streams_max")
            self._allow("resets_burst")
            raise StreamProblem(stream_id, ErrorCode.REFUSED_STREAM, "more streams than announced")
        if self._drain_by_s is not None:
            raise StreamProblem(stream_id, ErrorCode.REFUSED_STREAM, "this connection is being closed")
        shared = self.shared
        window, ours = self.stream_window_out, shared.limits.window_bytes
        call: Exchange = self.relay.call(self, head) if head.is_grpc else Page(self, head)
        stream = Stream(stream_id, call, window, ours)
        call.client_stream = stream
        self.streams[stream_id] = stream
        stream.ended_in = end
        stream.call.begin()
        if end and self.streams.get(stream_id) is stream:
            self._deliver(stream, b"", end=True)

    @property
    def _blocks(self) -> BlockReader:
        return self._reader.blocks

    def _trailers(self, stream: Stream, block: bytes, *, end: bool) -> None:
        """In gRPC clients have no trailers; those that come end the request and are not passed on."""
        fields = self.shared.heads.fields.fields(self._blocks.plain(block))
        if stream.ended_in:
            raise StreamProblem(stream.id, ErrorCode.STREAM_CLOSED, "HEADERS after the end")
        if not end:
            raise StreamProblem(stream.id, ErrorCode.PROTOCOL_ERROR, "HEADERS twice")
        check_trailers(fields, stream.id)
        stream.ended_in = True
        self._deliver(stream, b"", end=True)
        if stream.ended_out and self.streams.get(stream.id) is stream:
            self._remove(stream)

    def _block_too_late(self, stream_id: int, block: bytes) -> None:
        self._blocks.plain(block)  # the table must know it
        if stream_id not in self._our_resets:
            raise ConnectionProblem(
                ErrorCode.STREAM_CLOSED, f"HEADERS on stream {stream_id}, which has ended"
            )

    def _turn_away(self, stream_id: int, code: Code, text: str, *, end: bool) -> None:
        """Answer without a call."""
        stream = Stream(stream_id, NOBODY, self.stream_window_out, 0)
        stream.ended_in = end
        self.streams[stream_id] = stream
        self.send_headers(stream, RESPONSE_FIELDS + trailer_fields(code, text), end=True)

    def _deliver(self, stream: Stream, chunk: Chunk, *, end: bool) -> None:
        call = stream.call
        if call.head.content_length is not None:
            self._check_length(stream, len(chunk), end=end)
        call.request_data(chunk, end=end)

    def _check_length(self, stream: Stream, size: int, *, end: bool) -> None:
        """A content-length has to be kept (RFC 9113, section 8.1.1)."""
        came, told = stream.call.request_bytes + size, stream.call.head.content_length
        if told is not None and (came > told or (end and came != told)):
            stream.ended_in = False
            text = f"{came} bytes came, and content-length is {told}"
            raise StreamProblem(stream.id, ErrorCode.PROTOCOL_ERROR, text)

    def _sent(self, stream: Stream, size: int) -> None:
        stream.call.response_sent(size)

    def _peer_reset(self, stream: Stream, code: int) -> None:
        del code
        stream.call.request_reset()

    def _end_out(self, stream: Stream) -> None:
        super()._end_out(stream)
        if not stream.ended_in:
            # The answer is whole; what the client still sends is of no use (RFC 9113, section 8.1).
            self.reset(stream, ErrorCode.NO_ERROR)

    def _removed(self, _stream: Stream) -> None:
        if not self.streams:
            self.idle_since_s = self.shared.now_s
            if self._drain_by_s is not None:
                self.fail(ErrorCode.NO_ERROR, "")

    def _lost_streams(self, streams: list[Stream], reason: str) -> None:
        del reason
        self.shared.counts.connections_open -= 1
        self.relay.clients.discard(self)
        for stream in streams:
            stream.call.request_reset()

    # The end of the connection.

    def _gone_away(self, last_stream_id: int, code: int) -> None:
        """The client opens no more streams; it closes when it has its answers."""

    def drain(self, by_s: float) -> None:
        """Ask the client to go elsewhere; what it has begun may end until then (section 6.8)."""
        if self._draining or self.finished:
            return
        self._draining = True
        self._drain_deadline_s = by_s
        if self._greeted:
            self._announce_drain()

    def _announce_drain(self) -> None:
        self.push(goaway_frame(STREAM_ID_MAX, ErrorCode.NO_ERROR), ping_frame(DRAIN_PING, ack=False))

    def _drain_heard(self) -> None:
        if not self._draining:
            return
        self._drain_by_s = self._drain_deadline_s
        self.push(goaway_frame(self.last_stream_id, ErrorCode.NO_ERROR))
        if not self.streams:
            self.fail(ErrorCode.NO_ERROR, "")

    def tick(self, now_s: float) -> None:
        """Time has passed."""
        limits = self.shared.limits
        if not self._greeted:
            if now_s - self.began_s > limits.handshake_s_max:
                self._hit("handshake_s_max")
                self.lost("no preface came")
            return
        if self._draining and now_s > self._drain_deadline_s:
            self.fail(ErrorCode.NO_ERROR, "the time to drain is over")
            return
        super().tick(now_s)
        if self.blocked_since_s is not None and now_s - self.blocked_since_s > limits.stall_s_max:
            self._hit("stall_s_max")
            self.fail(ErrorCode.ENHANCE_YOUR_CALM, "answers are not read")
        if self.finished:
            return
        if not self._draining and not self.streams and now_s - self.idle_since_s > limits.idle_s_max:
            self._hit("idle_s_max")
            self.drain(inf)  # a call that begins at this moment has all the time it needs
        if limits.age_s_max is not None and now_s - self.began_s > limits.age_s_max:
            grace_s = limits.age_grace_s
            self.drain(inf if grace_s is None else now_s + grace_s)
        for stream in list(self.streams.values()):
            stream.call.tick(now_s)

    def _allow(self, what: str) -> None:
        if not self._allowances[what].take(self.shared.now_s):
            self._hit(what)
            raise ConnectionProblem(ErrorCode.ENHANCE_YOUR_CALM, f"too often: {what}")
