import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import InvalidRequest
from adapter.servers.rest_answers import BodiesTooMany, BodyTooLarge, EncodingUnknown, HttpRefusal
from adapter.servers.rest_body import Body, BodyBudget, Disconnected, Event, encoding_for, packed, unpacked
from adapter.servers.rest_headers import read_headers

MAX = 1000


def bare_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


def a_body(*pieces: bytes, budget: BodyBudget | None = None, ends: bool = True, **headers: bytes) -> Body:
    events: list[Event] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    events[-1]["more_body"] = not ends
    events.append({"type": "http.disconnect"})

    async def receive() -> Event:
        return events.pop(0)

    told = read_headers([(name.replace("_", "-").encode(), value) for name, value in headers.items()])
    return Body(receive, told, bytes_max=MAX, budget=budget or BodyBudget(10 * MAX))


@pytest.mark.parametrize("pieces", [(b"abc",), (b"a", b"", b"bc"), (b"",)], ids=["one", "three", "nothing"])
async def test_a_body_is_read_whole(pieces: tuple[bytes, ...]) -> None:
    body = a_body(*pieces)
    assert not body.is_read
    assert await body.read() == b"".join(pieces)
    assert body.is_read


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        (b"gzip", gzip.compress(b"abc")),
        (b"X-Gzip", gzip.compress(b"abc")),
        (b"deflate", zlib.compress(b"abc")),
        (b"deflate", bare_deflate(b"abc")),
        (b"identity", b"abc"),
    ],
    ids=["gzip", "its old name", "deflate", "bare deflate", "not at all"],
)
async def test_a_body_is_unpacked(encoding: bytes, content: bytes) -> None:
    assert await a_body(content, content_encoding=encoding).read() == b"abc"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda: a_body(b"", content_length=b"1001"), id="it says so"),
        pytest.param(lambda: a_body(b"x" * 600, b"x" * 600), id="it comes in pieces"),
        pytest.param(
            lambda: a_body(gzip.compress(bytes(10**6)), content_encoding=b"gzip"), id="when unpacked"
        ),
    ],
)
async def test_a_body_beyond_the_bound_is_refused(body: object) -> None:
    assert callable(body)
    with pytest.raises(BodyTooLarge, match="larger than 1000 bytes"):
        await body().read()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"no gzip", "is not gzip"),
        (gzip.compress(b"abc")[:-3], "is cut off"),
        (gzip.compress(b"abc") + b"more", "4 bytes stand behind the end"),
        (b"", "is cut off"),
    ],
    ids=["no gzip", "half", "more", "nothing"],
)
async def test_what_cannot_be_unpacked_is_refused(content: bytes, text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        await a_body(content, content_encoding=b"gzip").read()


async def test_another_encoding_is_refused() -> None:
    with pytest.raises(EncodingUnknown, match="br is not understood"):
        await a_body(b"", content_encoding=b"br").read()


async def test_a_client_that_goes_away_ends_the_reading() -> None:
    with pytest.raises(Disconnected):
        await a_body(b"half", ends=False).read()


async def test_all_bodies_together_are_bounded() -> None:
    budget = BodyBudget(MAX)
    first, second = a_body(b"x" * 600, budget=budget), a_body(b"x" * 600, budget=budget)
    await first.read()
    with pytest.raises(BodiesTooMany):
        await second.read()
    first.release()
    second.release()
    assert budget.held_bytes == 0


@given(st.binary(max_size=50), st.sampled_from([b"gzip", b"deflate"]))
def test_anything_is_unpacked_or_refused(content: bytes, encoding: bytes) -> None:
    try:
        assert len(unpacked(content, encoding, bytes_max=MAX)) <= MAX
    except (InvalidRequest, HttpRefusal):
        return


@given(st.binary(max_size=MAX), st.sampled_from([b"gzip", b"deflate"]))
async def test_what_is_packed_is_unpacked_again(content: bytes, encoding: bytes) -> None:
    assert unpacked(await packed(content, encoding), encoding, bytes_max=MAX) == content


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        (b"gzip, deflate, br", b"gzip"),
        (b"deflate", b"deflate"),
        (b"gzip;q=0, deflate;q=0.5", b"deflate"),
        (b"GZIP;q=1.0", b"gzip"),
        (b"*", b"gzip"),
        (b"*;q=0, deflate", b"deflate"),
        (b"br, identity", None),
        (b"", None),
    ],
)
def test_the_client_says_how_an_answer_may_come(accepted: bytes, encoding: bytes | None) -> None:
    assert encoding_for(accepted) == encoding
