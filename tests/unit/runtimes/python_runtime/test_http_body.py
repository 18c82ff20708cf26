import gzip
import zlib
from collections.abc import Sequence

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from runtimes.python_runtime.errors import BadRequest
from runtimes.python_runtime.http_body import json_length_of, read_body


def a_request(*pieces: bytes, **headers: str) -> Request:
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request", "body": b""})
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    return Request({"type": "http", "method": "POST", "path": "/", "headers": encoded}, receive)


async def test_a_body_comes_in_pieces() -> None:
    assert await read_body(a_request(b"ab", b"cd"), bytes_max=4) == b"abcd"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        pytest.param("gzip", gzip.compress(b"abc"), id="gzip"),
        pytest.param("deflate", zlib.compress(b"abc"), id="deflate"),
    ],
)
async def test_a_compressed_body_is_unpacked(encoding: str, packed: bytes) -> None:
    assert await read_body(a_request(packed, content_encoding=encoding), bytes_max=100) == b"abc"


@pytest.mark.parametrize(
    ("pieces", "encoding", "status"),
    [
        pytest.param([b"abc", b"de"], "identity", 413, id="too large"),
        pytest.param([gzip.compress(b"a" * 1000)], "gzip", 413, id="too large when unpacked"),
        pytest.param([b"a"], "br", 415, id="an encoding that we have not"),
    ],
)
async def test_what_is_too_large_or_strange_is_refused(
    pieces: Sequence[bytes], encoding: str, status: int
) -> None:
    bytes_max = 4 if encoding == "identity" else 500
    with pytest.raises(HTTPException) as caught:
        await read_body(a_request(*pieces, content_encoding=encoding), bytes_max=bytes_max)
    assert caught.value.status_code == status


@pytest.mark.parametrize(
    "packed", [pytest.param(b"abc", id="not gzip"), pytest.param(gzip.compress(b"abc")[:-4], id="cut off")]
)
async def test_what_cannot_be_unpacked_is_refused(packed: bytes) -> None:
    with pytest.raises(BadRequest):
        await read_body(a_request(packed, content_encoding="gzip"), bytes_max=100)


def test_the_header_tells_how_much_is_json() -> None:
    assert json_length_of(a_request()) is None
    assert json_length_of(a_request(inference_header_content_length="12")) == 12
    with pytest.raises(BadRequest):
        json_length_of(a_request(inference_header_content_length="-1"))
