"""What the header block of a request or of a response says to a relay of gRPC calls.

Rules of form are RFC 9113's (section 8); which fields a runtime is sent is ModelMesh's (reference: ModelMesh
core 2.6), except that a custom header whose name is the beginning of a reserved one is not lost.
"""

import binascii
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from adapter.domain.errors import Code
from adapter.http2.frames import ErrorCode, StreamProblem
from adapter.http2.header_blocks import Field, encode_field, encode_fields
from adapter.wire.headers import LEGACY_MODEL_KEY, Pair

HEADS_REMEMBERED_MAX: Final = 1024

_PSEUDO = {b":method": 1, b":scheme": 2, b":path": 4, b":authority": 8}
_REQUIRED = 1 | 2 | 4
_CONNECTION_SPECIFIC = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
)
_NOT_FOR_RUNTIMES = frozenset({b"user-agent", LEGACY_MODEL_KEY.encode()})
_KEPT_GRPC = frozenset({b"grpc-encoding", b"grpc-accept-encoding"})
_TIMEOUT_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TIMEOUT_DIGITS_MAX = 8


class RequestHead:
    """One request's header list. Shared by all requests with the same bytes, so never changed."""

    __slots__ = (
        "authority",
        "content_length",
        "encoding",
        "fields",
        "for_peer",
        "for_runtime",
        "ids",
        "is_grpc",
        "method",
        "path",
        "problem",
        "rpc",
        "timeout",
        "timeout_s",
    )

    def __init__(self) -> None:
        self.method = b""
        self.path = b""
        self.authority = b""
        self.rpc = ""
        """`package.Service/Method`."""
        self.is_grpc = False
        self.fields: Sequence[Field] = ()
        self.for_runtime = b""
        """The block without what names the model, and without the timeout."""
        self.for_peer = b""
        """The block without the timeout."""
        self.timeout = b""
        """The field `grpc-timeout`, as it came."""
        self.timeout_s: float | None = None
        self.encoding = b""
        """`grpc-encoding`, empty if there is none."""
        self.ids: tuple[Pair, ...] = ()
        """The metadata that are for the mesh: those that begin with `mm-`, and `tas-model-id`."""
        self.content_length: int | None = None
        self.problem = ""
        """Why the call is refused, if it is: what names the model is not base64."""

    def metadata(self) -> list[Pair]:
        """All of the request's metadata, decoded; raises `ValueError` for a binary one that is not base64."""
        return metadata_of(self.fields)


def read_request(fields: Sequence[Field], stream_id: int) -> RequestHead:
    """What a request's fields say. Raises `StreamProblem` where they break section 8."""
    head, seen, regular = RequestHead(), 0, False
    runtime: list[bytes] = []
    peer: list[bytes] = []
    ids: list[Pair] = []
    for field in fields:
        name, value, raw = field
        if name[:1] == b":":
            bit = _PSEUDO.get(name, 0)
            if regular or not bit or seen & bit:
                raise _malformed(stream_id, f"pseudo-header field {name!r} out of place")
            seen |= bit
            _note_pseudo(head, bit, value)
            runtime.append(raw)
            peer.append(raw)
            continue
        regular = True
        if name[:5] == b"grpc-":
            if name == b"grpc-timeout":
                head.timeout, head.timeout_s = raw, _timeout_s(value)
                continue
            if name in _KEPT_GRPC:
                runtime.append(raw)
                if name == b"grpc-encoding":
                    head.encoding = value
        elif name[:3] == b"mm-" or name == b"tas-model-id":
            try:
                ids += pairs(name, value)
            except ValueError as error:
                head.problem = f"{name.decode('latin-1')}: {error}"
        elif name not in _NOT_FOR_RUNTIMES:
            _note_regular(head, name, value, stream_id)
            runtime.append(raw)
        peer.append(raw)
    if seen & _REQUIRED != _REQUIRED or not head.path:
        raise _malformed(stream_id, "a pseudo-header field is missing")
    head.fields, head.ids = fields, tuple(ids)
    head.for_runtime, head.for_peer = b"".join(runtime), b"".join(peer)
    return head


def check_trailers(fields: Iterable[Field], stream_id: int) -> None:
    """A request's trailers name no pseudo-header field. Raises `StreamProblem`."""
    for name, _, _ in fields:
        if name.startswith(b":") or name != name.lower():
            raise _malformed(stream_id, f"field {name!r} in trailers")


def _note_pseudo(head: RequestHead, bit: int, value: bytes) -> None:
    if bit == _PSEUDO[b":method"]:
        head.method = value
    elif bit == _PSEUDO[b":path"]:
        head.path = value
        head.rpc = value[1:].decode("latin-1")
    elif bit == _PSEUDO[b":authority"]:
        head.authority = value


def _note_regular(head: RequestHead, name: bytes, value: bytes, stream_id: int) -> None:
    if name == b"content-type":
        head.is_grpc = value.startswith(b"application/grpc") and not value.startswith(b"application/grpc-web")
    elif name == b"content-length":
        if not value.isdigit():
            raise _malformed(stream_id, "content-length is no number")
        head.content_length = int(value)
    elif name == b"te":
        if value != b"trailers":
            raise _malformed(stream_id, "te may be nothing but trailers")
    elif name in _CONNECTION_SPECIFIC:
        raise _malformed(stream_id, f"{name.decode()} belongs to HTTP/1.1")
    elif not name or name != name.lower():
        raise _malformed(stream_id, f"field name {name!r} is not in lower case")


def _malformed(stream_id: int, text: str) -> StreamProblem:
    return StreamProblem(stream_id, ErrorCode.PROTOCOL_ERROR, text)


def _timeout_s(value: bytes) -> float:
    """Seconds; a timeout that cannot be read has passed, as nobody could keep it."""
    digits, unit = value[:-1], _TIMEOUT_UNITS.get(value[-1:])
    if unit is None or not digits.isdigit() or len(digits) > _TIMEOUT_DIGITS_MAX:
        return 0.0
    return int(digits) * unit


def timeout_field(seconds: float) -> bytes:
    """`grpc-timeout` of so many seconds, at least a microsecond and rounded to one."""
    micros = max(1, round(seconds * 1e6))
    if micros < 10**_TIMEOUT_DIGITS_MAX:
        return encode_field(b"grpc-timeout", b"%du" % micros)
    millis = micros // 1000
    if millis < 10**_TIMEOUT_DIGITS_MAX:
        return encode_field(b"grpc-timeout", b"%dm" % millis)
    return encode_field(b"grpc-timeout", b"%dS" % min(millis // 1000, 10**_TIMEOUT_DIGITS_MAX - 1))


def encode_request(rpc: str, metadata: Iterable[Pair], timeout_s: float | None) -> bytes:
    """The header block of a call that begins here."""
    block = _OWN_REQUEST + encode_field(b":path", b"/" + rpc.encode()) + _OWN_REQUEST_REST
    if timeout_s is not None:
        block += timeout_field(timeout_s)
    return block + metadata_fields(metadata)


_OWN_REQUEST = encode_fields([(b":method", b"POST"), (b":scheme", b"http")])
_OWN_REQUEST_REST = encode_fields(
    [(b":authority", b"localhost"), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
)


# Metadata.


def pairs(name: bytes, value: bytes) -> list[Pair]:
    """Metadata of one field; a binary one may hold several. Raises `ValueError` if it is not base64."""
    key = name.decode("latin-1")
    if not name.endswith(b"-bin"):
        return [(key, value.decode("latin-1"))]
    return [(key, _unpadded(part.strip())) for part in value.split(b",")]


def _unpadded(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("a binary header is not base64") from error


def metadata_of(fields: Iterable[Field]) -> list[Pair]:
    """The metadata among fields: all but the pseudo-header fields."""
    found: list[Pair] = []
    for name, value, _ in fields:
        if not name.startswith(b":"):
            found += pairs(name, value)
    return found


def metadata_fields(metadata: Iterable[Pair]) -> bytes:
    """Metadata as fields of a block."""
    return encode_fields((key.encode(), metadata_value(value)) for key, value in metadata)


def metadata_value(value: str | bytes) -> bytes:
    if isinstance(value, str):
        return value.encode("latin-1", "replace")
    return binascii.b2a_base64(value, newline=False).rstrip(b"=")


# Responses.


class ResponseHead:
    """A header block of a response: its headers, or its trailers. Shared, so never changed."""

    __slots__ = ("block", "fields", "grpc_message", "grpc_status", "informational")

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields
        self.block = b"".join([field.raw for field in fields])
        self.grpc_status: Code | None = None
        """None: the block does not end the call."""
        self.grpc_message = ""
        self.informational = False
        """1xx: another block follows (RFC 9110, section 15.2)."""
        for name, value, _ in fields:
            if name == b"grpc-status":
                known = value.isdigit() and int(value) in _CODES
                self.grpc_status = Code(int(value)) if known else Code.UNKNOWN
            elif name == b"grpc-message":
                self.grpc_message = unquote_to_bytes(value).decode(errors="replace")
            elif name == b":status":
                self.informational = value.startswith(b"1")


_CODES = frozenset(Code)
_MESSAGE_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")

RESPONSE_FIELDS: Final = encode_fields([(b":status", b"200"), (b"content-type", b"application/grpc")])


def trailer_fields(code: Code, text: str = "", metadata: Iterable[Pair] = ()) -> bytes:
    """The fields that end a call."""
    fields = encode_field(b"grpc-status", b"%d" % code)
    if text:
        message = quote_from_bytes(text.encode(), safe=_MESSAGE_SAFE).encode()
        fields += encode_field(b"grpc-message", message)
    return fields + metadata_fields(metadata)
