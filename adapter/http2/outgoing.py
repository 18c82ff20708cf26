"""The sending half of a connection: windows, what waits for them, and in which order it goes on.

Nothing is written to a socket here: parts gather in `out` until the shell takes them, once for all that one
read has caused.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, MutableSequence
from typing import TYPE_CHECKING, Final, Protocol

from adapter.http2.flow import ClientSide, Counts, Limits, Patience, Stream
from adapter.http2.frames import (
    DEFAULT_FRAME_BYTES,
    DEFAULT_WINDOW,
    WINDOW_MAX,
    ConnectionProblem,
    ErrorCode,
    Flag,
    Kind,
    StreamProblem,
    frame_header,
    headers_frames,
    rst_stream_frame,
    window_update_frame,
)
from adapter.http2.header_blocks import EMPTY_TABLE
from adapter.http2.request_head import HeadMemory
from adapter.http2.response_head import ResponseHead
from adapter.wire.grpc_messages import Chunk

if TYPE_CHECKING:
    from adapter.http2.call import Call

LARGE_BYTES: Final = 8192
"""To copy a part of this size once more costs more than to have the system gather it."""

TINY_BYTES: Final = 2048
"""Chunks that wait are joined up to this size."""

RESETS_REMEMBERED_MAX: Final = 1000
"""Streams that we ended, of which frames may still be on their way."""


class Outlet(Protocol):
    """Where a connection's bytes go: what the shell offers."""

    @property
    def write(self) -> Callable[[bytes], object]: ...

    @property
    def writelines(self) -> Callable[[list[Chunk]], object]: ...

    def close(self) -> None:
        """Close once what was written has gone out."""
        ...


class Shared:
    """What all connections of one relay share."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.patience = Patience(
            handshake_s=limits.handshake_s_max,
            keepalive_s=limits.keepalive_s,
            keepalive_timeout_s=limits.keepalive_timeout_s,
        )
        """With all but other instances."""
        self.counts = Counts()
        self.now_s = 0.0
        """The time of what is being handled; the shell sets it."""
        self.heads = HeadMemory()
        self.responses: dict[bytes, ResponseHead] = {}
        self.dirty: list[Outgoing] = []
        """Those that have something to send, or are to be closed."""
        self.resolve: Callable[[Call], None] = _nobody
        """Has the router find out where a call goes; the shell sets it."""
        self.relieve: Callable[[], None] = _nothing
        """Too much lies here; the relay sets it."""

    def flush(self) -> None:
        """Hand everything that is to be sent to the shell."""
        if self.counts.buffered_bytes > self.limits.buffered_bytes_max:
            self.relieve()
        dirty = self.dirty
        while dirty:
            connection = dirty.pop()
            out = connection.out
            if out:
                if connection.has_large:
                    connection.has_large = False
                    self.counts.bytes_out += sum(map(len, out))
                    connection.outlet.writelines(out)
                else:
                    data = b"".join(out)
                    self.counts.bytes_out += len(data)
                    connection.outlet.write(data)
                connection.out = []
            if connection.finished:
                connection.outlet.close()

    @property
    def is_full(self) -> bool:
        """More lies here than may."""
        return self.counts.buffered_bytes > self.limits.buffered_bytes_max


def keep(chunks: MutableSequence[Chunk], chunk: Chunk) -> None:
    """Keep one more chunk; tiny ones are joined, as each would take more memory than what it holds."""
    size = len(chunk)
    if size < TINY_BYTES and chunks and len(last := chunks[-1]) + size <= TINY_BYTES:
        chunks[-1] = b"".join((last, chunk))
    else:
        chunks.append(chunk)


def _nothing() -> None:
    """There is no relay."""


def _nobody(call: "Call") -> None:
    raise AssertionError(f"{call!r} misses, and there is no shell to resolve it")


class Outgoing(ClientSide):
    """One side of one connection, as far as it sends."""

    def __init__(self, shared: Shared, outlet: Outlet) -> None:
        self.shared = shared
        self.outlet = outlet
        self.out: list[Chunk] = []
        self.has_large = False
        """There are parts in `out` that are better not copied once more."""
        self.finished = False
        """Nothing is sent or understood any more."""
        self.streams: dict[int, Stream] = {}
        self.send_window = DEFAULT_WINDOW
        self._window_given = DEFAULT_WINDOW
        self.stream_window_out = DEFAULT_WINDOW
        """The peer's INITIAL_WINDOW_SIZE."""
        self.frame_bytes_out = DEFAULT_FRAME_BYTES
        """The peer's MAX_FRAME_SIZE."""
        self.blocked = False
        """The socket takes no more for now."""
        self._waiting: dict[int, Stream] = {}
        """Streams that could send, if the connection could; the first has waited longest."""
        self._table_told = False
        self._our_resets: deque[int] = deque(maxlen=RESETS_REMEMBERED_MAX)
        limits = shared.limits
        self._credit_at = limits.window_bytes // 2

    @property
    def data_sent(self) -> int:
        """Bytes of DATA since the connection began."""
        return self._window_given - self.send_window

    # What a subclass does.

    @abstractmethod
    def _sent(self, stream: Stream, size: int) -> None:
        """So many bytes that had waited have been sent."""

    @abstractmethod
    def _removed(self, stream: Stream) -> None:
        """The stream is closed."""

    # Sending.

    def push(self, *parts: Chunk) -> None:
        """Send these bytes with what else there is to send."""
        if not self.out:
            self.shared.dirty.append(self)
        self.out.extend(parts)

    def send_headers(self, stream: Stream, block: bytes, *, end: bool) -> None:
        """A header block that comes before any data."""
        if not self._table_told:
            self._table_told = True
            block = EMPTY_TABLE + block
        size, out = len(block), self.out
        if not out:
            self.shared.dirty.append(self)
        if size <= self.frame_bytes_out:
            out.append(frame_header(size, 1, 5 if end else 4, stream.id))
            out.append(block)
        else:
            out.append(headers_frames(stream.id, block, end_stream=end, frame_bytes_max=self.frame_bytes_out))
        if end:
            self._end_out(stream)

    def send_trailers(self, stream: Stream, block: bytes) -> None:
        """The block that ends the stream, after what waits."""
        if stream.unsent:
            stream.trailers = block
        else:
            self.send_headers(stream, block, end=True)

    def send_data(self, stream: Stream, chunk: Chunk, *, end: bool) -> int:
        """Send data as far as the windows are open; gives how much went, the rest waits its turn."""
        size = len(chunk)
        if stream.unsent or size > stream.send_window or size > self.send_window or self.blocked:
            return self._queue(stream, chunk, end=end)
        self.send_window -= size
        stream.send_window -= size
        if size > self.frame_bytes_out:
            self._send_frames(stream, memoryview(chunk), end=end)
            return size
        out = self.out
        if not out:
            self.shared.dirty.append(self)
        out.append(frame_header(size, 0, 1 if end else 0, stream.id))
        out.append(chunk)
        if size >= LARGE_BYTES:
            self.has_large = True
        if end:
            self._end_out(stream)
        return size

    def _send_frames(self, stream: Stream, chunk: memoryview, *, end: bool) -> None:
        """Send data that the windows have room for in as many frames as it takes."""
        most, size, stream_id = self.frame_bytes_out, len(chunk), stream.id
        last = size - (size % most or most)
        parts: list[Chunk] = []
        for start in range(0, last, most):
            parts += (frame_header(most, 0, 0, stream_id), chunk[start : start + most])
        parts += (frame_header(size - last, 0, 1 if end else 0, stream_id), chunk[last:])
        self.push(*parts)
        self.has_large = True
        if end:
            self._end_out(stream)

    def _queue(self, stream: Stream, chunk: Chunk, *, end: bool) -> int:
        if stream.unsent is None:
            stream.unsent = deque()
        if chunk:
            if not stream.unsent:
                stream.stalled_since_s = self.shared.now_s
            # A view of a large one can be cut without being copied again and again.
            keep(stream.unsent, chunk if len(chunk) <= self.frame_bytes_out else memoryview(chunk))
            stream.unsent_bytes += len(chunk)
            self.shared.counts.buffered_bytes += len(chunk)
        stream.end_waits = end
        before = stream.unsent_bytes
        if not chunk and not stream.unsent:
            self._send_end(stream)
        elif stream.send_window > 0:
            self._waiting[stream.id] = stream
            self.pump(tell=False)
        return before - stream.unsent_bytes

    def pump(self, *, tell: bool = True) -> None:
        """Send what the windows and the socket now allow, one frame of each stream in turn."""
        waiting = self._waiting
        while waiting and self.send_window > 0 and not self.blocked and not self.finished:
            stream_id = next(iter(waiting))
            stream = waiting.pop(stream_id)
            size = self._send_one(stream)
            if stream.unsent and stream.send_window > 0:
                waiting[stream_id] = stream
            if tell and size:
                self._sent(stream, size)

    def _send_one(self, stream: Stream) -> int:
        """One frame of what a stream has waiting; how many bytes it held."""
        unsent = stream.unsent
        if not unsent:
            return 0
        size = min(len(unsent[0]), stream.send_window, self.send_window, self.frame_bytes_out)
        chunk = unsent.popleft()
        if size < len(chunk):
            unsent.appendleft(chunk[size:])
            chunk = chunk[:size]
        self.send_window -= size
        stream.send_window -= size
        stream.unsent_bytes -= size
        self.shared.counts.buffered_bytes -= size
        last = not unsent
        stream.stalled_since_s = None if last else self.shared.now_s
        end = last and stream.end_waits
        self.has_large = self.has_large or size >= LARGE_BYTES
        self.push(frame_header(size, Kind.DATA, Flag.END_STREAM if end else 0, stream.id), chunk)
        if end:
            self._end_out(stream)
        elif last and stream.trailers is not None:
            self.send_headers(stream, stream.trailers, end=True)
        return size

    def _send_end(self, stream: Stream) -> None:
        self.push(frame_header(0, Kind.DATA, Flag.END_STREAM, stream.id))
        self._end_out(stream)

    def _end_out(self, stream: Stream) -> None:
        stream.ended_out = True
        if stream.ended_in:
            self._remove(stream)

    # Ends of streams.

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """End the stream at once; frames of it that are on their way are passed over."""
        if self.streams.get(stream.id) is not stream:
            return
        if not (stream.ended_in and stream.ended_out):
            self.push(rst_stream_frame(stream.id, code))
        if not stream.ended_in:
            self._our_resets.append(stream.id)
        self._remove(stream)

    def _remove(self, stream: Stream) -> None:
        del self.streams[stream.id]
        if stream.unsent:
            self._waiting.pop(stream.id, None)
            self.shared.counts.buffered_bytes -= stream.unsent_bytes
            stream.unsent_bytes = 0
            stream.unsent = None
        self._removed(stream)

    # What the peer says about windows.

    def taken(self, stream: Stream, size: int) -> None:
        """The receiver has so many more bytes of this stream: its sender may send as many more."""
        stream.consumed += size
        if stream.consumed >= self._credit_at and not stream.ended_in and not self.finished:
            self.push(window_update_frame(stream.id, stream.consumed))
            stream.receive_window += stream.consumed
            stream.consumed = 0

    def _widen_connection(self, increment: int) -> None:
        self.send_window += increment
        self._window_given += increment
        if self.send_window > WINDOW_MAX:
            raise ConnectionProblem(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window is too wide")
        self.pump()

    def _widen_stream(self, stream: Stream, increment: int) -> None:
        stream.send_window += increment
        if stream.send_window > WINDOW_MAX:
            raise StreamProblem(stream.id, ErrorCode.FLOW_CONTROL_ERROR, "the stream's window is too wide")
        if stream.unsent and stream.send_window > 0:
            self._waiting[stream.id] = stream
            self.pump()

    def _resize_windows(self, window: int) -> None:
        """The peer has changed INITIAL_WINDOW_SIZE (RFC 9113, section 6.9.2)."""
        change, self.stream_window_out = window - self.stream_window_out, window
        for stream in list(self.streams.values()):
            stream.send_window += change
            if stream.send_window > WINDOW_MAX:
                raise ConnectionProblem(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window is too wide")
            if stream.unsent and stream.send_window > 0:
                self._waiting[stream.id] = stream
            elif stream.unsent:
                self._waiting.pop(stream.id, None)
        self.pump()
