"""Find, and put in, a string in an encoded protobuf message, without decoding the message.

A path is the numbers of the fields that lead to the string: all but the last name sub-messages. The rules
are protobuf's own, so that what is found is what a decoder would see (ModelMesh takes the first occurrence;
reference: ModelMesh core 2.5, 10.3 no. 20):

- Of a string that stands there more than once, the last one counts, also when a sub-message is in pieces.
- A field of that number with another wire type is an unknown field, and skipped.

`replace_string` changes that last string where it stands. What is missing of the path is appended, in the
last sub-message that is there. Enclosing lengths follow; every other byte stays as it was.

Raises `InvalidRequest` for bytes that are no message, and for a string that is not UTF-8.

These functions are called for every request, and the string is nearly always one of the first 15 fields of a
message that has only length-delimited fields. `_plain_span` walks such a message in a microsecond, and says
so when it is not sure; then `_Walk` has the last word.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from adapter.domain.errors import InvalidRequest

FIELD_NUMBER_MAX = 2**29 - 1
FIELDS_MAX = 2**18
"""Fields walked in one message; one with more would hold up all other calls while it is walked."""
GROUP_DEPTH_MAX = 100
"""How deep the long-deprecated groups may be nested, as protobuf's own decoders have it."""

_VARINT, _FIXED64, _DELIMITED, _GROUP_START, _GROUP_END, _FIXED32 = range(6)
_VARINT_BYTES_MAX = 10
_PLAIN_FIELDS_MAX = 64
"""Fields that `_plain_span` walks before it leaves the message to `_Walk`, which counts them."""

Encoded = bytes | memoryview
"""An encoded message, or part of one; a view is one of bytes."""


class Located:
    """A string in a message, and where it stands, so that it can be read and replaced with one walk."""

    __slots__ = ("end", "length_at", "value")

    def __init__(self, value: str, length_at: int, end: int) -> None:
        self.value = value
        self.length_at = length_at
        """Where the length before the string begins."""
        self.end = end
        """Where the string ends."""


_Span = tuple[int, int, int]
"""A length-delimited field: where its length stands, where its bytes begin, and where they end."""


def find_string(message: Encoded, path: Sequence[int]) -> str | None:
    """The string at the path; None if it is not there."""
    found = located(message, path)
    return None if found is None else found.value


def located(message: Encoded, path: Sequence[int]) -> Located | None:
    """The string at the path and its place; None if it is not there.

    With a path of one number, `message[:length_at] + delimited(value) + message[end:]` is the message with
    another string there; with a longer one the lengths around it must follow, as `replace_string` sees to.
    """
    span = _plain_span(message, path[0]) if len(path) == 1 else None
    if span is None:
        chain = _Walk(message).last_chain(0, len(message), path)
        span = chain[-1] if len(chain) == len(path) else _ABSENT
    if span == _ABSENT:
        return None
    length_at, start, end = span
    try:
        return Located(str(message[start:end], "utf-8"), length_at, end)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the string at field {_dotted(path)} is not UTF-8") from error


def delimited(value: str) -> bytes:
    """The string as a field has it after its tag: its length, and its bytes."""
    encoded = value.encode()
    return _varint(len(encoded)) + encoded


@overload
def replace_string(message: bytes, path: Sequence[int], value: str) -> bytes: ...


@overload
def replace_string(message: Encoded, path: Sequence[int], value: str) -> Encoded: ...


def replace_string(message: Encoded, path: Sequence[int], value: str) -> Encoded:
    """The message with this string at the path, whether there was one or not."""
    encoded = value.encode()
    span = _plain_span(message, path[0]) if len(path) == 1 else None
    if span is not None and span != _ABSENT:
        length_at, start, end = span
        if message[start:end] == encoded:
            return message
        return b"".join((message[:length_at], _varint(len(encoded)), encoded, message[end:]))
    chain = _Walk(message).last_chain(0, len(message), path)
    if len(chain) == len(path):
        length_at, start, end = chain.pop()
        if message[start:end] == encoded:
            return message
        return _spliced(message, chain, _Edit(length_at, end, _varint(len(encoded)) + encoded))
    for number in reversed(path[len(chain) :]):
        encoded = _varint(number << 3 | _DELIMITED) + _varint(len(encoded)) + encoded
    end = chain[-1][2] if chain else len(message)
    return _spliced(message, chain, _Edit(end, end, encoded))


_ABSENT = (-1, -1, -1)
"""Compared by value: compiled, a tuple has no identity."""


def _plain_span(message: Encoded, number: int) -> _Span | None:
    """The last length-delimited field of this number in a plain message, or `_ABSENT`; None: not sure.

    Plain is a message of few fields, all length-delimited, with numbers up to 15.
    """
    found = _ABSENT
    wanted = number << 3 | _DELIMITED
    position, end = 0, len(message)
    try:
        for _ in range(_PLAIN_FIELDS_MAX):
            tag = message[position]
            if tag & 0x87 != _DELIMITED or tag < 8:  # noqa: PLR2004 (field number 0)
                return None
            at = position + 1
            length = message[at]
            position = at + 1
            if length > 0x7F:  # noqa: PLR2004 (seven bits to a byte)
                if (more := message[position]) > 0x7F:  # noqa: PLR2004
                    length, position = _read_varint(message, at, end)
                else:
                    length, position = length & 0x7F | more << 7, position + 1
            if tag == wanted:
                found = (at, position, position + length)
            position += length
            if position >= end:
                return found if position == end else None
    except IndexError:  # the message is empty or cut off
        pass
    return None


@dataclass(frozen=True, slots=True)
class _Edit:
    """Bytes in place of those from `start` to `end`."""

    start: int
    end: int
    put: bytes

    @property
    def growth(self) -> int:
        return len(self.put) - (self.end - self.start)


def _spliced(message: Encoded, around: Sequence[_Span], edit: _Edit) -> bytes:
    """Apply the edit, and correct the lengths of the sub-messages around it, the innermost first."""
    edits = [edit]
    growth = edit.growth
    for length_at, start, end in reversed(around):
        length = _Edit(length_at, start, _varint(end - start + growth))
        growth += length.growth
        edits.append(length)
    parts: list[Encoded] = []
    position = 0
    for each in reversed(edits):
        parts += (message[position : each.start], each.put)
        position = each.end
    parts.append(message[position:])
    return b"".join(parts)


class _Walk:
    """One walk over the fields of a message."""

    def __init__(self, message: Encoded) -> None:
        self._message = message
        self._fields_left = FIELDS_MAX

    def last_chain(self, start: int, end: int, path: Sequence[int]) -> list[_Span]:
        """The spans of the path's fields, as far as they are there: the deepest chain, the last of those."""
        best: list[_Span] = []
        for span in self._delimited(start, end, path[0]):
            chain = [span]
            if len(path) > 1:
                chain += self.last_chain(span[1], span[2], path[1:])
            if len(chain) >= len(best):
                best = chain
        return best

    def _delimited(self, start: int, end: int, number: int) -> Iterator[_Span]:
        """The length-delimited fields of this number, in their order."""
        position = start
        while position < end:
            tag, position = self._tag(position, end)
            if tag & 7 == _DELIMITED:
                length_at = position
                length, position = _read_varint(self._message, position, end)
                if length > end - position:
                    raise _malformed(f"a field of {length} bytes ends after the message")
                position += length
                if tag >> 3 == number:
                    yield length_at, position - length, position
            else:
                position = self._skipped(position, end, tag)

    def _tag(self, position: int, end: int) -> tuple[int, int]:
        self._fields_left -= 1
        if self._fields_left < 0:
            raise InvalidRequest(f"the message has more than {FIELDS_MAX} fields")
        tag, position = _read_varint(self._message, position, end)
        if not 0 < tag >> 3 <= FIELD_NUMBER_MAX:
            raise _malformed(f"there is no field number {tag >> 3}")
        return tag, position

    def _skipped(self, position: int, end: int, tag: int) -> int:
        """The position after a field that is not length-delimited."""
        wire_type = tag & 7
        if wire_type == _VARINT:
            return _read_varint(self._message, position, end)[1]
        if wire_type in (_FIXED32, _FIXED64):
            position += 4 if wire_type == _FIXED32 else 8
            if position > end:
                raise _malformed("a number is cut off")
            return position
        if wire_type == _GROUP_START:
            return self._after_group(position, end, tag >> 3)
        raise _malformed(f"wire type {wire_type} where a field begins")

    def _after_group(self, position: int, end: int, number: int) -> int:
        open_groups = [number]
        while open_groups:
            tag, position = self._tag(position, end)
            wire_type = tag & 7
            if wire_type == _GROUP_END:
                if tag >> 3 != open_groups.pop():
                    raise _malformed("a group ends that was not begun")
            elif wire_type == _GROUP_START:
                open_groups.append(tag >> 3)
                if len(open_groups) > GROUP_DEPTH_MAX:
                    raise _malformed(f"groups are nested more than {GROUP_DEPTH_MAX} deep")
            elif wire_type == _DELIMITED:
                length, position = _read_varint(self._message, position, end)
                position += length  # beyond the end, the next tag cannot be read
            else:
                position = self._skipped(position, end, tag)
        return position


def _read_varint(message: Encoded, position: int, end: int) -> tuple[int, int]:
    """The number, and the position after it."""
    if position < end and (first := message[position]) < 0x80:  # noqa: PLR2004 (the continuation bit)
        return first, position + 1
    number = shift = 0
    for at in range(position, min(end, position + _VARINT_BYTES_MAX)):
        byte = message[at]
        number |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return number, at + 1
        shift += 7
    raise _malformed("a number is cut off, or longer than 10 bytes")


def _varint(number: int) -> bytes:
    if number < 0x80:  # noqa: PLR2004 (seven bits to a byte)
        return number.to_bytes(1, "big")
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004 (seven bits to a byte)
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _dotted(path: Sequence[int]) -> str:
    return ".".join(map(str, path))


def _malformed(why: str) -> InvalidRequest:
    return InvalidRequest(f"the message cannot be read: {why}")
