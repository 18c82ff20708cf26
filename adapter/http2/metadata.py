"""Metadata as fields of a header block, and back (gRPC over HTTP/2, "Custom-Metadata" and "Timeout")."""

import binascii
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from adapter.http2.header_blocks import Field, encode_field, encode_fields
from adapter.wire.headers import Pair

_TIMEOUT_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TIMEOUT_DIGITS_MAX = 8


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
    """The metadata among fields: all but the pseudo-header fields, and binary ones that are not base64."""
    found: list[Pair] = []
    for name, value, _ in fields:
        if not name.startswith(b":"):
            with suppress(ValueError):
                found += pairs(name, value)
    return found


def metadata_fields(metadata: Iterable[Pair]) -> bytes:
    """Metadata as fields of a block."""
    return encode_fields((key.encode(), metadata_value(value)) for key, value in metadata)


def metadata_value(value: str | bytes) -> bytes:
    """One value as a field has it; a binary one as base64 without padding."""
    if isinstance(value, str):
        return value.encode("latin-1", "replace")
    return binascii.b2a_base64(value, newline=False).rstrip(b"=")


def timeout_s(value: bytes) -> float:
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
