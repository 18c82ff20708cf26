"""How messages stand in a gRPC stream: each after five bytes, for whether it is compressed and its length.

`MessageBounds` follows where messages begin and end while their bytes pass by in chunks of any size, and
keeps none of them. `inflated` takes the compression off one message; what the relay changes goes on without
it, which the flag allows whatever the call's `grpc-encoding` is.

Source: gRPC over HTTP/2 (`PROTOCOL-HTTP2.md`, "Length-Prefixed-Message") and its `compression.md`.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Final

from adapter.domain.errors import Code, MethodNotPermitted, Refused

Chunk = bytes | memoryview
"""Bytes of a stream; a view is one of bytes."""

PREFIX_BYTES: Final = 5
LENGTH_MAX: Final = 2**32 - 1
"""What the four bytes of the length can say."""

IDENTITY: Final = "identity"

_PREFIX: Final = struct.Struct(">BI")
_pack_prefix: Final = _PREFIX.pack
_read_prefix: Final = _PREFIX.unpack_from
_HEADER_WINDOW_BITS: Final[Mapping[str, int]] = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""What zlib calls the two formats: gzip's own (RFC 1952), and zlib's (RFC 1950), which HTTP calls deflate."""

ENCODINGS: Final = (IDENTITY, *_HEADER_WINDOW_BITS)
"""What `inflated` can read: the value of `grpc-accept-encoding` with an error about another one."""


class MessageTooLarge(Refused):
    """A message is longer than the limit; the text is grpc's own."""

    code = Code.RESOURCE_EXHAUSTED


class BadMessage(Refused):
    """What stands in a stream is no message of gRPC, or does not decompress."""

    code = Code.INTERNAL


def prefix(length: int, *, compressed: bool = False) -> bytes:
    """The five bytes before a message of this length."""
    return _pack_prefix(compressed, length)


def is_one_message(chunk: Chunk, limit_bytes: int) -> bool:
    """Whether a chunk is one whole message that is not compressed: nearly every call's is."""
    if len(chunk) < PREFIX_BYTES:
        return False
    flag: int
    length: int
    flag, length = _read_prefix(chunk)
    return not flag and len(chunk) == length + PREFIX_BYTES and length <= limit_bytes


class MessageBounds:
    """Follows the messages of one direction of one stream.

    After an error the stream cannot be followed any further.
    """

    __slots__ = ("_head", "_limit_bytes", "_needed", "compressed", "size_bytes")

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._head = b""
        self._needed = 0
        self.size_bytes = 0
        """Of the message under way, or of the last one: its length, without the prefix."""
        self.compressed = False
        """The flag of that message."""

    @property
    def needed_bytes(self) -> int:
        """What the message under way still lacks; 0: none is, or its prefix is not complete."""
        return self._needed

    @property
    def between_messages(self) -> bool:
        """Here the stream may end."""
        return not self._needed and not self._head

    def passes(self, size: int) -> bool:
        """Whether so many bytes are of the message under way, and not its end; then they are counted."""
        if self._needed > size:
            self._needed -= size
            return True
        return False

    def feed(self, chunk: Chunk) -> int:
        """How many messages this chunk completes. Raises `BadMessage` or `MessageTooLarge`."""
        size = len(chunk)
        if self._needed or self._head or size < PREFIX_BYTES:
            return self._walk(chunk)
        flag: int
        length: int
        flag, length = _read_prefix(chunk)
        if size != length + PREFIX_BYTES or flag or length > self._limit_bytes:
            return self._walk(chunk)
        # One chunk that is one message: nearly every call.
        self.size_bytes = length
        self.compressed = False
        return 1

    def _walk(self, chunk: Chunk) -> int:
        position, end, completed = 0, len(chunk), 0
        while position < end:
            if self._needed:
                step = min(self._needed, end - position)
                position += step
                self._needed -= step
            else:
                step = min(PREFIX_BYTES - len(self._head), end - position)
                self._head += chunk[position : position + step]
                position += step
                if len(self._head) < PREFIX_BYTES:
                    break
                self._begin()
            completed += not self._needed
        return completed

    def _begin(self) -> None:
        """A prefix is complete."""
        flag, length = _PREFIX.unpack(self._head)
        if flag > 1:
            raise BadMessage(f"a message begins with {flag}, which is neither 0 nor 1 (compressed)")
        if length > self._limit_bytes:
            raise too_large(length, self._limit_bytes)
        self._head = b""
        self._needed = self.size_bytes = length
        self.compressed = bool(flag)


def too_large(length: int, limit_bytes: int) -> MessageTooLarge:
    """As grpc says it."""
    return MessageTooLarge(f"Received message larger than max ({length} vs. {limit_bytes})")


def inflated(data: Chunk, encoding: str, *, limit_bytes: int) -> bytes:
    """The message of a compressed one; `encoding` is the call's `grpc-encoding`.

    Raises `MessageTooLarge` as soon as it grows over the limit, `MethodNotPermitted` (UNIMPLEMENTED) for an
    encoding that is not ours, and `BadMessage` for bytes that are not in it, or a call that names none.
    """
    bits = _HEADER_WINDOW_BITS.get(encoding)
    if bits is None:
        raise _unknown(encoding)
    machine = zlib.decompressobj(bits)
    try:
        message = machine.decompress(data, limit_bytes + 1)
    except zlib.error as error:
        raise BadMessage(f"a message is no {encoding}: {error}") from error
    if len(message) > limit_bytes:
        raise MessageTooLarge(f"Received message larger than max (over {limit_bytes} vs. {limit_bytes})")
    if not machine.eof:
        raise BadMessage(f"a message in {encoding} is cut off")
    if machine.unused_data:
        raise BadMessage(f"a message in {encoding} is followed by {len(machine.unused_data)} more bytes")
    return message


def _unknown(encoding: str) -> BadMessage | MethodNotPermitted:
    if encoding == IDENTITY or not encoding:
        return BadMessage("a message is marked as compressed, and its call names no grpc-encoding")
    return MethodNotPermitted(f"grpc-encoding {encoding} is not offered; offered are {', '.join(ENCODINGS)}")
