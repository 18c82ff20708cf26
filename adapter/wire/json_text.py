"""Elements to JSON text.

Numbers of 16 and 32 bits are written with few digits, as they were meant: `0.1`, where a 32-bit 0.1 taken
for a 64-bit number would be `0.10000000149011612`. NaN and the infinities are written `NaN`, `Infinity` and
`-Infinity`, as Triton and Python have it: strict JSON has no word for them.
"""

import base64
import json
import math
from array import array
from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from typing import cast

from adapter.wire.json_fields import encode_json
from adapter.wire.v2_tensors import BadTensor, Datatype, Element, pack, unpack


def text_of(datatype: Datatype, values: Sequence[Element]) -> tuple[bytes, bool]:
    """A flat JSON list, and whether its strings are base64: all of them, once one of them is not UTF-8."""
    if datatype.is_bytes:
        elements = cast("Sequence[bytes]", values)
        try:
            return encode_json([element.decode() for element in elements]), False
        except UnicodeDecodeError:
            return encode_json([base64.b64encode(element).decode("ascii") for element in elements]), True
    if datatype.name in _SIGNIFICANT_DIGITS:
        return f"[{','.join(_short_texts(datatype, cast('Sequence[float]', values)))}]".encode("ascii"), False
    return encode_json(list(values)), False


def element_texts(datatype: Datatype, values: Sequence[Element]) -> list[str]:
    """Each element as JSON by itself; bytes that are no text as `{"b64": "..."}`."""
    if datatype.is_bytes:
        return list(map(_string_or_base64, cast("Sequence[bytes]", values)))
    if datatype.name in _SIGNIFICANT_DIGITS:
        return _short_texts(datatype, cast("Sequence[float]", values))
    return list(map(json.dumps, values))


def nested_texts(texts: list[str], shape: Sequence[int]) -> list[str]:
    """The rows of a tensor, each nested to the rest of the shape; a scalar is one row."""
    for length, outer in zip(reversed(shape[1:]), _products(shape), strict=True):
        texts = [f"[{','.join(texts[at * length : (at + 1) * length])}]" for at in range(outer)]
    return texts


def _products(shape: Sequence[int]) -> list[int]:
    """How many lists there are at each depth, the innermost first."""
    return list(accumulate(shape[:-1], mul))[::-1]


def json_string(text: str) -> str:
    """A string as JSON, in ASCII."""
    return json.dumps(text)


def _string_or_base64(element: bytes) -> str:
    try:
        return json_string(element.decode())
    except UnicodeDecodeError:
        return f'{{"b64":"{base64.b64encode(element).decode("ascii")}"}}'


_SIGNIFICANT_DIGITS = {"FP32": (7, 8, 9), "FP16": (4, 5), "BF16": (3, 4)}
"""How many decimal digits to try: the last of them tells every value of the datatype from its neighbours."""


def _short_texts(datatype: Datatype, values: Sequence[float]) -> list[str]:
    """Each number with few digits, but enough to read the same value of its datatype back.

    `0.1`, where a 32-bit 0.1 taken for a 64-bit number would be `0.10000000149011612`. Formatted in bulk:
    one pass for nearly all, and another for those that need a digit more.
    """
    if not all(map(math.isfinite, values)):
        return [_special(value) or _short_texts(datatype, [value])[0] for value in values]
    texts: list[str] = []
    missing: Sequence[int] = range(len(values))
    for digits in _SIGNIFICANT_DIGITS[datatype.name]:
        wanted = [values[at] for at in missing]
        tried = (f"%.{digits}g " * len(wanted) % tuple(wanted)).split()
        if not texts:
            texts = tried
        else:
            for at, text in zip(missing, tried, strict=True):
                texts[at] = text
        missing = _misread(datatype, wanted, tried, missing)
        if not missing:
            break
    return texts


def _misread(datatype: Datatype, wanted: list[float], tried: list[str], places: Sequence[int]) -> list[int]:
    """At which places the text reads as another value of the datatype than was wanted."""
    try:
        read = list(map(float, tried))
        back = array("f", read) if datatype.name == "FP32" else unpack(datatype, pack(datatype, read))
    except BadTensor:  # the largest values round up, out of what the datatype can hold
        return list(places)
    return [place for place, value, again in zip(places, wanted, back, strict=True) if value != again]


def _special(value: float) -> str | None:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return None
