"""HTTP headers to metadata and back (reference: runtime adapter 9.2).

What goes on with a call: `Grpc-Metadata-<key>` as `<key>`; `Authorization`, also as
`grpcgateway-authorization`; the ids of a model or alias (`mm-model-id` and the like) and what traces a
request, under their own names. Other headers stay here: ModelMesh's proxy sent the usual ones on as
`grpcgateway-*`, which nothing read.

What comes back: metadata before the answer as `Grpc-Metadata-<key>`, after it as `Grpc-Trailer-<key>`. Binary
values are base64 in both directions.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapter.domain.errors import InvalidRequest
from adapter.servers.calls import Answer
from adapter.servers.rest_answers import LENGTH_HEADER, Header
from adapter.wire.headers import Pair

METADATA_PREFIX = b"grpc-metadata-"
TRAILER_PREFIX = b"grpc-trailer-"

TIMEOUT_DIGITS_MAX = 18

_SENT_ON = {
    name.encode("ascii"): (name,)
    for name in (
        "mm-model-id",
        "mm-model-id-bin",
        "mm-vmodel-id",
        "mm-vmodel-id-bin",
        "traceparent",
        "tracestate",
        "baggage",
        "x-request-id",
    )
} | {b"authorization": ("authorization", "grpcgateway-authorization")}
"""Headers that become metadata, and under which keys."""

_READ_HERE = frozenset(
    {b"content-length", b"content-encoding", b"accept-encoding", b"expect", b"grpc-timeout", LENGTH_HEADER}
)

_KEY = re.compile(r"[0-9a-z_.-]+")
_RESERVED = frozenset(
    {
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"user-agent",
    }
)
"""Metadata keys that mean something of the transport's, and are not the caller's to set."""

_TIMEOUT = re.compile(rb"([0-9]{1,%d})([HMSmun])" % TIMEOUT_DIGITS_MAX)
_UNITS_S: Mapping[bytes, float] = {b"H": 3600, b"M": 60, b"S": 1, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """What the headers of a request say."""

    told: Mapping[bytes, bytes]
    """Those that are for us, in lower case; of one that is there twice, the last."""
    sent_on: Sequence[tuple[str, bytes]]
    """What goes on with the call: metadata keys, and values as they came."""

    @property
    def metadata(self) -> list[Pair]:
        """What goes on with the call; raises `InvalidRequest`."""
        return [_pair(key, value) for key, value in self.sent_on]

    @property
    def timeout_s(self) -> float | None:
        """`Grpc-Timeout`; raises `InvalidRequest`."""
        text = self.told.get(b"grpc-timeout")
        if text is None:
            return None
        matched = _TIMEOUT.fullmatch(text)
        if matched is None:
            raise InvalidRequest("Grpc-Timeout must be digits and a unit (H, M, S, m, u or n), as in 5S")
        return int(matched[1]) * _UNITS_S[matched[2]]

    @property
    def json_bytes(self) -> int | None:
        """`Inference-Header-Content-Length`; raises `InvalidRequest`."""
        text = self.told.get(LENGTH_HEADER)
        return None if text is None else _number(text, "Inference-Header-Content-Length")

    @property
    def body_bytes(self) -> int | None:
        """`Content-Length`; None with a body in chunks, or without one."""
        text = self.told.get(b"content-length")
        return None if text is None else _number(text, "Content-Length")


def read_headers(headers: Iterable[Header]) -> RequestHeaders:
    """Sort the headers of a request, their names in lower case."""
    told: dict[bytes, bytes] = {}
    sent_on: list[tuple[str, bytes]] = []
    for name, value in headers:
        if name in _READ_HERE:
            told[name] = value
        elif name in _SENT_ON:
            sent_on.extend([(key, value) for key in _SENT_ON[name]])
        elif name.startswith(METADATA_PREFIX):
            key = name[len(METADATA_PREFIX) :]
            if key not in _RESERVED and not key.startswith(b"grpc-"):
                sent_on.append((key.decode("latin-1"), value))
    return RequestHeaders(told, sent_on)


def answer_headers(answer: Answer) -> list[Header]:
    """The metadata that came with an answer, as HTTP headers."""
    headers = [_header(METADATA_PREFIX, pair) for pair in answer.initial]
    headers.extend([_header(TRAILER_PREFIX, pair) for pair in answer.trailing])
    return [header for header in headers if header is not None]


def _number(text: bytes, what: str) -> int:
    if not text.isdigit() or len(text) > TIMEOUT_DIGITS_MAX:
        raise InvalidRequest(f"{what} must be a number of bytes")
    return int(text)


def _pair(key: str, value: bytes) -> Pair:
    if not _KEY.fullmatch(key):
        raise InvalidRequest(
            "Grpc-Metadata- must be followed by a gRPC metadata key: letters, digits, and any of _ . -"
        )
    if key.endswith("-bin"):
        try:
            return key, base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
        except binascii.Error as error:
            raise InvalidRequest(f"the header {key} must be base64: {error}") from error
    text = value.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        raise InvalidRequest(f"the header {key} must be printable ASCII")
    return key, text


def _header(prefix: bytes, pair: Pair) -> Header | None:
    key, value = pair
    if key.startswith("grpc-") or key == "content-type" or not _KEY.fullmatch(key):
        return None
    if isinstance(value, bytes):
        return prefix + key.encode("ascii"), base64.b64encode(value).rstrip(b"=")
    if not (value.isascii() and value.isprintable()):
        return None  # a line break in it would begin another header
    return prefix + key.encode("ascii"), value.encode("ascii")
