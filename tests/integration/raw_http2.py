"""A client of HTTP/2 over a bare socket that sends whatever it is told to, right or wrong.

It knows nothing of `adapter.http2`: what goes over the wire is written and read here anew.
"""

import base64
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

import hpack

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, HAS_PRIORITY = 0x4, 0x8, 0x20
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 3, 4, 5
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED = range(6)
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = range(6, 10)
ENHANCE_YOUR_CALM = 11
NAMES: Final = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
]
"""Of the errors, by their numbers."""

WINDOW_MAX: Final = 2**31 - 1
DEFAULT_WINDOW: Final = 65_535
WAIT_S: Final = 10.0
"""How long an answer may take before the test fails."""

Pair = tuple[str, str]


class Frame(NamedTuple):
    """One frame as it came."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes = b"", *, length: int | None = None) -> bytes:
    """A frame; its `length` can be made a lie."""
    size = len(payload) if length is None else length
    return size.to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def settings(values: Mapping[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in values.items()))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def rst_stream(stream: int, code: int = CANCEL) -> bytes:
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def literal(name: bytes, value: bytes) -> bytes:
    """A field without Huffman's code and without indexing, of names and values as bad as one likes."""
    return b"\x00" + b"".join(hpack.hpack.encode_integer(len(text), 7) + text for text in (name, value))


def grpc_message(message: bytes, *, flag: int = 0) -> bytes:
    return struct.pack(">BI", flag, len(message)) + message


def base64_of(value: bytes) -> str:
    """A binary header's value, padded or not as one likes: here it is not."""
    return base64.b64encode(value).decode().rstrip("=")


def request(rpc: str, metadata: Iterable[Pair] = ()) -> list[Pair]:
    """The header list of a gRPC call."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", f"/{rpc}"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        *metadata,
    ]


@dataclass
class Answer:
    """What came on one stream."""

    headers: dict[str, str] = field(default_factory=dict)
    """Of all blocks together."""
    data: bytearray = field(default_factory=bytearray)
    reset: int | None = None
    """The code of RST_STREAM, if that came."""
    ended: bool = False

    @property
    def status(self) -> int | None:
        told = self.headers.get("grpc-status")
        return None if told is None else int(told)

    @property
    def said(self) -> str:
        return self.headers.get("grpc-message", "")

    @property
    def is_complete(self) -> bool:
        return self.ended or self.reset is not None


class RawClient:
    """One connection. What it reads, it acts upon as little as it can: it acknowledges SETTINGS and PING."""

    def __init__(
        self,
        port: int,
        *,
        greeting: bytes | None = None,
        receive_buffer_bytes: int | None = None,
    ) -> None:
        """`greeting`: what is sent instead of the preface and SETTINGS that leave all windows wide open."""
        self.socket = socket.socket()
        if receive_buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers: dict[int, Answer] = {}
        self.goaway: int | None = None
        self.goaway_text = ""
        self.frames: list[Frame] = []
        """All but DATA, HEADERS and what belongs to them."""
        self.closed = False
        self.acknowledges = True
        """Whether SETTINGS and PING are."""
        self.settings_told: dict[int, int] = {}
        """The peer's."""
        self._encoder = hpack.Encoder()
        self._encoder.header_table_size = 0
        self._decoder = hpack.Decoder()
        self._block = b""
        self._unread = b""
        self._next_stream = 1
        self._windows: Counter[int] = Counter()
        """How much more, or less, we may send than at first; 0 is the whole connection."""
        self.send(wide_open() if greeting is None else greeting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    # Sending.

    def send(self, *parts: bytes) -> bool:
        """Whether it went; not, if the peer has closed."""
        try:
            self.socket.sendall(b"".join(parts))
        except (ConnectionError, BrokenPipeError):
            return False
        return True

    def block(self, fields: Iterable[Pair]) -> bytes:
        return bytes(self._encoder.encode(list(fields), huffman=False))

    def next_stream(self) -> int:
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        return stream

    def begin(self, rpc: str, metadata: Iterable[Pair] = (), *, end: bool = False) -> int:
        """HEADERS of a call; gives its stream."""
        stream = self.next_stream()
        flags = END_HEADERS | (END_STREAM if end else 0)
        self.send(frame(HEADERS, flags, stream, self.block(request(rpc, metadata))))
        return stream

    def data(self, stream: int, payload: bytes, *, end: bool = False, frame_bytes: int = 16_384) -> None:
        """DATA, in as many frames as it takes."""
        self._windows.subtract({stream: len(payload), 0: len(payload)})
        starts = range(0, max(len(payload), 1), frame_bytes)
        parts = [payload[start : start + frame_bytes] for start in starts]
        last = len(parts) - 1
        self.send(*(frame(DATA, int(end and at == last), stream, part) for at, part in enumerate(parts)))

    def upload(self, stream: int, payload: bytes, *, end: bool = True) -> None:
        """DATA as far as the windows are open, again and again, until all is sent or the stream has ended."""
        self.read_until(lambda: bool(self.settings_told))
        position, size = 0, len(payload)
        while position < size and not self.answer_so_far(stream).is_complete:
            first = self.settings_told.get(INITIAL_WINDOW_SIZE, DEFAULT_WINDOW)
            window = min(first + self._windows[stream], DEFAULT_WINDOW + self._windows[0])
            after = min(position + window, size)
            if after > position:
                self.data(stream, payload[position:after], end=end and after == size)
                position = after
            else:
                self.read()

    def call(self, rpc: str, message: bytes, metadata: Iterable[Pair] = ()) -> int:
        """A whole unary call."""
        stream = self.begin(rpc, metadata)
        self.data(stream, grpc_message(message), end=True)
        return stream

    # Reading.

    def answer(self, stream: int, *, wait_s: float = WAIT_S) -> Answer:
        """What the stream is answered, once it has ended."""
        self.read_until(lambda: self.answer_so_far(stream).is_complete, wait_s=wait_s)
        return self.answer_so_far(stream)

    def sync(self) -> None:
        """Until the peer has handled all that was sent, which it shows by answering a PING."""
        mark = time.monotonic_ns().to_bytes(8, "big")
        self.send(frame(PING, 0, 0, mark))
        self.read_until(lambda: any(each.payload == mark for each in self.frames if each.kind == PING))

    def ended(self) -> int | None:
        """Until the peer has closed; the code of its GOAWAY."""
        self.read_until(lambda: self.closed)
        return self.goaway

    def everything(self) -> bytes:
        """All bytes until the peer has closed, understood or not."""
        received = b""
        while came := self.socket.recv(1 << 16):
            received += came
        return received

    def read_until(self, is_met: Callable[[], bool], *, wait_s: float = WAIT_S) -> None:
        """Read and understand frames until the condition is met; the peer's closing is no surprise."""
        ends_s = time.monotonic() + wait_s
        while not is_met() and not self.closed:
            left_s = ends_s - time.monotonic()
            assert left_s > 0, f"nothing more came for {wait_s} s; {self.frames[-5:]} came last"
            self.read(left_s)
        assert is_met(), f"the peer closed; GOAWAY {self.goaway} {self.goaway_text}"

    def read(self, wait_s: float = WAIT_S, size: int = 1 << 18) -> int:
        """Read once; gives how many bytes came."""
        if not select.select([self.socket], [], [], wait_s)[0]:
            return 0
        try:
            came = self.socket.recv(size)
        except ConnectionError:
            came = b""
        if not came:
            self.closed = True
        self._unread += came
        self._understand()
        return len(came)

    def _understand(self) -> None:
        position, unread = 0, self._unread
        while len(unread) - position >= 9:
            length = int.from_bytes(unread[position : position + 3], "big")
            kind, flags, stream = struct.unpack_from(">BBI", unread, position + 3)
            start = position + 9
            if len(unread) < start + length:
                break
            position = start + length
            self._take(Frame(kind, flags, stream, unread[start:position]))
        self._unread = unread[position:]

    def _take(self, came: Frame) -> None:
        answer = self.answer_so_far(came.stream)
        if came.kind == DATA:
            self.took(came.stream, came.payload)
            answer.ended = bool(came.flags & END_STREAM)
            return
        if came.kind in {HEADERS, CONTINUATION}:
            self._block += came.payload
            answer.ended = answer.ended or (came.kind == HEADERS and bool(came.flags & END_STREAM))
            if came.flags & END_HEADERS:
                pairs = self._decoder.decode(self._block, raw=True)
                answer.headers |= {
                    bytes(key).decode("latin-1"): bytes(value).decode("latin-1") for key, value in pairs
                }
                self._block = b""
            return
        self.frames.append(came)
        if came.kind == RST_STREAM:
            answer.reset = int.from_bytes(came.payload, "big")
        elif came.kind == GOAWAY:
            self.goaway = int.from_bytes(came.payload[4:8], "big")
            self.goaway_text = came.payload[8:].decode()
        elif came.kind == SETTINGS and not came.flags & ACK:
            self.settings_told |= dict(struct.iter_unpack(">HI", came.payload))
            if self.acknowledges:
                self.send(frame(SETTINGS, ACK, 0))
        elif came.kind == PING and not came.flags & ACK and self.acknowledges:
            self.send(frame(PING, ACK, 0, came.payload))
        elif came.kind == WINDOW_UPDATE:
            self._windows[came.stream] += int.from_bytes(came.payload, "big")

    def took(self, stream: int, payload: bytes) -> None:
        """DATA have come; they are kept."""
        self.answer_so_far(stream).data += payload

    def answer_so_far(self, stream: int) -> Answer:
        return self.answers.setdefault(stream, Answer())

    @property
    def is_pinged(self) -> bool:
        return any(each.kind == PING and not each.flags & ACK for each in self.frames)

    @property
    def has_answered_ping(self) -> bool:
        return any(each.kind == PING and each.flags & ACK for each in self.frames)

    def resets(self) -> Sequence[Frame]:
        return [each for each in self.frames if each.kind == RST_STREAM]


def wide_open(values: Mapping[int, int] | None = None) -> bytes:
    """A greeting after which the peer may send without asking."""
    return PREFACE + settings({INITIAL_WINDOW_SIZE: WINDOW_MAX, **(values or {})}) + _CONNECTION_WINDOW


def narrow(window: int = DEFAULT_WINDOW) -> bytes:
    """A greeting that leaves each stream such a window, and the connection the default one."""
    return PREFACE + settings({INITIAL_WINDOW_SIZE: window})


_CONNECTION_WINDOW = window_update(0, WINDOW_MAX - DEFAULT_WINDOW)
