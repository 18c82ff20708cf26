"""One side of one connection: what both sides of RFC 9113 have in common.

`receive` takes bytes as they come. A peer that breaks the rules loses its stream or its connection, as the
RFC says which; nobody else notices.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Final

from adapter.http2.control_frames import ControlFrames, after_priority, protocol_problem
from adapter.http2.flow import Patience, Stream
from adapter.http2.frames import (
    DEFAULT_FRAME_BYTES,
    DEFAULT_WINDOW,
    FRAME_HEADER_BYTES,
    STREAM_ID_MAX,
    ConnectionProblem,
    ErrorCode,
    Flag,
    Kind,
    Setting,
    StreamProblem,
    goaway_frame,
    ping_frame,
    read_frame_header,
    rst_stream_frame,
    settings_frame,
    window_update_frame,
)
from adapter.http2.outgoing import Outlet, Shared
from adapter.wire.grpc_messages import Chunk

VIEW_BYTES_MIN: Final = 4096
"""Less data than this is cheaper to copy than to look at."""
VIEW_SHARE_MIN: Final = 16
"""A view keeps all that was read with it; it may be no smaller a part of that."""

KEEPALIVE_PING: Final = b"remesh:k"
SILENT: Final = "no answer to PING"


class Connection(ControlFrames):
    """One side of one connection, of either role."""

    def __init__(self, shared: Shared, outlet: Outlet, patience: Patience | None = None) -> None:
        super().__init__(shared, outlet)
        self._patience = patience or shared.patience
        self.began_s = self.heard_s = shared.now_s
        self._partial = b""
        self._block: list[bytes] | None = None
        self._block_stream, self._block_flags, self._block_bytes = 0, 0, 0
        self._frame_bytes_in = DEFAULT_FRAME_BYTES
        self._receive_window = max(shared.limits.connection_window_bytes, DEFAULT_WINDOW)
        self.asked_s: float | None = None
        """Since when a sign of life is awaited."""

    # What a subclass does.

    @abstractmethod
    def _headers(self, stream_id: int, block: bytes, *, end: bool) -> None:
        """A whole header block has come."""

    @abstractmethod
    def _deliver(self, stream: Stream, chunk: Chunk, *, end: bool) -> None:
        """Data of a stream have come."""

    @abstractmethod
    def _lost_streams(self, streams: list[Stream], reason: str) -> None:
        """The connection has ended under these streams."""

    @property
    def _is_worth_asking(self) -> bool:
        """Whether a silent peer is asked for a sign of life."""
        return True

    # The life of the connection.

    def _greet(self, settings: Mapping[Setting, int]) -> None:
        """Send our SETTINGS, and open the connection's window."""
        window = self.shared.limits.connection_window_bytes
        self.push(settings_frame(settings))
        if window > DEFAULT_WINDOW:
            self.push(window_update_frame(0, window - DEFAULT_WINDOW))
        # Held to at once, not when the peer has acknowledged it: it only allows more than the default.
        self._frame_bytes_in = settings[Setting.MAX_FRAME_SIZE]

    def receive(self, data: bytes) -> None:
        """Bytes have come; what they cause is in the `out` of the connections concerned."""
        if self.finished:
            return
        self.shared.counts.bytes_in += len(data)
        self.heard_s = self.shared.now_s
        self.asked_s = None
        try:
            position = 0
            if self._partial:
                position = self._complete(data)
            self._partial = self._frames(data, position) if position < len(data) else self._partial
        except ConnectionProblem as problem:
            self.fail(problem.code, problem.text)

    def fail(self, code: ErrorCode, text: str) -> None:
        """End the connection with GOAWAY (section 5.4.1)."""
        if self.finished:
            return
        if code is not ErrorCode.NO_ERROR:
            self.shared.counts.note(self.shared.counts.connection_errors, code.name)
        self.push(goaway_frame(self.last_stream_id, code, text))
        self.lost(text or "the connection was closed")

    def lost(self, reason: str = "the connection was lost") -> None:
        """The connection has ended: so have its streams. What is still to be sent may go out."""
        if self.finished:
            return
        self.finished = True
        self.shared.dirty.append(self)
        self._waiting.clear()
        streams = list(self.streams.values())
        for stream in streams:
            self._remove(stream)
        self._lost_streams(streams, reason)

    def tick(self, now_s: float) -> None:
        """Time has passed: ask a silent peer for a sign of life, and end what stalls."""
        patience = self._patience
        if not self._settings_acknowledged and now_s - self.began_s > patience.handshake_s:
            self._hit("handshake_s_max")
            self.fail(ErrorCode.SETTINGS_TIMEOUT, "SETTINGS were not acknowledged")
        elif self.asked_s is not None:
            if now_s - self.asked_s > patience.keepalive_timeout_s:
                self._hit("keepalive_timeout_s")
                self.fail(ErrorCode.NO_ERROR, SILENT)
        elif now_s - self.heard_s > patience.keepalive_s and self._is_worth_asking:
            self.asked_s = now_s
            self.push(ping_frame(KEEPALIVE_PING, ack=False))
        if not self.finished:
            self._end_stalled(now_s - self.shared.limits.stall_s_max)
            if self._receive_window < self.shared.limits.connection_window_bytes >> 1:
                self._give_credit()

    def _end_stalled(self, since_s: float) -> None:
        for stream in list(self.streams.values()):
            if stream.stalled_since_s is not None and stream.stalled_since_s < since_s:
                self._hit("stall_s_max")
                self.reset(stream, ErrorCode.CANCEL)
                self._peer_reset(stream, ErrorCode.CANCEL)

    def _hit(self, limit: str) -> None:
        self.shared.counts.note(self.shared.counts.limits_hit, limit)

    # Frames.

    def _complete(self, data: bytes) -> int:
        """Handle the frame that had begun to come; gives the position of what follows it."""
        partial, missing = self._partial, 0
        if len(partial) < FRAME_HEADER_BYTES:
            missing = FRAME_HEADER_BYTES - len(partial)
            partial += data[:missing]
            if len(partial) < FRAME_HEADER_BYTES:
                self._partial = partial
                return len(data)
        length = FRAME_HEADER_BYTES + int.from_bytes(partial[:3], "big")
        position = missing + min(length - len(partial), len(data) - missing)
        self._partial = partial + data[missing:position]
        if len(self._partial) == length or length > FRAME_HEADER_BYTES + self._frame_bytes_in:
            self._partial = self._frames(self._partial, 0)
        return position

    def _frames(self, data: bytes, position: int) -> bytes:
        """Handle all whole frames from this position; gives the bytes of the one that is not."""
        high: int
        low: int
        kind: int
        flags: int
        stream_id: int
        end = len(data)
        while end - position >= FRAME_HEADER_BYTES and not self.finished:
            high, low, kind, flags, stream_id = read_frame_header(data, position)
            length = high << 8 | low
            if length > self._frame_bytes_in:
                raise ConnectionProblem(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            start = position + FRAME_HEADER_BYTES
            position = start + length
            if position > end:
                return data[start - FRAME_HEADER_BYTES :]
            if self._block is not None and kind != Kind.CONTINUATION:
                raise protocol_problem("a header block was not ended")
            try:
                if kind == 0:
                    payload: Chunk
                    if length < VIEW_BYTES_MIN or length * VIEW_SHARE_MIN < end:
                        payload = data[start:position]
                    else:
                        payload = memoryview(data)[start:position]
                    self._data(stream_id & STREAM_ID_MAX, payload, flags)
                elif kind == 1:
                    self._headers_frame(stream_id & STREAM_ID_MAX, data[start:position], flags)
                elif kind == Kind.CONTINUATION:
                    self._continuation(stream_id & STREAM_ID_MAX, data[start:position], flags)
                else:
                    self._control(kind, stream_id & STREAM_ID_MAX, data[start:position], flags)
            except StreamProblem as problem:
                self._end_broken(problem)
        return data[position:]

    def _data(self, stream_id: int, payload: Chunk, flags: int) -> None:
        length = len(payload)
        self._receive_window -= length
        if self._receive_window < self.shared.limits.connection_window_bytes >> 1:
            self._give_credit()
        if flags & Flag.PADDED:
            payload = _unpadded(payload)
        stream = self.streams.get(stream_id)
        if stream is None or stream.ended_in:
            self._data_too_late(stream_id)
            return
        stream.receive_window -= length
        if stream.receive_window < 0:
            raise StreamProblem(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "more data than the window")
        if length != len(payload):
            self.taken(stream, length - len(payload))
        if flags & 1:
            stream.ended_in = True
            self._deliver(stream, payload, end=True)
            if stream.ended_out and self.streams.get(stream_id) is stream:
                self._remove(stream)
        elif payload:
            self._deliver(stream, payload, end=False)
        else:
            self._allow("empty_frames_burst")

    def _give_credit(self) -> None:
        """Open the connection's window again."""
        if self._receive_window < 0:
            raise ConnectionProblem(ErrorCode.FLOW_CONTROL_ERROR, "more data than the connection's window")
        full = max(self.shared.limits.connection_window_bytes, DEFAULT_WINDOW)
        increment = full - self._receive_window
        if increment < full >> 1 or self.finished:
            return
        self._receive_window = full
        self.push(window_update_frame(0, increment))

    def _data_too_late(self, stream_id: int) -> None:
        """DATA for a stream that is closed, or was never open (section 5.1)."""
        if not stream_id or self._is_idle(stream_id):
            raise protocol_problem(f"DATA on stream {stream_id}, which was never open")
        if stream_id not in self._our_resets:
            self._allow("resets_burst")  # it makes us answer with a reset
            raise StreamProblem(stream_id, ErrorCode.STREAM_CLOSED, "DATA on a stream that was ended")

    def _headers_frame(self, stream_id: int, payload: bytes, flags: int) -> None:
        if not stream_id:
            raise protocol_problem("HEADERS on stream 0")
        if flags & (Flag.PADDED | Flag.PRIORITY):
            if flags & Flag.PADDED:
                payload = bytes(_unpadded(payload))
            if flags & Flag.PRIORITY:
                payload = after_priority(stream_id, payload)
        if flags & Flag.END_HEADERS:
            self._headers(stream_id, payload, end=bool(flags & 1))
            return
        self._block, self._block_stream, self._block_flags = [payload], stream_id, flags
        self._block_bytes = len(payload)

    def _continuation(self, stream_id: int, payload: bytes, flags: int) -> None:
        limits = self.shared.limits
        if self._block is None or stream_id != self._block_stream:
            raise protocol_problem("CONTINUATION without HEADERS")
        self._block.append(payload)
        self._block_bytes += len(payload)
        if self._block_bytes > limits.header_block_bytes_max:
            self._hit("header_block_bytes_max")
            raise ConnectionProblem(ErrorCode.ENHANCE_YOUR_CALM, "the header block is too big")
        if len(self._block) > limits.continuations_max:
            self._hit("continuations_max")
            raise ConnectionProblem(ErrorCode.ENHANCE_YOUR_CALM, "too many CONTINUATION frames")
        if flags & Flag.END_HEADERS:
            block, self._block = b"".join(self._block), None
            self._headers(stream_id, block, end=bool(self._block_flags & 1))

    def _end_broken(self, problem: StreamProblem) -> None:
        """Answer a stream error (section 5.4.2)."""
        self.shared.counts.note(self.shared.counts.stream_errors, problem.code.name)
        stream = self.streams.get(problem.stream_id)
        if stream is None:
            self.push(rst_stream_frame(problem.stream_id, problem.code))
            self._our_resets.append(problem.stream_id)
            return
        self.reset(stream, problem.code)
        self._peer_reset(stream, problem.code)


def _unpadded(payload: Chunk) -> Chunk:
    """Without the padding (section 6.1)."""
    if not payload:
        raise ConnectionProblem(ErrorCode.FRAME_SIZE_ERROR, "padding without its length")
    if payload[0] >= len(payload):
        raise protocol_problem("more padding than frame")
    return payload[1 : len(payload) - payload[0]]
