"""The body of an HTTP request: bounded, and unpacked if it came compressed."""

import zlib

from starlette.exceptions import HTTPException
from starlette.requests import Request

from runtimes.python_runtime.errors import BadRequest

LENGTH_HEADER = "Inference-Header-Content-Length"

_WINDOW_BITS = {"gzip": 31, "deflate": 15}
"""As zlib wants to be told what it reads."""


async def read_body(request: Request, *, bytes_max: int) -> bytes:
    """The whole body. Raises `HTTPException` 413 and 415, and `BadRequest` for what cannot be unpacked."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > bytes_max:
            raise _too_large(bytes_max)
        pieces.append(piece)
    body = b"".join(pieces)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in _WINDOW_BITS:
        raise HTTPException(415, f"the content encoding {encoding} is not understood; gzip and deflate are")
    return _unpacked(body, encoding, bytes_max)


def _unpacked(body: bytes, encoding: str, bytes_max: int) -> bytes:
    unpacker = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        unpacked = unpacker.decompress(body, bytes_max)
    except zlib.error as error:
        raise BadRequest(f"the body is not {encoding}: {error}") from error
    if unpacker.unconsumed_tail:
        raise _too_large(bytes_max)
    if not unpacker.eof:
        raise BadRequest(f"the {encoding} body is cut off")
    return unpacked


def _too_large(bytes_max: int) -> HTTPException:
    return HTTPException(413, f"the body is larger than {bytes_max} bytes")


def json_length_of(request: Request) -> int | None:
    """How much of the body is JSON, with binary tensors behind; None: all of it. Raises `BadRequest`."""
    text = request.headers.get(LENGTH_HEADER)
    if text is None:
        return None
    if not text.isdecimal():
        raise BadRequest(f"{LENGTH_HEADER} is a number of bytes, not {text[:40]!r}")
    return int(text)
