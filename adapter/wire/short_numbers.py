"""Numbers of 16 and 32 bits as 64-bit numbers that are written with the fewest digits.

A 32-bit 0.1, taken for a 64-bit number, is 0.10000000149011612; the 64-bit 0.1 reads back as the same 32-bit
number, and is written as it was meant. Numbers are shortened in bulk, at the speed of the interpreter's
own loops: first all of them to 7 digits, then those that read as another number to 8, and so on.
"""

import math
from array import array
from collections.abc import Sequence
from itertools import compress, count
from operator import ne
from typing import cast

from adapter.wire.v2_tensors import DATATYPES, BadTensor, Datatype, pack, unpack

SIGNIFICANT_DIGITS = {"FP32": (7, 8, 9), "FP16": (4, 5), "BF16": (3, 4)}
"""How many decimal digits to try: the last of them tells every value of the datatype from its neighbours."""

DECIMALS_MORE_MAX = 6
"""So many more decimals than the largest number of a tensor needs are tried for the smaller ones."""

_FP32 = DATATYPES["FP32"]

_ROUNDING = 1.5 * 2.0**52
"""Added and taken away again, it leaves a whole number: 64-bit numbers of its size have no fractions."""

_LARGEST_MIN, _LARGEST_MAX = 1e-10, 1e7
"""Between these, every power of ten that is wanted below is a 64-bit number itself."""


def short_numbers(datatype: Datatype, values: Sequence[float]) -> list[float]:
    """For each number one with the fewest digits that is the same in this datatype. All must be finite."""
    if datatype is _FP32:
        return _short_fp32(list(values))
    return _by_digits(datatype, values)


def _short_fp32(values: list[float]) -> list[float]:
    largest = max(map(abs, values), default=0.0)
    if largest == 0.0:
        return values
    if not _LARGEST_MIN <= largest < _LARGEST_MAX:
        return _by_digits(_FP32, values)
    digits_min = SIGNIFICANT_DIGITS["FP32"][0]
    scale = 10.0 ** (digits_min - 1 - math.floor(math.log10(largest)))
    numbers = _rounded(values, scale)
    places = list(compress(count(), map(ne, array("f", numbers).tolist(), values)))
    for _ in range(DECIMALS_MORE_MAX):
        if not places:
            return numbers
        scale *= 10.0
        left = [values[place] for place in places]
        shorter = _rounded(left, scale)
        for place, number in zip(places, shorter, strict=True):
            numbers[place] = number
        places = list(compress(places, map(ne, array("f", shorter).tolist(), left)))
    # What is very much smaller than the largest has more decimals than were tried.
    for place, number in zip(places, _by_digits(_FP32, [values[place] for place in places]), strict=True):
        numbers[place] = number
    return numbers


def _rounded(values: list[float], scale: float) -> list[float]:
    """To so many decimals. What becomes zero keeps its sign."""
    return [(value * scale + _ROUNDING - _ROUNDING) / scale or 0.0 * value for value in values]


def _by_digits(datatype: Datatype, values: Sequence[float]) -> list[float]:
    """The same for numbers of all sizes, by way of their texts."""
    numbers = list(values)
    places = list(range(len(numbers)))
    for digits in SIGNIFICANT_DIGITS[datatype.name]:
        left = [values[place] for place in places]
        shorter = list(map(float, (f"%.{digits}g " * len(left) % tuple(left)).split()))
        for place, number in zip(places, shorter, strict=True):
            numbers[place] = number
        places = list(compress(places, map(ne, _as_read(datatype, shorter), left)))
    return numbers


def _as_read(datatype: Datatype, numbers: list[float]) -> Sequence[float]:
    """The numbers of this datatype that these become."""
    if datatype is _FP32:
        return array("f", numbers).tolist()
    try:
        return cast("Sequence[float]", unpack(datatype, pack(datatype, numbers)))
    except BadTensor:  # the largest round up, out of what the datatype can hold
        return [math.nan] * len(numbers)
