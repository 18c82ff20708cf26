import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.http2.header_blocks import Field, FieldMemory
from adapter.http2.metadata import (
    metadata_fields,
    metadata_of,
    metadata_value,
    pairs,
    timeout_field,
    timeout_s,
)
from adapter.wire.headers import Pair

KEYS = st.from_regex(r"[a-z0-9._-]{1,12}", fullmatch=True).filter(lambda key: not key.endswith("-bin"))
TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
METADATA = st.lists(
    st.one_of(
        st.tuples(KEYS, TEXTS),
        st.tuples(KEYS.map(lambda key: f"{key}-bin"), st.binary(min_size=1, max_size=20)),
    ),
    max_size=6,
)


@given(METADATA)
def test_metadata_come_back_as_they_went(metadata: list[Pair]) -> None:
    assert metadata_of(FieldMemory().fields(metadata_fields(metadata))) == metadata


@pytest.mark.parametrize("padding", [b"", b"="], ids=["unpadded", "padded"])
def test_binary_metadata_are_base64_with_or_without_padding(padding: bytes) -> None:
    text = base64.b64encode(b"\x00\xff").rstrip(b"=")
    assert pairs(b"x-bin", text + padding) == [("x-bin", b"\x00\xff")]


def test_one_field_may_hold_several_binary_values() -> None:
    assert pairs(b"x-bin", b"AA, AQ") == [("x-bin", b"\x00"), ("x-bin", b"\x01")]


def test_a_text_with_a_comma_is_one_value() -> None:
    assert pairs(b"x", b"a, b") == [("x", "a, b")]


def test_what_is_not_base64_is_an_error() -> None:
    with pytest.raises(ValueError, match="not base64"):
        pairs(b"x-bin", b"A")


def test_pseudo_headers_and_what_is_not_base64_are_no_metadata() -> None:
    fields = [Field(b":path", b"/", b""), Field(b"x-bin", b"A", b""), Field(b"x", b"y", b"")]
    assert metadata_of(fields) == [("x", "y")]


def test_a_text_that_has_no_bytes_in_latin_1_is_not_fatal() -> None:
    assert metadata_value("a\u20acb") == b"a?b"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1H", 3600.0),
        (b"2M", 120.0),
        (b"3S", 3.0),
        (b"4m", 0.004),
        (b"5u", 5e-6),
        (b"6n", 6e-9),
        (b"99999999S", 99_999_999.0),
        (b"100000000S", 0.0),
        (b"1", 0.0),
        (b"S", 0.0),
        (b"", 0.0),
        (b"-1S", 0.0),
        (b"1.5S", 0.0),
        (b"1s", 0.0),
    ],
)
def test_a_timeout_is_read_and_one_that_cannot_be_has_passed(value: bytes, seconds: float) -> None:
    assert timeout_s(value) == pytest.approx(seconds)


@given(st.floats(0, 1e8 - 1))
def test_a_timeout_that_we_write_is_what_is_left(seconds: float) -> None:
    (field,) = FieldMemory().fields(timeout_field(seconds))
    assert field.name == b"grpc-timeout"
    assert len(field.value) <= 9
    assert timeout_s(field.value) == pytest.approx(seconds, abs=1e-6, rel=2e-3)


def test_the_longest_timeout_is_three_years() -> None:
    (field,) = FieldMemory().fields(timeout_field(1e12))
    assert field.value == b"99999999S"
