"""The frames that are about a connection or a stream as such: what both roles do about them."""

from abc import abstractmethod
from typing import Final

from adapter.http2.flow import Stream
from adapter.http2.frames import (
    DEFAULT_FRAME_BYTES,
    FRAME_BYTES_MAX,
    SETTINGS_ACK,
    STREAM_ID_MAX,
    WINDOW_MAX,
    ConnectionProblem,
    ErrorCode,
    Flag,
    Kind,
    Setting,
    StreamProblem,
    ping_frame,
)
from adapter.http2.header_blocks import BlockReader
from adapter.http2.outgoing import Outgoing, Outlet, Shared

DRAIN_PING: Final = b"remesh:d"

PARAMETERS_AT_ONCE: Final = 16
"""A SETTINGS frame with more counts as several: each parameter may concern every stream."""


class ControlFrames(Outgoing):
    """One side of one connection, as far as it obeys the other."""

    def __init__(self, shared: Shared, outlet: Outlet) -> None:
        super().__init__(shared, outlet)
        self.peer_streams_max: int | None = None
        """The peer's MAX_CONCURRENT_STREAMS; None: it has not told."""
        self.last_stream_id = 0
        """The highest that was used."""
        self.goaway_received = False
        self._settings_acknowledged = False
        self._pinged_at = (0, 0)
        """How far the connection was at the last PING. One after data measures the link, and is no flood."""
        self._handlers = {
            Kind.PRIORITY: self._priority,
            Kind.RST_STREAM: self._rst_stream,
            Kind.SETTINGS: self._settings,
            Kind.PUSH_PROMISE: self._push_promise,
            Kind.PING: self._ping,
            Kind.GOAWAY: self._goaway,
            Kind.WINDOW_UPDATE: self._window_update,
        }

    # What a subclass does.

    @property
    @abstractmethod
    def _blocks(self) -> BlockReader:
        """Who reads the peer's header blocks."""

    @abstractmethod
    def _peer_reset(self, stream: Stream, code: int) -> None:
        """The peer has ended a stream, which is removed already."""

    @abstractmethod
    def _gone_away(self, last_stream_id: int, code: int) -> None:
        """The peer begins no more streams, and has not looked at those after this one."""

    @abstractmethod
    def _allow(self, what: str) -> None:
        """The peer does what costs us something; raises `ConnectionProblem` when it was too often."""

    # Frames.

    def _control(self, kind: int, stream_id: int, payload: bytes, flags: int) -> None:
        """Handle a frame that is not DATA, HEADERS or CONTINUATION; unknown types are passed over."""
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(stream_id, payload, flags)

    def _priority(self, stream_id: int, payload: bytes, _flags: int) -> None:
        if not stream_id:
            raise protocol_problem("PRIORITY on stream 0")
        if len(payload) != 5:  # noqa: PLR2004 - section 6.3
            if stream_id not in self.streams:  # what is not open cannot be reset
                raise ConnectionProblem(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY has 5 bytes")
            raise StreamProblem(stream_id, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY has 5 bytes")
        after_priority(stream_id, payload)
        self._allow("empty_frames_burst")

    def _rst_stream(self, stream_id: int, payload: bytes, _flags: int) -> None:
        if len(payload) != 4:  # noqa: PLR2004 - section 6.4
            raise ConnectionProblem(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM has 4 bytes")
        if not stream_id or self._is_idle(stream_id):
            raise protocol_problem(f"RST_STREAM on stream {stream_id}, which was never open")
        self._allow("resets_burst")
        stream = self.streams.get(stream_id)
        if stream is not None:
            self._remove(stream)
            self._peer_reset(stream, int.from_bytes(payload, "big"))

    def _settings(self, stream_id: int, payload: bytes, flags: int) -> None:
        if stream_id:
            raise protocol_problem("SETTINGS on a stream")
        if flags & Flag.ACK:
            if payload:
                raise ConnectionProblem(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement holds nothing")
            self._settings_acknowledged = True
            self._blocks.settings_acknowledged()
            return
        if len(payload) % 6:
            raise ConnectionProblem(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS has 6 bytes for each")
        for _ in range(0, len(payload) + 1, 6 * PARAMETERS_AT_ONCE):
            self._allow("settings_burst")
        # First of all, so that the peer knows by which of them the data go that a wider window lets through.
        self.push(SETTINGS_ACK)
        for start in range(0, len(payload), 6):
            number = int.from_bytes(payload[start : start + 2], "big")
            self._apply(number, int.from_bytes(payload[start + 2 : start + 6], "big"))

    def _apply(self, number: int, value: int) -> None:
        if number == Setting.ENABLE_PUSH and value > 1:
            raise protocol_problem(f"ENABLE_PUSH is {value}")
        if number == Setting.INITIAL_WINDOW_SIZE:
            if value > WINDOW_MAX:
                raise ConnectionProblem(ErrorCode.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE is {value}")
            self._resize_windows(value)
        elif number == Setting.MAX_FRAME_SIZE:
            if not DEFAULT_FRAME_BYTES <= value <= FRAME_BYTES_MAX:
                raise protocol_problem(f"MAX_FRAME_SIZE is {value}")
            self.frame_bytes_out = value
        elif number == Setting.MAX_CONCURRENT_STREAMS:
            self.peer_streams_max = value

    def _ping(self, stream_id: int, payload: bytes, flags: int) -> None:
        if stream_id:
            raise protocol_problem("PING on a stream")
        if len(payload) != 8:  # noqa: PLR2004 - section 6.7
            raise ConnectionProblem(ErrorCode.FRAME_SIZE_ERROR, "PING has 8 bytes")
        if not flags & Flag.ACK:
            progress = (self.last_stream_id, self.data_sent)
            if progress == self._pinged_at:
                self._allow("pings_burst")
            self._pinged_at = progress
            self.push(ping_frame(payload, ack=True))
        elif payload == DRAIN_PING:
            self._drain_heard()

    def _drain_heard(self) -> None:
        """The peer has read the GOAWAY that we sent."""

    def _goaway(self, stream_id: int, payload: bytes, _flags: int) -> None:
        if stream_id:
            raise protocol_problem("GOAWAY on a stream")
        if len(payload) < 8:  # noqa: PLR2004 - section 6.8
            raise ConnectionProblem(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY has at least 8 bytes")
        self.goaway_received = True
        last = int.from_bytes(payload[:4], "big") & STREAM_ID_MAX
        self._gone_away(last, int.from_bytes(payload[4:8], "big"))

    def _window_update(self, stream_id: int, payload: bytes, _flags: int) -> None:
        if len(payload) != 4:  # noqa: PLR2004 - section 6.9
            raise ConnectionProblem(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE has 4 bytes")
        increment = int.from_bytes(payload, "big") & WINDOW_MAX
        if not stream_id:
            if not increment:
                raise protocol_problem("WINDOW_UPDATE by 0")
            self._widen_connection(increment)
            return
        stream = self.streams.get(stream_id)
        if stream is None:
            if self._is_idle(stream_id):
                raise protocol_problem(f"WINDOW_UPDATE on stream {stream_id}, which was never open")
            return
        if not increment:
            raise StreamProblem(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0")
        self._widen_stream(stream, increment)

    def _push_promise(self, _stream_id: int, _payload: bytes, _flags: int) -> None:
        raise protocol_problem("PUSH_PROMISE, which nobody allowed")

    def _is_idle(self, stream_id: int) -> bool:
        """Whether this stream was never opened; those of the other parity never are."""
        return stream_id > self.last_stream_id or stream_id % 2 == 0


def after_priority(stream_id: int, payload: bytes) -> bytes:
    """Without the priority, which is deprecated (section 5.3)."""
    if len(payload) < 5:  # noqa: PLR2004
        raise ConnectionProblem(ErrorCode.FRAME_SIZE_ERROR, "a priority has 5 bytes")
    if int.from_bytes(payload[:4], "big") & STREAM_ID_MAX == stream_id:
        # An error of the stream, says RFC 7540; but its header block, if it is one, would go unread.
        raise protocol_problem(f"stream {stream_id} depends on itself")
    return payload[5:]


def protocol_problem(text: str) -> ConnectionProblem:
    """A PROTOCOL_ERROR of the whole connection."""
    return ConnectionProblem(ErrorCode.PROTOCOL_ERROR, text)
