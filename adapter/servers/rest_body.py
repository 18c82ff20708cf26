"""Bodies: bounded on their way in, and compressed if the client asks for it on their way out."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

from adapter.domain.errors import InvalidRequest
from adapter.servers.rest_answers import BodiesTooMany, BodyTooLarge, EncodingUnknown, HttpAnswer
from adapter.servers.rest_headers import RequestHeaders

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]

WorkT = TypeVar("WorkT")

THREAD_BYTES_MIN = 64 * 1024
"""Work on more than this is left to a thread; for less, that would cost more than it spares."""

COMPRESSION_LEVEL = 1
"""The fastest: what it saves beyond that is not worth the time in a cluster's network."""

_GZIP_BITS, _ZLIB_BITS, _BARE_BITS = 31, 15, -15
"""As zlib wants to be told what it reads or writes."""


async def beside_the_loop(size_bytes: int, work: Callable[[], WorkT]) -> WorkT:
    """Do it, in a thread if there is much of it, so that nobody else waits for it."""
    return await asyncio.to_thread(work) if size_bytes > THREAD_BYTES_MIN else work()


class Disconnected(Exception):
    """The client has gone, and nobody is there to be answered."""


class BodyBudget:
    """How many bytes all requests together hold."""

    __slots__ = ("_bytes_max", "held_bytes")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.held_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Raises `BodiesTooMany`."""
        if self.held_bytes + size_bytes > self._bytes_max:
            raise BodiesTooMany("the requests that are being answered take all the memory that they may")
        self.held_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        self.held_bytes -= size_bytes


class Body:
    """The body of one request, read when it is wanted."""

    __slots__ = ("_budget", "_bytes_max", "_headers", "_receive", "_taken_bytes", "is_read")

    def __init__(
        self, receive: Receive, headers: RequestHeaders, *, bytes_max: int, budget: BodyBudget
    ) -> None:
        self._receive = receive
        self._headers = headers
        self._bytes_max = bytes_max
        self._budget = budget
        self._taken_bytes = 0
        self.is_read = False
        """Whether nothing of it is still to come."""

    async def read(self) -> bytes:
        """The whole body, unpacked.

        Raises `BodyTooLarge`, `BodiesTooMany`, `EncodingUnknown`, `InvalidRequest` for one that cannot be
        unpacked, and `Disconnected`.
        """
        told = self._headers.told
        encoding = told[b"content-encoding"].strip().lower() if b"content-encoding" in told else b""
        if encoding not in _UNDERSTOOD:
            shown = encoding[:40].decode("ascii", "replace")
            raise EncodingUnknown(f"the content encoding {shown} is not understood; gzip and deflate are")
        if (self._headers.body_bytes or 0) > self._bytes_max:
            raise _too_large(self._bytes_max)
        body = await self._next()
        if not self.is_read:  # nearly all come in one piece
            body = await self._joined(body)
        if encoding in (b"identity", b""):
            return body
        bytes_max = self._bytes_max
        content = await beside_the_loop(len(body), lambda: unpacked(body, encoding, bytes_max=bytes_max))
        self._take(len(content))
        return content

    async def _joined(self, first: bytes) -> bytes:
        pieces = [first]
        while not self.is_read:
            pieces.append(await self._next())
        return b"".join(pieces)

    async def _next(self) -> bytes:
        event = await self._receive()
        if event["type"] != "http.request":
            raise Disconnected
        piece: bytes = event.get("body", b"")
        self.is_read = not event.get("more_body", False)
        self._take(len(piece))
        if self._taken_bytes > self._bytes_max:
            raise _too_large(self._bytes_max)
        return piece

    def _take(self, size_bytes: int) -> None:
        self._budget.take(size_bytes)
        self._taken_bytes += size_bytes

    def release(self) -> None:
        """The request is answered: its bytes count no more."""
        self._budget.give_back(self._taken_bytes)
        self._taken_bytes = 0


_UNDERSTOOD = frozenset({b"", b"identity", b"gzip", b"x-gzip", b"deflate"})


def unpacked(body: bytes, encoding: bytes, *, bytes_max: int) -> bytes:
    """What was packed with gzip or deflate; raises `BodyTooLarge` and `InvalidRequest`.

    `deflate` is zlib's format; the bare one, which some clients take it for, is understood too.
    """
    name = encoding.decode("ascii")
    unpacker = zlib.decompressobj(_bits_of(body, encoding))
    try:
        content = unpacker.decompress(body, bytes_max + 1)
    except zlib.error as error:
        raise InvalidRequest(f"the body is not {name}: {error}") from error
    if len(content) > bytes_max:
        raise _too_large(bytes_max)
    if not unpacker.eof:
        raise InvalidRequest(f"the {name} body is cut off")
    if unpacker.unused_data:
        raise InvalidRequest(f"{len(unpacker.unused_data)} bytes stand behind the end of the {name} body")
    return content


def _bits_of(body: bytes, encoding: bytes) -> int:
    if encoding != b"deflate":
        return _GZIP_BITS
    # RFC 1950: method 8 in the low bits, and the first two bytes together a multiple of 31.
    is_zlib = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0  # noqa: PLR2004
    return _ZLIB_BITS if is_zlib else _BARE_BITS


def _too_large(bytes_max: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {bytes_max} bytes")


def encoding_for(accepted: bytes) -> bytes | None:
    """The first of gzip and deflate that an `Accept-Encoding` takes; None: as it is."""
    qualities = dict(_quality(item) for item in accepted.lower().split(b","))
    for encoding in (b"gzip", b"deflate"):
        if qualities.get(encoding, qualities.get(b"*", False)):
            return encoding
    return None


def _quality(item: bytes) -> tuple[bytes, bool]:
    """An encoding, and whether it is wanted at all: `q=0` says that it is not."""
    name, _, parameters = item.partition(b";")
    weight = parameters.strip().removeprefix(b"q=").strip()
    return name.strip(), not weight or weight.strip(b"0.") != b""


async def compressed(answer: HttpAnswer, accepted: bytes) -> HttpAnswer:
    """The answer in an encoding that the client's `Accept-Encoding` takes, if there is one."""
    encoding = encoding_for(accepted)
    if encoding is None:
        return answer
    headers = (*answer.headers, (b"content-encoding", encoding), (b"vary", b"accept-encoding"))
    return HttpAnswer(answer.status, await packed(answer.body, encoding), headers)


async def packed(body: bytes, encoding: bytes) -> bytes:
    """The body as gzip or deflate."""
    return await beside_the_loop(len(body), lambda: _packed(body, encoding))


def _packed(body: bytes, encoding: bytes) -> bytes:
    bits = _GZIP_BITS if encoding == b"gzip" else _ZLIB_BITS
    packer = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, bits)
    return packer.compress(body) + packer.flush()
