from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.wire.delimited import FIELDS_MAX, delimited_fields, encoded_field

FIELDS = st.lists(
    st.tuples(
        st.integers(1, 15), st.binary(max_size=40) | st.sampled_from([bytes(127), bytes(128), bytes(20_000)])
    ),
    max_size=8,
)


@given(FIELDS)
def test_what_is_encoded_is_found_again(fields: list[tuple[int, bytes]]) -> None:
    message = b"".join(encoded_field(number, content) for number, content in fields)
    found = delimited_fields(message)
    assert found is not None
    assert [(number, message[start:end]) for number, start, end in found] == fields


@given(st.binary(max_size=30))
def test_any_bytes_are_fields_to_their_end_or_none(message: bytes) -> None:
    found = delimited_fields(message)
    if found:
        assert found[-1].end == len(message)
        assert all(before.end < after.start for before, after in pairwise(found))


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"\x0a", id="no length"),
        pytest.param(b"\x0a\x80", id="a length that is cut off"),
        pytest.param(b"\x0a\x02a", id="too few bytes"),
        pytest.param(b"\x08\x01", id="a number"),
        pytest.param(b"\x02\x01a", id="field 0"),
        pytest.param(b"\x82\x01\x01a", id="field 16"),
        pytest.param(b"\x0a\x81\x80\x80\x80\x80\x00a", id="a length that is too long"),
        pytest.param(b"\x0a\x00" * (FIELDS_MAX + 1), id="too many"),
    ],
)
def test_all_else_is_the_librarys(message: bytes) -> None:
    assert delimited_fields(message) is None
