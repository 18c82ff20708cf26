"""The connection towards a runtime, a peer or a door of ours: we are the client, and open the streams."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from adapter.http2.connection import Connection
from adapter.http2.control_frames import protocol_problem
from adapter.http2.flow import Patience, Stream
from adapter.http2.frames import PREFACE, STREAM_ID_MAX, ErrorCode, Flag, Setting, StreamProblem
from adapter.http2.header_blocks import BlockReader, is_plain
from adapter.http2.outgoing import Outlet, Shared
from adapter.http2.response_head import ResponseHead
from adapter.wire.grpc_messages import Chunk

if TYPE_CHECKING:
    from adapter.http2.call import Call

RESPONSES_REMEMBERED_MAX: Final = 1024
RESPONSE_REMEMBERED_BYTES_MAX: Final = 1024
OPENED_BLOCKED_MAX: Final = 1000
"""Streams opened on a connection while its socket takes nothing: their headers pile up."""


class ClientConnection(Connection):
    """Our side of a connection to an upstream."""

    def __init__(
        self,
        shared: Shared,
        outlet: Outlet,
        *,
        name: str,
        on_change: Callable[["ClientConnection"], None],
        patience: Patience | None = None,
    ) -> None:
        super().__init__(shared, outlet, patience)
        self._name = name
        self.end_reason = ""
        """Why it ended, once it has."""
        self._on_change = on_change
        """Called when a stream has ended, when the peer tells its limit, and when the connection ends."""
        # gRPC's servers end streams beyond their limit, so none is opened before they have told it.
        self.peer_streams_max = 0
        self.is_new = True
        """The peer has not told how many streams it takes."""
        self._next_id = 1
        self._opened_blocked = 0
        self._reader = BlockReader()
        limits = shared.limits
        self.push(PREFACE)
        self._greet(
            {
                Setting.HEADER_TABLE_SIZE: 0,
                Setting.ENABLE_PUSH: 0,
                Setting.INITIAL_WINDOW_SIZE: limits.window_bytes,
                Setting.MAX_FRAME_SIZE: limits.frame_bytes_max,
            }
        )
        shared.counts.upstream_connections_opened += 1
        shared.counts.upstream_connections_open += 1

    def __repr__(self) -> str:
        return f"<ClientConnection with {len(self.streams)} streams>"

    @property
    def has_room(self) -> bool:
        """Whether one more stream may be opened."""
        if self.finished or self.goaway_received:
            return False
        if self.blocked and self._opened_blocked >= OPENED_BLOCKED_MAX:
            return False
        most = self.peer_streams_max
        return most is None or len(self.streams) < most

    def open(self, call: "Call") -> None:
        """Open a stream for this call, which takes it from there."""
        stream = Stream(self._next_id, call, self.stream_window_out, self.shared.limits.window_bytes)
        self.last_stream_id = self._next_id
        self._next_id += 2
        if self._next_id > STREAM_ID_MAX:
            self.goaway_received = True  # as good as: what is open may end here, and nothing else begins
        self._opened_blocked = self._opened_blocked + 1 if self.blocked else 0
        self.streams[stream.id] = stream
        call.opened(self, stream)

    def _headers(self, stream_id: int, block: bytes, *, end: bool) -> None:
        stream = self.streams.get(stream_id)
        head = self._head(block, stream)
        if stream is None:
            if self._is_idle(stream_id):
                raise protocol_problem(f"HEADERS on stream {stream_id}, which was never open")
            return
        stream.ended_in = stream.ended_in or end
        stream.call.response_headers(head, end=end)
        if end and stream.ended_out and self.streams.get(stream_id) is stream:
            self._remove(stream)

    @property
    def _is_worth_asking(self) -> bool:
        # gRPC's servers close the connection of a client that asks every five minutes and has no calls.
        return bool(self.streams)

    @property
    def _blocks(self) -> BlockReader:
        return self._reader

    def _head(self, block: bytes, stream: Stream | None) -> ResponseHead:
        reader, known = self._reader, self.shared.responses
        head = known.get(block)
        if head is not None and (reader.stateless or (head.is_plain and reader.table_is_empty)):
            return head
        plain = reader.plain(block)
        head = ResponseHead(self.shared.heads.fields.fields(plain))
        if head.is_malformed:
            if stream is not None:
                raise StreamProblem(stream.id, ErrorCode.PROTOCOL_ERROR, "malformed headers")
        elif plain is block and len(block) <= RESPONSE_REMEMBERED_BYTES_MAX:
            head.is_plain = is_plain(block)
            if len(known) >= RESPONSES_REMEMBERED_MAX:
                known.clear()
            known[block] = head
        return head

    def _deliver(self, stream: Stream, chunk: Chunk, *, end: bool) -> None:
        stream.call.response_data(chunk, end=end)

    def _sent(self, stream: Stream, size: int) -> None:
        stream.call.request_sent(size)

    def _peer_reset(self, stream: Stream, code: int) -> None:
        stream.call.response_reset(code)

    def _removed(self, _stream: Stream) -> None:
        self._on_change(self)

    def _settings(self, stream_id: int, payload: bytes, flags: int) -> None:
        if self.is_new and not flags & Flag.ACK:
            self.is_new = False
            self.peer_streams_max = None
            super()._settings(stream_id, payload, flags)
            self._on_change(self)
        else:
            super()._settings(stream_id, payload, flags)

    def _apply(self, number: int, value: int) -> None:
        super()._apply(number, value)
        if number == Setting.MAX_CONCURRENT_STREAMS:
            self._on_change(self)

    def _gone_away(self, last_stream_id: int, code: int) -> None:
        del code
        for stream in [stream for stream in self.streams.values() if stream.id > last_stream_id]:
            self._remove(stream)
            stream.call.response_reset(ErrorCode.REFUSED_STREAM)
        self._on_change(self)
        self.close_if_unused()

    def excuse(self, late_s: float) -> None:
        """So long it was us who stood still: that does not count as the upstream's silence."""
        self.began_s += late_s
        if self.asked_s is not None:
            self.asked_s += late_s

    def close_if_unused(self) -> None:
        """After GOAWAY, the last stream closes the connection."""
        if self.goaway_received and not self.streams:
            self.fail(ErrorCode.NO_ERROR, "")

    def _lost_streams(self, streams: list[Stream], reason: str) -> None:
        self.shared.counts.upstream_connections_open -= 1
        self.end_reason = reason
        self._on_change(self)
        for stream in streams:
            stream.call.upstream_failed(f"the connection to {self._name} ended: {reason}")

    def _allow(self, what: str) -> None:
        """A runtime is trusted not to flood us."""
