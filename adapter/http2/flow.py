"""What may be sent now, what waits, and how often a peer may do what costs us something.

Credit is end to end: a stream's sender is given credit for bytes when its receiver has taken them, so that a
slow reader slows its sender down and no memory grows. A connection's own window is given back at once, or one
slow stream would stop its neighbours; what may lie here in all is bounded by `Limits.buffered_bytes_max`.
"""

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adapter.domain.errors import Code
from adapter.http2.frames import ErrorCode
from adapter.wire.grpc_messages import Chunk

if TYPE_CHECKING:
    from adapter.http2.request_head import RequestHead
    from adapter.http2.response_head import ResponseHead

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the relay; each is a setting, and each refusal is counted by the name that it has here."""

    message_bytes_max: int = 16 * MIB
    """Of one gRPC message, either way (RESOURCE_EXHAUSTED)."""
    header_list_bytes_max: int = 8192
    """Of one request's header list, as RFC 9113 counts it (RESOURCE_EXHAUSTED)."""
    header_block_bytes_max: int = 64 * 1024
    """Of one header block with its CONTINUATION frames (ENHANCE_YOUR_CALM)."""
    continuations_max: int = 16
    """CONTINUATION frames of one block (ENHANCE_YOUR_CALM)."""
    streams_max: int = 1000
    """Requests at once on one connection of a client, as announced (REFUSED_STREAM)."""
    window_bytes: int = MIB
    """How much of a stream may be on its way to us."""
    connection_window_bytes: int = 8 * MIB
    """How much of a connection may be."""
    frame_bytes_max: int = 64 * 1024
    """The largest frame that we take, as announced (FRAME_SIZE_ERROR)."""
    buffered_bytes_max: int = 128 * MIB
    """What lies here in all, of calls that wait or may be sent again. Beyond it, what takes the most of the
    client that takes the most is ended (RESOURCE_EXHAUSTED, or ENHANCE_YOUR_CALM once answers wait)."""
    pings_burst: int = 100
    settings_burst: int = 100
    resets_burst: int = 1000
    empty_frames_burst: int = 1000
    """How many a client may send at once of PING, SETTINGS, RST_STREAM and frames that hold nothing; a tenth
    of it again each second (ENHANCE_YOUR_CALM)."""
    stall_s_max: float = 60.0
    """How long a stream that has bytes for its reader may wait for the reader (CANCEL)."""
    half_open_s_max: float = 60.0
    """How long a client may take to send a message that is awaited whole (CANCEL)."""
    handshake_s_max: float = 20.0
    """How long a client may take to begin, and to acknowledge our SETTINGS (SETTINGS_TIMEOUT)."""
    idle_s_max: float = 3600.0
    """How long a client's connection may have no stream (GOAWAY with NO_ERROR)."""
    keepalive_s: float = 300.0
    """How long a peer may be silent before it is asked by PING."""
    keepalive_timeout_s: float = 20.0
    """How long it may take to answer. Other instances have less time for both (`PEER_PATIENCE`)."""
    waiting_calls_max: int = 10_000
    """Calls that wait for a stream towards one upstream (UNAVAILABLE)."""
    upstream_connections_max: int = 8
    """Connections to one upstream whose streams are all in use otherwise."""
    connections_max: int = 10_000
    """Clients connected at once; more are turned away."""
    age_s_max: float | None = None
    """How long a client's connection may last (GOAWAY with NO_ERROR); None: for ever."""
    age_grace_s: float | None = None
    """How long the calls of a connection of that age may still take; None: as long as they like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the other side of a connection may keep us waiting before the connection counts as lost."""

    handshake_s: float
    """Until it has acknowledged our SETTINGS."""
    keepalive_s: float
    """How long it may be silent before it is asked by PING."""
    keepalive_timeout_s: float
    """Until it has answered that."""


PEER_PATIENCE: Final = Patience(handshake_s=2.0, keepalive_s=1.0, keepalive_timeout_s=2.0)
"""With another instance: calls that wait for one that is frozen go elsewhere after some 3 s."""


@dataclass(slots=True)
class Counts:
    """What the relay counts about itself; read by the metrics."""

    connections_opened: int = 0
    connections_open: int = 0
    upstream_connections_opened: int = 0
    upstream_connections_open: int = 0
    calls_begun: int = 0
    calls_open: int = 0
    calls_waiting: int = 0
    buffered_bytes: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    retries: dict[str, int] = field(default_factory=dict)
    """By cause."""
    limits_hit: dict[str, int] = field(default_factory=dict)
    """By the limit's name."""
    connection_errors: dict[str, int] = field(default_factory=dict)
    """Of peers, by HTTP/2's name of the error."""
    stream_errors: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def note(counter: dict[str, int], name: str) -> None:
        counter[name] = counter.get(name, 0) + 1


class Allowance:
    """So many at once, and a tenth of that again each second."""

    __slots__ = ("_burst", "_left", "_since_s")

    def __init__(self, burst: int) -> None:
        self._burst = burst
        self._left = float(burst)
        self._since_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Whether one more is allowed."""
        if self._since_s is not None:
            regained = (now_s - self._since_s) * self._burst / 10
            self._left = min(self._left + regained, float(self._burst))
        self._since_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Exchange:
    """What one stream is about: a `Call`, or what else answers a request. It is told whatever happens."""

    client_stream: "Stream"
    head: "RequestHead"
    request_bytes = 0
    upstream_stream: "Stream | None" = None
    """Where it goes, if that is open."""

    @property
    def kept_bytes(self) -> int:
        """What of the request lies here."""
        return 0

    def begin(self) -> None:
        """The request's headers are here."""

    def request_data(self, chunk: Chunk, *, end: bool) -> None:
        """A part of the request has come, and perhaps its end."""

    def request_sent(self, size: int) -> None:
        """So much of the request has gone on; as much more may come."""

    def request_reset(self) -> None:
        """The client has cancelled, or has gone."""

    def response_headers(self, head: "ResponseHead", *, end: bool) -> None:
        """A header block of the response has come: headers, trailers, or both in one."""

    def response_data(self, chunk: Chunk, *, end: bool) -> None:
        """A part of the response has come."""

    def response_sent(self, size: int) -> None:
        """So much of the response has gone to the client; as much more may come."""

    def response_reset(self, code: int) -> None:
        """The upstream has ended the stream."""

    def upstream_failed(self, reason: str, code: Code = Code.UNAVAILABLE) -> None:
        """There is no stream towards the upstream, or no connection any more."""

    def let_go(self) -> None:
        """The request need not be kept: it will not be sent again."""

    def refuse(self, code: Code, text: str) -> None:
        """End it with a status of ours."""

    def tick(self, now_s: float) -> None:
        """Time has passed."""


class Stream:
    """One stream of one connection: its windows, and what waits for them."""

    __slots__ = (
        "call",
        "consumed",
        "end_waits",
        "ended_in",
        "ended_out",
        "id",
        "receive_window",
        "send_window",
        "stalled_since_s",
        "trailers",
        "unsent",
        "unsent_bytes",
    )

    def __init__(self, stream_id: int, call: Exchange, send_window: int, receive_window: int) -> None:
        self.id = stream_id
        self.call = call
        self.send_window = send_window
        """How much we may send; below 0 after the peer has made it smaller."""
        self.receive_window = receive_window
        """How much the peer may still send."""
        self.consumed = 0
        """Taken by the receiver, and not yet given back to the sender."""
        self.unsent: deque[Chunk] | None = None
        """What waits for a window, or for the socket."""
        self.unsent_bytes = 0
        self.end_waits = False
        """END_STREAM follows what waits."""
        self.trailers: bytes | None = None
        """Trailers that follow what waits."""
        self.ended_in = False
        """The peer has sent END_STREAM."""
        self.ended_out = False
        """We have."""
        self.stalled_since_s: float | None = None
        """Since when what waits has not moved."""

    def __repr__(self) -> str:
        return f"<Stream {self.id}, {self.unsent_bytes} bytes unsent>"


class ClientSide(ABC):
    """The side that a call came from: a connection of a client's, or a caller in this process."""

    @abstractmethod
    def send_headers(self, stream: Stream, block: bytes, *, end: bool) -> None:
        """Send a header block that comes before any data."""

    @abstractmethod
    def send_trailers(self, stream: Stream, block: bytes) -> None:
        """Send the block that ends the stream, after what waits."""

    @abstractmethod
    def send_data(self, stream: Stream, chunk: Chunk, *, end: bool) -> int:
        """Send data as far as it can be; gives how much went, the rest waits its turn."""

    @abstractmethod
    def taken(self, stream: Stream, size: int) -> None:
        """The request has been taken so far: so many more bytes may come."""

    @abstractmethod
    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """End the stream at once."""


NOBODY: Final = Exchange()
"""For a stream that is answered as soon as it has begun."""

NO_STREAM: Final = Stream(0, NOBODY, 0, 0)
"""In the place of a stream that nobody needs any more."""
