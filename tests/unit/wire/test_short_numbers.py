import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.wire.short_numbers import SIGNIFICANT_DIGITS, short_numbers
from adapter.wire.v2_tensors import DATATYPES, pack, unpack

FP32 = DATATYPES["FP32"]
DIGITS_OF_A_DECIMAL = 6
"""So many digits survive 32 bits, whatever they are."""


def as_fp32(number: float) -> float:
    (read,) = struct.unpack("<f", struct.pack("<f", number))
    return float(read)


def digits_of(number: float) -> int:
    return len(f"{number!r}".split("e")[0].replace("-", "").replace(".", "").strip("0"))


@pytest.mark.parametrize("name", SIGNIFICANT_DIGITS)
@given(data=st.data())
def test_each_reads_back_as_the_same(name: str, data: st.DataObject) -> None:
    datatype = DATATYPES[name]
    size = datatype.size_bytes or 0
    raw = data.draw(st.lists(st.binary(min_size=size, max_size=size), max_size=30).map(b"".join))
    values = [float(value) for value in unpack(datatype, raw) if math.isfinite(float(value))]
    shorter = short_numbers(datatype, values)
    assert pack(datatype, shorter) == pack(datatype, values)
    assert all(digits_of(number) <= SIGNIFICANT_DIGITS[name][-1] for number in shorter)


@given(
    st.lists(
        st.decimals(-(10**6), 10**6, places=4)
        .map(float)
        .filter(lambda x: digits_of(x) <= DIGITS_OF_A_DECIMAL)
    )
)
def test_what_was_short_is_short_again(numbers: list[float]) -> None:
    assert short_numbers(FP32, list(map(as_fp32, numbers))) == numbers


@given(st.lists(st.floats(2.0**-40, 2.0**24, width=32) | st.floats(-1e3, -(2.0**-10), width=32), min_size=1))
def test_none_could_be_shorter(values: list[float]) -> None:
    for value, number in zip(values, short_numbers(FP32, values), strict=True):
        shortest = next(
            float(f"{value:.{n}g}") for n in range(1, 10) if as_fp32(float(f"{value:.{n}g}")) == value
        )
        assert digits_of(number) == digits_of(shortest)


@pytest.mark.parametrize(
    ("values", "shorter"),
    [
        pytest.param([0.7, 12.1, 1e-9], [0.7, 12.1, 1e-9], id="of many sizes"),
        pytest.param([3.4028234663852886e38, 1e-45], [3.4028235e38, 1.401298e-45], id="the extremes"),
        pytest.param([16777217.0], [16777216.0], id="large"),
        pytest.param([0.0, -0.0], [0.0, -0.0], id="zeros"),
        pytest.param([1.0, -0.0, 1e-45], [1.0, -0.0, 1.401298e-45], id="a zero and its sign, and the least"),
        pytest.param([2.0**-20], [9.536743e-07], id="a power of two, whose neighbour below is nearer"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_odd_numbers_are_shortened_too(values: list[float], shorter: list[float]) -> None:
    assert list(map(repr, short_numbers(FP32, list(map(as_fp32, values))))) == list(map(repr, shorter))
