from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.quantities import quantity


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
