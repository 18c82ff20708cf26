"""A string found in a message that lies in chunks is the one that is found in the message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.errors import InvalidRequest
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.chunks import NotSure, located_in_chunks
from adapter.wire.splice import Located, delimited, located

NAME = 1
BEFORE = b"12345"
"""What stands before the message, as its prefix does."""


def a_request(name: str, *sizes: int) -> bytes:
    return v2.ModelInferRequest(model_name=name, raw_input_contents=map(bytes, sizes)).SerializeToString()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces that end at these places."""
    ends = sorted({place for place in places if 0 < place < len(data)})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def told(found: Located | None) -> tuple[str, int, int] | None:
    return None if found is None else (found.value, found.length_at, found.end)


@given(
    name=st.text(max_size=20),
    sizes=st.lists(st.integers(0, 300), max_size=4),
    places=st.lists(st.integers(0, 600), max_size=6),
)
def test_what_is_found_is_what_splice_finds(name: str, sizes: list[int], places: list[int]) -> None:
    message = a_request(name, *sizes)
    chunks = cut(BEFORE + message, places)
    try:
        found = located_in_chunks(chunks, NAME, start=len(BEFORE), end=len(BEFORE) + len(message))
    except NotSure:
        # The name is not in the first chunk, or there is nothing at all.
        assert not message or len(chunks[0]) < len(BEFORE) + 2 + len(name.encode())
        return
    assert told(found) == told(located(message, (NAME,)))


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_rubbish_is_left_to_splice_or_found_alike(message: bytes, places: list[int]) -> None:
    chunks = cut(BEFORE + message, places)
    try:
        found = located_in_chunks(chunks, NAME, start=len(BEFORE), end=len(BEFORE) + len(message))
    except (NotSure, InvalidRequest):
        return
    assert told(found) == told(located(message, (NAME,)))


def test_what_follows_the_message_is_not_looked_at() -> None:
    message = a_request("iris", 10)
    found = located_in_chunks([BEFORE + message + b"\xff" * 9], NAME, start=5, end=5 + len(message))
    assert told(found) == told(located(message, (NAME,)))


def test_the_last_of_several_counts() -> None:
    message = a_request("iris") + a_request("wine", 20)
    found = located_in_chunks([BEFORE + message], NAME, start=5, end=5 + len(message))
    assert found is not None
    assert found.value == "wine"
    assert message[: found.length_at] + delimited("x") + message[found.end :] == a_request(
        "iris"
    ) + a_request("x", 20)


def test_a_later_one_in_another_chunk_is_left_to_splice() -> None:
    first, second = a_request("iris", 20), a_request("wine")
    with pytest.raises(NotSure):
        located_in_chunks([BEFORE + first, second], NAME, start=5, end=5 + len(first) + len(second))


def test_a_name_that_is_not_utf8_is_refused() -> None:
    message = b"\x0a\x02\xff\xfe"
    with pytest.raises(InvalidRequest, match="UTF-8"):
        located_in_chunks([BEFORE + message], NAME, start=5, end=5 + len(message))
