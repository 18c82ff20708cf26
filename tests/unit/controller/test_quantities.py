from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.quantities import as_quantity, parse_bytes, quantity, scaled


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("3", "3", id="whole"),
        pytest.param("0.5", "0.5", id="a half"),
        pytest.param(".5", "0.5", id="without a zero"),
        pytest.param("300m", "0.3", id="thousandths"),
        pytest.param("448Mi", "469762048", id="binary"),
        pytest.param("2G", "2000000000", id="decimal"),
        pytest.param("2e3", "2000", id="exponent"),
        pytest.param("1E", "1000000000000000000", id="exa"),
    ],
)
def test_a_quantity_is_so_much(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "Mi", "1 Gi", "-1", "1Kib", "1e999999", "\u0661", "1,5"], ids=repr)
def test_what_is_no_quantity_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="500m"):
        quantity(text)


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_a_complaint(text: str) -> None:
    try:
        assert quantity(text) >= 0
    except ValueError as error:
        assert "must be" in str(error)  # noqa: PT017 - it may as well not be raised


# Sizes in bytes.


@pytest.mark.parametrize(
    ("told", "size_bytes"),
    [("1Gi", 2**30), ("1.5Ki", 1536), ("1k", 1000), ("1500m", 2), (" 128Mi ", 2**27), (7, 7), ("2e3", 2000)],
    ids=str,
)
def test_a_quantity_in_bytes_is_rounded_up(told: object, size_bytes: int) -> None:
    assert parse_bytes(told) == size_bytes


def test_what_is_no_quantity_is_no_size() -> None:
    with pytest.raises(ValueError, match="must be a quantity such as"):
        parse_bytes("much")


@pytest.mark.parametrize(
    ("size_bytes", "written"), [(0, "0"), (1023, "1023"), (1536 * 2**20, "1536Mi"), (2**30, "1Gi")]
)
def test_the_largest_suffix_that_keeps_it_whole(size_bytes: int, written: str) -> None:
    assert as_quantity(size_bytes) == written


@given(st.integers(0, 2**59))
def test_what_is_written_is_read_as_it_was(size_bytes: int) -> None:
    assert parse_bytes(as_quantity(size_bytes)) == size_bytes


def test_a_part_of_a_byte_is_a_byte() -> None:
    assert scaled(3, "1.5") == 5
