"""Clients and runtimes that speak HTTP/2 by hand, frame by frame: they keep the rules or break them.

Frames are `hyperframe`'s and header blocks `hpack`'s, so that the relay is not measured by its own ruler.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from adapter.domain.errors import Code
from adapter.http2.connection import Connection
from adapter.http2.frames import ErrorCode, Setting
from adapter.wire.grpc_messages import prefix
from tests.fakes.relay_outlet import FakeOutlet

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
RPC = "test.Echo/Unary"
Headers = Sequence[tuple[str, str]]


def framed(message: bytes, *, compressed: bool = False) -> bytes:
    """A message as it stands in a gRPC stream."""
    return prefix(len(message), compressed=compressed) + message


def frame_bytes(kind: int, flags: int, stream_id: int, payload: bytes, *, length: int | None = None) -> bytes:
    """A frame that may be as wrong as one likes."""
    size = len(payload) if length is None else length
    return size.to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


@dataclass(slots=True)
class Seen:
    """What a peer was sent on one stream."""

    id: int
    blocks: list[dict[str, str]] = field(default_factory=list)
    data: bytes = b""
    ended: bool = False
    reset: ErrorCode | None = None

    @property
    def status(self) -> tuple[Code, str] | None:
        """How the call ended."""
        last = self.blocks[-1] if self.blocks else {}
        if not self.ended or "grpc-status" not in last:
            return None
        return Code(int(last["grpc-status"])), last.get("grpc-message", "")

    @property
    def code(self) -> Code | None:
        return None if self.status is None else self.status[0]


class FramePeer:
    """The other end of one of the relay's connections."""

    connection: Connection

    def __init__(self, outlet: FakeOutlet, settle: Callable[[], None]) -> None:
        self.outlet = outlet
        self._settle = settle
        self.encoder = hpack.Encoder()
        self.encoder.header_table_size = 0
        self._decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self._partial = b""
        self._block = b""
        self.frames: list[Frame] = []
        self.streams: defaultdict[int, Seen] = defaultdict(lambda: Seen(0))
        self.credit: Counter[int] = Counter()
        """Increments of windows, by stream; 0 is the connection."""
        self.settings: dict[int, int] = {}
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
        self.goaways: list[tuple[ErrorCode, int, str]] = []

    # What it sends.

    def send(self, *parts: Frame | bytes) -> None:
        """Send these as one read."""
        self.connection.receive(b"".join(p if isinstance(p, bytes) else p.serialize() for p in parts))
        self._settle()

    def block(self, headers: Iterable[tuple[str, str]], *, huffman: bool = False) -> bytes:
        """A header block by a peer that knows that there is no table."""
        fields = [hpack.NeverIndexedHeaderTuple(*pair) for pair in headers]
        return bytes(self.encoder.encode(fields, huffman=huffman))

    def headers_frame(self, stream_id: int, headers: Headers, *, end: bool = False) -> HeadersFrame:
        flags = ["END_HEADERS", *(["END_STREAM"] if end else [])]
        return HeadersFrame(stream_id, self.block(headers), flags=flags)

    def data(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        self.send(DataFrame(stream_id, data, flags=["END_STREAM"] if end else []))

    def widen(self, stream_id: int, increment: int) -> None:
        """Take that much more on the stream; on the connection, if it is 0."""
        self.send(WindowUpdateFrame(stream_id, increment))

    def set(self, **settings: int) -> None:
        """Change settings, by the names that RFC 9113 has for them."""
        self.send(SettingsFrame(0, {Setting[name].value: value for name, value in settings.items()}))

    def reset(self, stream_id: int, code: ErrorCode = ErrorCode.CANCEL) -> None:
        self.send(RstStreamFrame(stream_id, code))

    def go_away(self, last_stream_id: int, code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        self.send(GoAwayFrame(0, last_stream_id, code))

    # What it is sent.

    def look(self) -> bool:
        """Read what has come; gives whether there was anything."""
        data = self._partial + self.outlet.take()
        self._partial, position = b"", 0
        while len(data) - position >= 9:
            frame, length = Frame.parse_frame_header(memoryview(data)[position : position + 9])
            if len(data) < position + 9 + length:
                break
            frame.parse_body(memoryview(data)[position + 9 : position + 9 + length])
            position += 9 + length
            self.frames.append(frame)
            self._note(frame)
        self._partial = data[position:]
        return position > 0

    def _note(self, frame: Frame) -> None:
        match frame:
            case SettingsFrame() if "ACK" not in frame.flags:
                self.settings |= frame.settings
            case PingFrame():
                (self.pongs if "ACK" in frame.flags else self.pings).append(frame.opaque_data)
            case GoAwayFrame():
                text = frame.additional_data.decode()
                self.goaways.append((ErrorCode(frame.error_code), frame.last_stream_id, text))
            case WindowUpdateFrame():
                self.credit[frame.stream_id] += frame.window_increment
            case HeadersFrame() | ContinuationFrame() | DataFrame() | RstStreamFrame():
                self._note_stream(frame)

    def _note_stream(self, frame: Frame) -> None:
        seen = self.streams[frame.stream_id]
        seen.id = frame.stream_id
        again = isinstance(frame, RstStreamFrame) and frame.error_code == ErrorCode.STREAM_CLOSED
        assert seen.reset is None or again, f"{frame} after the stream was reset"
        match frame:
            case RstStreamFrame():
                seen.reset = ErrorCode(frame.error_code)
                return
            case DataFrame():
                seen.data += frame.data
            case HeadersFrame() | ContinuationFrame():
                self._block += frame.data
                if "END_HEADERS" in frame.flags:
                    fields = self._decoder.decode(self._block, raw=True)
                    seen.blocks.append({str(k, "latin-1"): str(v, "latin-1") for k, v in fields})
                    self._block = b""
        assert not seen.ended or isinstance(frame, ContinuationFrame), f"{frame} after the end"
        seen.ended = seen.ended or "END_STREAM" in frame.flags

    @property
    def error(self) -> ErrorCode | None:
        """What the relay ended the connection with."""
        return self.goaways[-1][0] if self.goaways and self.outlet.closed else None

    def kinds(self) -> list[str]:
        """The names of all frames that came, without what belongs to the greeting."""
        names = [type(frame).__name__.removesuffix("Frame") for frame in self.frames]
        return [name for name in names if name not in {"Settings", "WindowUpdate"}]


class FakeClient(FramePeer):
    """A client of the relay's."""

    def __init__(self, outlet: FakeOutlet, settle: Callable[[], None]) -> None:
        super().__init__(outlet, settle)
        self._next_id = 1

    def next_id(self) -> int:
        """Of a new stream."""
        stream_id, self._next_id = self._next_id, self._next_id + 2
        return stream_id

    def greet(self, settings: dict[int, int] | None = None) -> None:
        """Begin as RFC 9113 has it, and take the relay's settings at once."""
        self.send(PREFACE, SettingsFrame(0, settings or {}), SettingsFrame(0, flags=["ACK"]))

    @staticmethod
    def head(rpc: str = RPC, extra: Headers = ()) -> Headers:
        return [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", f"/{rpc}"),
            (":authority", "here"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            *extra,
        ]

    def begin(self, rpc: str = RPC, extra: Headers = (), *, end: bool = False) -> Seen:
        """Open a stream; gives what the relay answers on it, now and later."""
        stream_id = self.next_id()
        seen = self.streams[stream_id]
        seen.id = stream_id
        self.send(self.headers_frame(stream_id, self.head(rpc, extra), end=end))
        return seen

    def call(self, message: bytes = b"question", rpc: str = RPC, extra: Headers = ()) -> Seen:
        """A unary call, all of it as one read."""
        stream_id = self.next_id()
        seen = self.streams[stream_id]
        seen.id = stream_id
        data = DataFrame(stream_id, framed(message), flags=["END_STREAM"])
        self.send(self.headers_frame(stream_id, self.head(rpc, extra)), data)
        return seen


class FakeRuntime(FramePeer):
    """An upstream of the relay's; it answers what it is told to."""

    def __init__(self, outlet: FakeOutlet, settle: Callable[[], None], *, name: str = "") -> None:
        super().__init__(outlet, settle)
        self.name = name
        """The upstream's."""
        self._answered: set[int] = set()

    def greet(self, settings: dict[int, int] | None = None) -> None:
        """Take the relay's settings, and tell its own."""
        self.send(SettingsFrame(0, settings or {}), SettingsFrame(0, flags=["ACK"]))

    def look(self) -> bool:
        if not self.frames and self.connection is not None:
            greeting = self.outlet.take()
            assert greeting.startswith(PREFACE)
            self._partial = greeting.removeprefix(PREFACE)
        return super().look()

    @property
    def calls(self) -> list[Seen]:
        """What it was asked, in order."""
        return list(self.streams.values())

    def is_answered(self, stream_id: int) -> bool:
        """Whether the answer is whole already."""
        return stream_id in self._answered

    def open(self, stream_id: int) -> None:
        """The headers of an answer."""
        self.send(self.headers_frame(stream_id, [(":status", "200"), ("content-type", "application/grpc")]))

    def close(self, stream_id: int, code: Code = Code.OK, text: str = "", *, more: Headers = ()) -> None:
        """The trailers of an answer."""
        told = [("grpc-message", text)] if text else []
        headers = [("grpc-status", str(int(code))), *told, *more]
        self._answered.add(stream_id)
        self.send(self.headers_frame(stream_id, headers, end=True))

    def fail(self, stream_id: int, code: Code, text: str = "", *, more: Headers = ()) -> None:
        """Trailers only."""
        told = [*([("grpc-message", text)] if text else []), *more]
        headers = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", str(int(code)))]
        self.send(self.headers_frame(stream_id, [*headers, *told], end=True))

    def answer(self, stream_id: int, message: bytes = b"answer") -> None:
        """A whole unary answer."""
        self.open(stream_id)
        self.data(stream_id, framed(message))
        self.close(stream_id)
