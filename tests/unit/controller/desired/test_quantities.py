import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.desired.quantities import as_quantity, parse_bytes, scaled


@pytest.mark.parametrize(
    ("told", "size_bytes"),
    [("1Gi", 2**30), ("1.5Ki", 1536), ("1k", 1000), ("1500m", 2), (" 128Mi ", 2**27), (7, 7), ("2e3", 2000)],
    ids=str,
)
def test_a_quantity_in_bytes_is_rounded_up(told: object, size_bytes: int) -> None:
    assert parse_bytes(told) == size_bytes


def test_what_is_no_quantity_says_what_one_is() -> None:
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
