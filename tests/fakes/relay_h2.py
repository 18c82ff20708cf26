"""Peers of the relay that keep RFC 9113 by the `h2` library, which also tells when the relay does not.

Bytes travel when a test says so, in pieces of any size; windows open when it says that data were taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import StreamClosedError
from h2.settings import SettingCodes

from adapter.http2.connection import Connection
from tests.fakes.relay_outlet import FakeOutlet

Headers = Sequence[tuple[str, str]]

_HEADER, _PREFACE = 9, 24
_WIDE = 100_000


@dataclass(slots=True)
class Side:
    """One stream, as one peer sees it."""

    id: int
    planned: bytes = field(default=b"", repr=False)
    """What it means to send."""
    sent: int = 0
    end: bool = False
    """It means to end the stream behind that."""
    trailers: Headers | None = None
    """And with these."""
    ended_out: bool = False
    headers: list[dict[str, str]] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray, repr=False)
    untaken: int = 0
    """Came, and is not acknowledged."""
    ended_in: bool = False
    reset_by_us: bool = False
    reset: int | None = None

    @property
    def is_over(self) -> bool:
        return self.reset_by_us or self.reset is not None or (self.ended_in and self.ended_out)

    @property
    def may_send(self) -> bool:
        return not (self.ended_out or self.reset_by_us or self.reset is not None)


class H2Peer:
    """The other end of one of the relay's connections."""

    def __init__(
        self, connection: Connection, outlet: FakeOutlet, *, client: bool, window: int, name: str = ""
    ) -> None:
        self.name = name
        """Of an upstream."""
        self.connection = connection
        self.outlet = outlet
        self.h2 = H2Connection(H2Configuration(client_side=client, header_encoding="utf-8"))
        self.h2.local_settings.initial_window_size = window
        self.h2.local_settings.acknowledge()
        self.sides: dict[int, Side] = {}
        self.new: list[Side] = []
        """Requests that came, for a runtime."""
        self.unsent = bytearray()
        """Has left h2, and is not with the relay yet."""
        self.coming = bytearray()
        """Has left the relay, and is not with h2 yet."""
        self._heard = bytearray()
        self.said = bytearray()
        """All that the relay was ever sent."""
        self.gone = False
        self.leaving = False
        """It has said that it takes no more streams."""
        self.mangled = False
        """What it says reaches the relay changed."""
        self.streams_max: int | None = None
        """Told as soon as may be."""
        self._settings_under_way = True
        self.h2.initiate_connection()
        self._pull()

    def _pull(self) -> None:
        self.unsent += self.h2.data_to_send()

    def look(self) -> None:
        """Put on the way what the relay has written."""
        self.coming += self.outlet.take()

    # Bytes travel.

    def arrive(self, size: int) -> None:
        """So much reaches the relay."""
        data, self.unsent = bytes(self.unsent[:size]), self.unsent[size:]
        self.said += data
        self.connection.receive(data)

    def hear(self, size: int) -> None:
        """So much reaches the peer; `h2` gets it by frames, as it applies settings only between its reads."""
        self._heard += self.coming[:size]
        self.coming = self.coming[size:]
        while len(self._heard) >= _HEADER and len(self._heard) >= (end := self._frame_end()):
            frame, self._heard = bytes(self._heard[:end]), self._heard[end:]
            self._help(frame)
            events = self.h2.receive_data(frame)
            self.gone = self.gone or any(isinstance(event, ConnectionTerminated) for event in events)
            for event in events:
                self._note(event)
        self._pull()

    def _help(self, frame: bytes) -> None:
        """An empty DATA frame needs no window (RFC 9113, section 6.9.1); `h2` is of another opinion."""
        side = self.sides.get(int.from_bytes(frame[5:9], "big"))
        if frame[:4] == bytes(4) and side is not None and not self.mangled:
            self.widen(side)

    def _frame_end(self) -> int:
        """Where the frame that is coming ends; before the first one there is the preface."""
        if self._heard.startswith(b"PRI"):
            return _PREFACE
        return _HEADER + int.from_bytes(self._heard[:3], "big")

    def _note(self, event: Event) -> None:
        match event:
            case ConnectionTerminated():
                assert self.mangled or event.error_code == ErrorCodes.NO_ERROR, event
            case SettingsAcknowledged():
                self._settings_under_way = False
                if self.streams_max is not None:
                    self.set(SettingCodes.MAX_CONCURRENT_STREAMS, self.streams_max)
                    self.streams_max = None
            case RequestReceived():
                assert event.stream_id is not None
                side = self.sides[event.stream_id] = Side(event.stream_id)
                side.headers.append(_text(event.headers))
                self.new.append(side)
            case ResponseReceived() | TrailersReceived():
                assert event.stream_id is not None
                self.sides[event.stream_id].headers.append(_text(event.headers))
            case DataReceived():
                side = self.sides[event.stream_id]
                side.data += event.data
                side.untaken += event.flow_controlled_length
            case StreamEnded():
                assert event.stream_id is not None
                self.sides[event.stream_id].ended_in = True
            case StreamReset():
                assert event.stream_id is not None
                self.sides[event.stream_id].reset = int(event.error_code)

    # What it does.

    def open(self, headers: Headers, *, end: bool) -> Side | None:
        """Begin a stream, if the relay takes one more."""
        if self.h2.open_outbound_streams >= self.h2.remote_settings.max_concurrent_streams or self.gone:
            return None
        side = Side(self.h2.get_next_available_stream_id(), ended_out=end)
        self.sides[side.id] = side
        self.h2.send_headers(side.id, headers, end_stream=end)
        self._pull()
        return side

    def begin_answer(self, side: Side, headers: Headers, *, end: bool = False) -> None:
        self.h2.send_headers(side.id, headers, end_stream=end)
        side.ended_out = end
        self._pull()

    def send(self, side: Side, size: int) -> bool:
        """Send on what is planned as far as the windows are open; gives whether anything went."""
        if not side.may_send:
            return False
        size = min(
            size,
            len(side.planned) - side.sent,
            max(0, self.h2.local_flow_control_window(side.id)),
            self.h2.max_outbound_frame_size,
        )
        data = side.planned[side.sent : side.sent + size]
        last = side.end and side.sent + size == len(side.planned)
        if not data and not last:
            return False
        if data or side.trailers is None:
            self.h2.send_data(side.id, data, end_stream=last and side.trailers is None)
        if last and side.trailers is not None:
            self.h2.send_headers(side.id, side.trailers, end_stream=True)
        side.sent += size
        side.ended_out = last
        self._pull()
        return True

    def reset(self, side: Side, code: ErrorCodes = ErrorCodes.CANCEL) -> None:
        try:
            self.h2.reset_stream(side.id, code)
        except StreamClosedError:
            return
        side.reset_by_us = True
        self._pull()

    def take(self, side: Side, size: int) -> bool:
        """Be ready for so much more."""
        size = min(size, side.untaken)
        if size:
            side.untaken -= size
            self.h2.acknowledge_received_data(size, side.id)
            self._pull()
        return size > 0

    def widen(self, side: Side) -> bool:
        """Open a window that `h2` leaves narrow; gives whether there was one."""
        if side.ended_in or side.is_over or self.h2.remote_flow_control_window(side.id) >= _WIDE // 10:
            return False
        self.h2.increment_flow_control_window(_WIDE, side.id)
        self._pull()
        return True

    def set(self, setting: SettingCodes, value: int) -> None:
        """Change a setting; only once the last change is acknowledged, for `h2` mixes them up."""
        if self._settings_under_way or self.gone:
            return
        self._settings_under_way = True
        self.h2.update_settings({setting: value})
        self._pull()

    def go_away(self) -> None:
        """Take no more streams, and answer those that came."""
        self.leaving = True
        last = max(self.sides, default=0)
        # By hand: h2 takes its own GOAWAY for the end.
        self.unsent += b"\0\0\x08\x07\0\0\0\0\0" + last.to_bytes(4, "big") + bytes(4)


def _text(headers: object) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers}  # type: ignore[attr-defined]
