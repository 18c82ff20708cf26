"""Find a string in a message that lies in chunks, as frames brought it, without joining them.

Only what nearly all messages are is known here: plain (few fields, all length-delimited, with numbers up to
15), and the string in the first chunk. `splice` has the last word on all others.
"""

from collections.abc import Sequence
from typing import Final

from adapter.domain.errors import InvalidRequest
from adapter.wire.grpc_messages import Chunk
from adapter.wire.splice import Located

FIELDS_MAX: Final = 64
_DELIMITED: Final = 2
_HEAD_BYTES_MAX: Final = 6
"""A tag of one byte, and a length of up to five."""


class NotSure(Exception):
    """The message is not plain, or its string not in the first chunk: join it, and ask `splice`."""


def located_in_chunks(chunks: Sequence[Chunk], number: int, *, start: int, end: int) -> Located | None:
    """The last string of this field number between `start` and `end` of the chunks; None: there is none.

    Places are counted from `start`. Raises `NotSure`, or `InvalidRequest` for a string that is not UTF-8.
    """
    wanted = number << 3 | _DELIMITED
    found: tuple[int, int, int] | None = None
    chunk, base, index, position = chunks[0], 0, 0, start
    for _ in range(FIELDS_MAX):
        if position == end:
            return _located(chunks[0], found, start)
        while position - base >= len(chunk):
            base += len(chunk)
            index += 1
            if index == len(chunks):
                raise NotSure
            chunk = chunks[index]
        at = position - base
        if at + _HEAD_BYTES_MAX <= len(chunk) or index + 1 == len(chunks):
            tag, length, value_at = _head(chunk, at)
            value_at += base
        else:
            tag, length, value_at = _head(b"".join((chunk[at:], chunks[index + 1][:_HEAD_BYTES_MAX])), 0)
            value_at += position
        if tag == wanted:
            found = (position + 1, value_at, value_at + length)
        position = value_at + length
        if position > end:
            raise NotSure
    raise NotSure


def _head(chunk: Chunk, at: int) -> tuple[int, int, int]:
    """The tag and the length of a field, and where its value begins."""
    try:
        tag = chunk[at]
        if tag & 0x87 != _DELIMITED or tag < 8:  # noqa: PLR2004 - more than a byte, no field number, not delimited
            raise NotSure
        length = shift = 0
        for position in range(at + 1, at + _HEAD_BYTES_MAX):
            byte = chunk[position]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the continuation bit
                return tag, length, position + 1
            shift += 7
    except IndexError:
        pass
    raise NotSure


def _located(chunk: Chunk, found: tuple[int, int, int] | None, start: int) -> Located | None:
    if found is None:
        return None
    length_at, value_at, end = found
    if end > len(chunk):
        raise NotSure
    try:
        return Located(str(chunk[value_at:end], "utf-8"), length_at - start, end - start)
    except UnicodeDecodeError as error:
        raise InvalidRequest("the string that names the model is not UTF-8") from error
