"""Frames: their kinds, their flags, and how they are written (RFC 9113, sections 4 to 7)."""

from collections.abc import Mapping
from enum import IntEnum
from struct import Struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (section 3.4)."""

FRAME_HEADER_BYTES: Final = 9
STREAM_ID_MAX: Final = 2**31 - 1
WINDOW_MAX: Final = 2**31 - 1
DEFAULT_WINDOW: Final = 65_535
DEFAULT_FRAME_BYTES: Final = 16_384
FRAME_BYTES_MAX: Final = 2**24 - 1


class Kind:
    """Frame types (section 6); plain numbers, for they are compared for each frame."""

    DATA: Final = 0
    HEADERS: Final = 1
    PRIORITY: Final = 2
    RST_STREAM: Final = 3
    SETTINGS: Final = 4
    PUSH_PROMISE: Final = 5
    PING: Final = 6
    GOAWAY: Final = 7
    WINDOW_UPDATE: Final = 8
    CONTINUATION: Final = 9


class Flag:
    """Flags; one bit means different things in different frames."""

    END_STREAM: Final = 0x1
    ACK: Final = 0x1
    END_HEADERS: Final = 0x4
    PADDED: Final = 0x8
    PRIORITY: Final = 0x20


class Setting(IntEnum):
    """Parameters of SETTINGS (section 6.5.2)."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class ErrorCode(IntEnum):
    """Why a stream or a connection ends (section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class ConnectionProblem(Exception):
    """The peer broke the rules for the whole connection (section 5.4.1)."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class StreamProblem(Exception):
    """The peer broke the rules for one stream (section 5.4.2)."""

    def __init__(self, stream_id: int, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.stream_id = stream_id
        self.code = code


_HEADER: Final = Struct(">HBBBI")
# The length has 24 bits: its upper 16 and its lower 8.
_pack_header: Final = _HEADER.pack
read_frame_header: Final = _HEADER.unpack_from
"""(bytes, position) to (length >> 8, length & 255, kind, flags, stream id with the reserved bit)."""


def frame_header(length: int, kind: int, flags: int, stream_id: int) -> bytes:
    """The 9 bytes before a payload (section 4.1)."""
    return _pack_header(length >> 8, length & 0xFF, kind, flags, stream_id)


def headers_frames(stream_id: int, block: bytes, *, end_stream: bool, frame_bytes_max: int) -> bytes:
    """HEADERS, and CONTINUATION as far as the block is longer than a frame (section 6.10)."""
    end = Flag.END_STREAM if end_stream else 0
    if len(block) <= frame_bytes_max:
        return frame_header(len(block), Kind.HEADERS, end | Flag.END_HEADERS, stream_id) + block
    parts, kind, flags = [], Kind.HEADERS, end
    for start in range(0, len(block), frame_bytes_max):
        part = block[start : start + frame_bytes_max]
        if start + frame_bytes_max >= len(block):
            flags |= Flag.END_HEADERS
        parts += [frame_header(len(part), kind, flags, stream_id), part]
        kind, flags = Kind.CONTINUATION, 0
    return b"".join(parts)


def settings_frame(settings: Mapping[Setting, int]) -> bytes:
    """SETTINGS (section 6.5)."""
    payload = b"".join(
        setting.to_bytes(2, "big") + value.to_bytes(4, "big") for setting, value in settings.items()
    )
    return frame_header(len(payload), Kind.SETTINGS, 0, 0) + payload


SETTINGS_ACK: Final = frame_header(0, Kind.SETTINGS, Flag.ACK, 0)


def ping_frame(payload: bytes, *, ack: bool) -> bytes:
    """PING (section 6.7); the payload has 8 bytes."""
    return frame_header(8, Kind.PING, Flag.ACK if ack else 0, 0) + payload


def rst_stream_frame(stream_id: int, code: int) -> bytes:
    """RST_STREAM (section 6.4)."""
    return frame_header(4, Kind.RST_STREAM, 0, stream_id) + code.to_bytes(4, "big")


def window_update_frame(stream_id: int, increment: int) -> bytes:
    """WINDOW_UPDATE (section 6.9); stream 0 is the connection."""
    return frame_header(4, Kind.WINDOW_UPDATE, 0, stream_id) + increment.to_bytes(4, "big")


def goaway_frame(last_stream_id: int, code: int, text: str = "") -> bytes:
    """GOAWAY (section 6.8); the text is for people."""
    debug = text.encode()
    payload = last_stream_id.to_bytes(4, "big") + code.to_bytes(4, "big") + debug
    return frame_header(len(payload), Kind.GOAWAY, 0, 0) + payload
