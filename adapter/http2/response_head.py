"""What the header blocks of a response say, and how ours are made."""

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from adapter.domain.errors import Code
from adapter.http2.field_kinds import Kind, kind_of
from adapter.http2.header_blocks import Field, encode_field, encode_fields, unfit
from adapter.http2.metadata import metadata_fields
from adapter.wire.headers import REFUSED_KEY, Pair


class ResponseHead:
    """A header block of a response: its headers, or its trailers. Shared, so never changed."""

    __slots__ = (
        "block",
        "fields",
        "grpc_message",
        "grpc_status",
        "has_status",
        "informational",
        "is_malformed",
        "is_plain",
        "refused",
    )

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields
        self.block = b"".join([field.raw for field in fields if field.name != _REFUSED])
        """What goes on: all but what one instance tells another."""
        self.grpc_status: Code | None = None
        """None: the block does not end the call."""
        self.grpc_message = ""
        self.is_plain = False
        """The block means the same whatever table a connection has."""
        self.informational = False
        """1xx: another block follows (RFC 9110, section 15.2)."""
        self.has_status = bool(fields) and fields[0].name == b":status"
        """It begins a response."""
        regular = fields[1:] if self.has_status else fields
        self.is_malformed = any(kind_of(name) in _OUT_OF_PLACE or unfit(value) for name, value, _ in regular)
        """It breaks section 8 of RFC 9113, and may not go on."""
        self.refused = ""
        """Another instance will not answer the call; the word that says why (`wire.headers.REFUSED_KEY`)."""
        for name, value, _ in fields:
            if name == b"grpc-status":
                self.grpc_status = _CODES.get(value, Code.UNKNOWN)
            elif name == b"grpc-message":
                self.grpc_message = unquote_to_bytes(value).decode(errors="replace")
            elif name == b":status":
                self.informational = value.startswith(b"1")
            elif name == _REFUSED and self.has_status:
                self.refused = value.decode("latin-1")


_REFUSED: Final = REFUSED_KEY.encode()
_OUT_OF_PLACE = {Kind.PSEUDO, Kind.MALFORMED}
_CODES = {b"%d" % code: code for code in Code}
_MESSAGE_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")

RESPONSE_FIELDS: Final = encode_fields([(b":status", b"200"), (b"content-type", b"application/grpc")])


def trailer_fields(code: Code, text: str = "", metadata: Iterable[Pair] = ()) -> bytes:
    """The fields that end a call."""
    fields = encode_field(b"grpc-status", b"%d" % code)
    if text:
        message = quote_from_bytes(text.encode(), safe=_MESSAGE_SAFE).encode()
        fields += encode_field(b"grpc-message", message)
    return fields + metadata_fields(metadata)
