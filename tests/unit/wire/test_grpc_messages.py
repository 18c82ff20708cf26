import gzip
import itertools
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import AdapterError, Code, MethodNotPermitted
from adapter.wire.grpc_messages import (
    ENCODINGS,
    PREFIX_BYTES,
    BadMessage,
    MessageBounds,
    MessageTooLarge,
    inflated,
    prefix,
)

LIMIT_BYTES = 1000


def framed(message: bytes, *, compressed: bool = False) -> bytes:
    return prefix(len(message), compressed=compressed) + message


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    """The stream in chunks, cut at these places."""
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in itertools.pairwise(places)]


def test_a_prefix_is_as_grpc_has_it() -> None:
    assert prefix(258) == b"\x00\x00\x00\x01\x02"
    assert prefix(1, compressed=True) == b"\x01\x00\x00\x00\x01"


@given(
    st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 300), max_size=12), st.booleans()
)
def test_messages_are_counted_however_they_are_cut(
    messages: list[bytes], cuts: list[int], view: bool
) -> None:
    bounds = MessageBounds(limit_bytes=LIMIT_BYTES)
    chunks = pieces(b"".join(map(framed, messages)), cuts)
    assert sum(bounds.feed(memoryview(chunk) if view else chunk) for chunk in chunks) == len(messages)
    assert bounds.between_messages
    assert not messages or bounds.size_bytes == len(messages[-1])


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.integers(1, 300))
def test_a_stream_that_ends_within_a_message_is_not_between_messages(messages: list[bytes], cut: int) -> None:
    stream = b"".join(map(framed, messages))
    ends = {sum(len(framed(message)) for message in messages[: count + 1]) for count in range(len(messages))}
    bounds = MessageBounds(limit_bytes=LIMIT_BYTES)
    bounds.feed(stream[:cut])
    assert bounds.between_messages == (cut >= len(stream) or cut in ends)


def test_what_a_message_still_needs_is_known() -> None:
    bounds = MessageBounds(limit_bytes=LIMIT_BYTES)
    message = framed(bytes(10), compressed=True)
    assert bounds.feed(message[:4]) == 0
    assert (bounds.needed_bytes, bounds.between_messages) == (0, False)
    assert bounds.feed(message[4:7]) == 0
    assert (bounds.needed_bytes, bounds.size_bytes, bounds.compressed) == (8, 10, True)
    assert bounds.feed(message[7:] + framed(b"")) == 2
    assert (bounds.needed_bytes, bounds.size_bytes, bounds.compressed) == (0, 0, False)


def test_one_whole_message_after_a_compressed_one_is_not_compressed() -> None:
    bounds = MessageBounds(limit_bytes=LIMIT_BYTES)
    bounds.feed(framed(b"ab", compressed=True))
    bounds.feed(framed(b"abc"))
    assert (bounds.size_bytes, bounds.compressed) == (3, False)


@pytest.mark.parametrize(
    ("stream", "kind", "code", "text"),
    [
        pytest.param(
            prefix(1001),
            MessageTooLarge,
            Code.RESOURCE_EXHAUSTED,
            r"larger than max \(1001 vs. 1000\)",
            id="long",
        ),
        pytest.param(
            framed(bytes(1001)), MessageTooLarge, Code.RESOURCE_EXHAUSTED, "larger", id="long, and whole"
        ),
        pytest.param(b"\x02\x00\x00\x00\x00", BadMessage, Code.INTERNAL, "begins with 2", id="a bad flag"),
        pytest.param(b"GET / HTTP/1.1", BadMessage, Code.INTERNAL, "begins with 71", id="no gRPC at all"),
    ],
)
@pytest.mark.parametrize("step", [1, 100_000], ids=["byte by byte", "at once"])
def test_a_prefix_that_cannot_be_is_an_error_as_soon_as_it_is_there(
    stream: bytes, kind: type[AdapterError], code: Code, text: str, step: int
) -> None:
    bounds = MessageBounds(limit_bytes=LIMIT_BYTES)
    chunks = [stream[at : at + step] for at in range(0, max(len(stream), PREFIX_BYTES), step)]
    with pytest.raises(kind, match=text) as caught:
        list(map(bounds.feed, chunks))
    assert caught.value.code is code


compressions = pytest.mark.parametrize(
    ("encoding", "compress"),
    [pytest.param("gzip", gzip.compress, id="gzip"), pytest.param("deflate", zlib.compress, id="deflate")],
)


@compressions
@given(message=st.binary(max_size=LIMIT_BYTES))
def test_what_was_compressed_comes_back(
    encoding: str, compress: Callable[[bytes], bytes], message: bytes
) -> None:
    assert inflated(compress(message), encoding, limit_bytes=LIMIT_BYTES) == message
    assert inflated(memoryview(compress(message)), encoding, limit_bytes=len(message)) == message


@compressions
def test_a_bomb_is_refused_before_it_has_grown(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(bytes(50_000_000))
    with pytest.raises(MessageTooLarge, match="larger than max"):
        inflated(bomb, encoding, limit_bytes=LIMIT_BYTES)


@pytest.mark.parametrize(
    ("data", "encoding", "kind", "text"),
    [
        pytest.param(b"plain", "gzip", BadMessage, "is no gzip", id="not in the encoding"),
        pytest.param(gzip.compress(b"plain")[:-9], "gzip", BadMessage, "cut off", id="cut off"),
        pytest.param(gzip.compress(b"a") * 2, "gzip", BadMessage, "more bytes", id="something after it"),
        pytest.param(
            zlib.compress(b"plain"), "identity", BadMessage, "no grpc-encoding", id="no encoding named"
        ),
        pytest.param(b"plain", "snappy", MethodNotPermitted, "snappy is not offered", id="unknown"),
    ],
)
def test_bytes_that_cannot_be_inflated_are_an_error(
    data: bytes, encoding: str, kind: type[AdapterError], text: str
) -> None:
    with pytest.raises(kind, match=text):
        inflated(data, encoding, limit_bytes=LIMIT_BYTES)


def test_what_is_offered_is_what_can_be_read() -> None:
    assert ENCODINGS == ("identity", "gzip", "deflate")
