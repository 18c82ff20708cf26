"""Encoded protobuf messages that consist of length-delimited fields alone, with numbers up to 15.

That is a tag of one byte, a length, and so many bytes, again and again: the V2 messages are such ones, but
for what is newer than we are.
"""

from typing import Final, NamedTuple

FIELDS_MAX: Final = 64
"""A message with more fields is left to the protobuf library."""
LENGTH_BYTES_MAX: Final = 5

_DELIMITED: Final = 2
_MORE: Final = 0x80
"""Of a byte of a length: another one follows."""
_TAG_FORM: Final = 0x87
"""The bits of a tag that tell its form; the others are the field's number."""


class Span(NamedTuple):
    """A field: its number, and where its bytes begin and end."""

    number: int
    start: int
    end: int


def encoded_field(number: int, content: bytes) -> bytes:
    """A field of these bytes."""
    size = len(content)
    if size < _MORE:
        return bytes((number << 3 | _DELIMITED, size)) + content
    head = bytearray((number << 3 | _DELIMITED,))
    while size >= _MORE:
        head.append(size & 0x7F | _MORE)
        size >>= 7
    head.append(size)
    return bytes(head) + content


def delimited_fields(message: bytes) -> list[Span] | None:
    """The fields of a message in their order; None: it is not such a message, or is none at all."""
    fields: list[Span] = []
    position, end = 0, len(message)
    try:
        while position < end:
            tag = message[position]
            size = message[position + 1]
            position += 2
            if size >= _MORE:
                size &= 0x7F
                shift = 7
                while True:
                    byte = message[position]
                    position += 1
                    size |= (byte & 0x7F) << shift
                    if byte < _MORE:
                        break
                    shift += 7
                    if shift >= 7 * LENGTH_BYTES_MAX:
                        return None
            if tag & _TAG_FORM != _DELIMITED or tag < 1 << 3 or len(fields) == FIELDS_MAX:
                return None
            fields.append(Span(tag >> 3, position, position + size))
            position += size
    except IndexError:  # it is cut off
        return None
    return fields if position == end else None
