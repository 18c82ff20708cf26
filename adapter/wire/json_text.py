"""Elements to JSON text, in UTF-8.

Numbers of 16 and 32 bits are written with few digits, as they were meant: `0.1`, where a 32-bit 0.1 taken
for a 64-bit number would be `0.10000000149011612`. NaN and the infinities are written `NaN`, `Infinity` and
`-Infinity`, as Triton and Python have it: strict JSON has no word for them.
"""

import base64
import json
import math
from array import array
from collections.abc import Sequence
from itertools import accumulate, chain, compress, count
from operator import mul, ne
from typing import cast

import orjson

from adapter.wire.json_fields import encode_json, json_number
from adapter.wire.v2_tensors import BadTensor, Datatype, Element, pack, unpack

PIECE_ELEMENTS = 4096
"""So many numbers are formatted at once; else a large tensor would hold up every other thread."""


def text_of(
    datatype: Datatype, values: Sequence[Element], *, always_base64: bool = False
) -> tuple[bytes, bool]:
    """A flat JSON list, and whether its strings are base64: all of them, once one of them is not UTF-8."""
    if datatype.is_bytes:
        return _strings(cast("Sequence[bytes]", values), always_base64=always_base64)
    if isinstance(values, array):
        values = values.tolist()  # boxed once, not in each of the passes below
    if datatype.is_float:
        numbers = cast("Sequence[float]", values)
        if datatype.name in _SIGNIFICANT_DIGITS:
            return f"[{','.join(_short_texts(datatype, numbers))}]".encode("ascii"), False
        if not math.isfinite(sum(numbers)):
            return encode_json(list(map(json_number, numbers))), False
    return encode_json(list(values)), False


def _strings(elements: Sequence[bytes], *, always_base64: bool) -> tuple[bytes, bool]:
    if not always_base64:
        try:
            return encode_json([element.decode() for element in elements]), False
        except UnicodeDecodeError:
            pass  # then as base64
    return encode_json([base64.b64encode(element).decode("ascii") for element in elements]), True


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
    one pass for all, and another for those that need a digit more.
    """
    if len(values) > PIECE_ELEMENTS:
        pieces = [values[at : at + PIECE_ELEMENTS] for at in range(0, len(values), PIECE_ELEMENTS)]
        return list(chain.from_iterable(_short_texts(datatype, piece) for piece in pieces))
    if not math.isfinite(sum(values)):
        return [_special(value) or _finite_texts(datatype, [value])[0] for value in values]
    return _finite_texts(datatype, values)


def _finite_texts(datatype: Datatype, values: Sequence[float]) -> list[str]:
    fewest, *others = _SIGNIFICANT_DIGITS[datatype.name]
    texts, misread = _tried(datatype, values, fewest)
    places = misread
    for digits in others:
        if not places:
            break
        more, misread = _tried(datatype, [values[place] for place in places], digits)
        for place, text in zip(places, more, strict=True):
            texts[place] = text
        places = [places[at] for at in misread]
    return texts


def _tried(datatype: Datatype, values: Sequence[float], digits: int) -> tuple[list[str], list[int]]:
    """The texts with so many digits, and at which places they read as another value of the datatype."""
    joined = (f"%.{digits}g," * len(values) % tuple(values))[:-1]
    read = orjson.loads(f"[{joined}]")
    back: Sequence[Element]
    try:
        if datatype.name == "FP32":
            back = array("f", read).tolist()
        else:
            back = unpack(datatype, pack(datatype, read))
    except BadTensor:  # the largest values round up, out of what the datatype can hold
        misread = list(range(len(values)))
    else:
        misread = list(compress(count(), map(ne, back, values)))
    return joined.split(",") if joined else [], misread


def _special(value: float) -> str | None:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return None
