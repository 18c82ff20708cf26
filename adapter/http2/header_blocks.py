"""Header blocks (RFC 7541) as fields that keep their bytes.

Both peers of every connection are told SETTINGS_HEADER_TABLE_SIZE=0, and our own first block on each says
that we keep no table either. From then on a field's bytes mean the same on every connection: a block is cut
into fields without being decoded, a field's meaning is remembered by its bytes, and fields go on as they
came. What arrives before the peer has applied our SETTINGS is decoded with its dynamic table, and encoded
anew.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import hpack
from hpack.exceptions import HPACKError
from hpack.huffman_table import decode_huffman

from adapter.http2.frames import ConnectionProblem, ErrorCode, StreamProblem
from adapter.http2.huffman import is_huffman, may_hold_control

EMPTY_TABLE: Final = b"\x20"
"""A dynamic table size update to 0; it begins the first block that we send on a connection."""

FIELDS_REMEMBERED_MAX: Final = 8192
FIELD_REMEMBERED_BYTES_MAX: Final = 512
INTEGER_BYTES_MAX: Final = 5

_STATIC = tuple(hpack.table.HeaderTable.STATIC_TABLE)
_INDEXED: Final = 0x80
_INCREMENTAL: Final = 0x40
_SIZE_UPDATE: Final = 0x20
_INDEX_BITS: Final = 0x0F
_LENGTH_BITS: Final = 0x7F

unfit: Final = re.compile(rb"[\0\r\n]").search
"""What no value may hold (RFC 9113, section 8.2.1)."""


class Field(NamedTuple):
    """One field of a block."""

    name: bytes
    value: bytes
    raw: bytes
    """As it may stand in any block that we send."""


def encode_field(name: bytes, value: bytes) -> bytes:
    """A literal without indexing, and without Huffman's code."""
    return b"\x00" + _length(len(name)) + name + _length(len(value)) + value


def encode_fields(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A block of such literals."""
    return b"".join(encode_field(name, value) for name, value in fields)


class FieldMemory:
    """What fields mean, by their bytes; shared by all connections, and bounded."""

    def __init__(self) -> None:
        self._fields: dict[bytes, Field] = {}

    def field(self, raw: bytes) -> Field:
        """What one field of a block without a dynamic table means. Raises `ConnectionProblem`."""
        field = self._fields.get(raw)
        if field is None:
            field = _decoded(raw)
            if len(raw) <= FIELD_REMEMBERED_BYTES_MAX:
                if len(self._fields) >= FIELDS_REMEMBERED_MAX:
                    self._fields.clear()
                self._fields[raw] = field
        return field

    def fields(self, block: bytes) -> list[Field]:
        """The fields of a block that uses no dynamic table. Raises `ConnectionProblem`."""
        return [self.field(raw) for raw, _ in split(block)]


class BlockReader:
    """Reads the blocks of one connection, with its dynamic table as long as it may have one."""

    def __init__(self) -> None:
        self.stateless = False
        """The peer's table is empty and stays so: a block's bytes alone say what it means."""
        self.table_is_empty = True
        """A block that is plain means what its bytes say."""
        self._settings_applied = False
        self._decoder = hpack.Decoder(max_header_list_size=_STATEFUL_LIST_BYTES_MAX)

    def settings_acknowledged(self) -> None:
        """The peer has applied our table size of 0 (RFC 7541, section 4.2)."""
        self._settings_applied = True

    def plain(self, block: bytes) -> bytes:
        """The connection's next block as one that uses no dynamic table. Raises `ConnectionProblem`.

        Every block must come by here as long as the reader is not `stateless`. Peers that go on to use a
        table after they acknowledged that there is none are served too: RFC 9113 4.3.1 would have us close
        the connection, and older clients of Go's standard library do not know better.
        """
        if self.stateless:
            return block
        if self._settings_applied and (block.startswith(EMPTY_TABLE) or not self._decoder.header_table_size):
            self.stateless = True
            return block
        if self.table_is_empty and is_plain(block):
            return block
        try:
            pairs = self._decoder.decode(block, raw=True)
        except HPACKError as error:
            raise _broken(str(error)) from error
        self.table_is_empty = not self._decoder.header_table.dynamic_entries
        return encode_fields((bytes(pair[0]), bytes(pair[1])) for pair in pairs)


_STATEFUL_LIST_BYTES_MAX = 256 * 1024
"""A longer list ends the connection while there is a table: it may not be skipped."""


def split(block: bytes, *, begun: bool = False) -> list[tuple[bytes, int]]:  # noqa: C901, PLR0912 - it is run for each request
    """Cut a block into its fields, each with where its value begins; an indexed one has that in its name.

    Table size updates to 0 are left out; they stand at the beginning, so not where a block has `begun`
    already. Raises `ConnectionProblem`.
    """
    fields: list[tuple[bytes, int]] = []
    position, end = 0, len(block)
    try:
        while position < end:
            start = position
            first = block[position]
            position += 1
            if first < _INDEXED:
                if first >= _INCREMENTAL:
                    has_name = first == _INCREMENTAL
                elif first >= _SIZE_UPDATE:
                    if first != _SIZE_UPDATE or fields or begun:
                        raise _broken("a table size update that is not to 0, or not at the beginning")
                    continue
                else:
                    has_name = not first & _INDEX_BITS
                    if first & _INDEX_BITS == _INDEX_BITS:  # an index of 15 or more has further bytes
                        while block[position] > _LENGTH_BITS:
                            position += 1
                        position += 1
                if has_name:
                    length = block[position] & _LENGTH_BITS
                    position += length + 1
                    if length == _LENGTH_BITS:
                        position = _after_long(block, position - length)
                value_at = position - start
                length = block[position] & _LENGTH_BITS
                position += length + 1
                if length == _LENGTH_BITS:
                    position = _after_long(block, position - length)
            else:
                value_at = 1
            fields.append((block[start:position], value_at))
    except IndexError:
        raise _broken("a block is cut off") from None
    if position != end:
        raise _broken("a block is cut off")
    return fields


def is_plain(block: bytes) -> bool:
    """Whether a block neither uses a dynamic table nor changes one."""
    if not block or _INCREMENTAL > block[0] >= _SIZE_UPDATE:
        return False
    try:
        fields = split(block)
    except ConnectionProblem:
        return False  # perhaps a name of an entry that the block itself adds
    for raw, _ in fields:
        first = raw[0]
        if first >= _INDEXED:
            index = first & _LENGTH_BITS
        elif first >= _INCREMENTAL:
            return False
        else:
            index = first & _INDEX_BITS
            if index == _INDEX_BITS:
                index += raw[1]
        if index > len(_STATIC):
            return False
    return True


def _after_long(block: bytes, position: int) -> int:
    """The position after a string of 127 bytes or more, whose length goes on here."""
    length, position = _read_integer(block, position, _LENGTH_BITS)
    return position + length


def _read_integer(block: bytes, position: int, start: int) -> tuple[int, int]:
    """The rest of an integer whose prefix is full (RFC 7541, section 5.1), and the position after it."""
    number = start
    for shift in range(0, 7 * INTEGER_BYTES_MAX, 7):
        byte = block[position]
        position += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return number, position
    raise _broken("an integer is too long")


def _decoded(raw: bytes) -> Field:
    """What one field of a block without a dynamic table means."""
    try:
        return _read_field(raw)
    except IndexError:
        raise _broken("a field is cut off") from None


def _read_field(raw: bytes) -> Field:
    first = raw[0]
    if first >= _INDEXED:
        name, value = _static(first & _LENGTH_BITS)
        return Field(name, value, raw)
    bits = 0x3F if first >= _INCREMENTAL else _INDEX_BITS
    index, position = first & bits, 1
    if index == bits:
        index, position = _read_integer(raw, position, bits)
    if index:
        name = _static(index)[0]
    else:
        name, position = _string(raw, position)
    value, position = _string(raw, position)
    if position != len(raw):
        raise _broken("a field is longer than it says")
    return Field(name, value, raw)


def _static(index: int) -> tuple[bytes, bytes]:
    if not 0 < index <= len(_STATIC):
        raise _broken(f"there is no entry {index} in a table that is empty")
    return _STATIC[index - 1]


def check_value(raw: bytes, value_at: int, stream_id: int) -> None:
    """Raise for a value that may not go on, or that whoever gets the field next could not read."""
    if value_at == len(raw):
        return
    if raw[value_at] > _LENGTH_BITS:
        first = raw[value_at] & _LENGTH_BITS
        start = value_at + 1
        if first == _LENGTH_BITS:
            _, start = _read_integer(raw, start, first)
        code = raw[start:]
        if not is_huffman(code):
            raise _broken("a string is not in Huffman's code")
        suspected = may_hold_control(code)
    else:
        suspected = unfit(raw, value_at + 1) is not None
    if suspected and unfit(value_of(raw, value_at)):
        raise StreamProblem(stream_id, ErrorCode.PROTOCOL_ERROR, "a value with what no value may hold")


def value_of(raw: bytes, value_at: int) -> bytes:
    """The value of a literal field. Raises `ConnectionProblem`."""
    length = raw[value_at]
    if length < _LENGTH_BITS:
        return raw[value_at + 1 :]
    return _string(raw, value_at)[0]


def _string(raw: bytes, position: int) -> tuple[bytes, int]:
    """A string (RFC 7541, section 5.2), and the position after it."""
    first = raw[position]
    length, position = first & _LENGTH_BITS, position + 1
    if length == _LENGTH_BITS:
        length, position = _read_integer(raw, position, _LENGTH_BITS)
    text = raw[position : position + length]
    if first > _LENGTH_BITS:
        try:
            text = bytes(decode_huffman(text))
        except HPACKError as error:
            raise _broken(str(error)) from error
    return text, position + length


def _length(length: int) -> bytes:
    if length < _LENGTH_BITS:
        return length.to_bytes(1, "big")
    encoded, length = bytearray((_LENGTH_BITS,)), length - _LENGTH_BITS
    while length > 0x7F:  # noqa: PLR2004 - seven bits to a byte
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def _broken(text: str) -> ConnectionProblem:
    return ConnectionProblem(ErrorCode.COMPRESSION_ERROR, text)
