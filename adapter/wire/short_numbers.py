"""Numbers of 16 and 32 bits as 64-bit numbers that are written with the fewest digits.

A 32-bit 0.1, taken for a 64-bit number, is 0.10000000149011612; the 64-bit 0.1 reads back as the same 32-bit
number, and is written as it was meant. Two things make it cheap for 32 bits:

- How many decimals a number needs depends on its exponent, up to one decimal. With the smaller count at most
  one decimal number lies so near that it reads back; with the larger one there always is one.
- Rounding to so many decimals is a multiplication, two additions and a division.

Numbers of other sizes are rounded by way of their texts: first all of them to few digits, then those that
read as another number to one more, and so on.
"""

import math
import sys
from array import array
from collections.abc import Sequence
from itertools import compress, count
from operator import ne
from typing import Final, cast

from adapter.wire.v2_tensors import DATATYPES, BadTensor, Datatype, pack, unpack

SIGNIFICANT_DIGITS: Final = {"FP32": (7, 8, 9), "FP16": (4, 5), "BF16": (3, 4)}
"""How many decimal digits to try: the last of them tells every value of the datatype from its neighbours."""

_FP32: Final = DATATYPES["FP32"]

_ROUNDING: Final = 1.5 * 2.0**52
"""Added and taken away again, it leaves a whole number: 64-bit numbers of its size have no fractions."""

_DECIMALS_MAX: Final = 21
"""Powers of ten up to one more are 64-bit numbers themselves."""
_SLACK: Final = 1 + 1e-7
"""What seems to read back and does not is seen afterwards; what does and seems not to would not be."""

_FP32_BIAS: Final = 126
"""A number of exponent bits `b` is between 2 ** (b - 1 - 126) and 2 ** (b - 126)."""
_MANTISSA_BITS: Final = 24
_EXPONENT_SHIFT: Final = 7
"""Of the upper 16 bits, these are the mantissa's."""
_UPPER_HALF: Final = 1 if sys.byteorder == "little" else 0


def _step(exponent_bits: int) -> tuple[float, float, float]:
    """Ten to the power of the decimals to try, how far off they may be at most, and ten times the power."""
    exponent = exponent_bits - _FP32_BIAS
    decimals = math.floor((_MANTISSA_BITS - exponent) * math.log10(2))
    if exponent_bits == 0 or not 0 <= decimals <= _DECIMALS_MAX:
        return 0.0, -1.0, 1.0  # it makes zero of every number, which reads as another one
    half_a_unit = 2.0 ** (exponent - _MANTISSA_BITS - 1)
    return 10.0**decimals, half_a_unit * 10.0**decimals * _SLACK, 10.0 ** (decimals + 1)


_STEPS: Final = [_step(bits & 0xFF) for bits in range(512)]
"""By the sign and the exponent's bits."""
_SCALES: Final[list[float]] = [scale for scale, _, _ in _STEPS]
_NEARS: Final[list[float]] = [near for _, near, _ in _STEPS]
_FINER_SCALES: Final[list[float]] = [finer for _, _, finer in _STEPS]


def short_numbers(datatype: Datatype, values: Sequence[float]) -> list[float]:
    """For each number one with the fewest digits that is the same in this datatype. All must be finite."""
    if datatype is _FP32:
        return _short_fp32(list(values))
    return _by_digits(datatype, values)


def _short_fp32(values: list[float]) -> list[float]:
    raw = array("f", values).tobytes()
    upper: list[int] = array("H", raw)[_UPPER_HALF::2].tolist()
    numbers: list[float] = []
    for value, bits in zip(values, upper, strict=True):
        kind = bits >> _EXPONENT_SHIFT
        scale, near = _SCALES[kind], _NEARS[kind]
        scaled = value * scale
        whole = scaled + _ROUNDING - _ROUNDING
        if -near <= scaled - whole <= near:
            numbers.append(whole / scale)
        else:
            numbers.append((scaled * 10.0 + _ROUNDING - _ROUNDING) / _FINER_SCALES[kind])
    if array("f", numbers).tobytes() != raw:
        _correct(numbers, values)
    return numbers


def _correct(numbers: list[float], values: list[float]) -> None:
    """What was too large or too small for it, or is a zero with a sign."""
    others = list(compress(count(), map(ne, array("f", numbers).tolist(), values)))
    for place, number in zip(others, _by_digits(_FP32, [values[at] for at in others]), strict=True):
        numbers[place] = number
    for place, value in enumerate(values):
        if value == 0.0:
            numbers[place] = value


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
