"""Elements to JSON text, in UTF-8.

Numbers of 16 and 32 bits are written with few digits, as they were meant (`short_numbers`). NaN and the
infinities are written `NaN`, `Infinity` and `-Infinity`, as Triton and Python have it: strict JSON has no
word for them.
"""

import base64
import json
import math
from array import array
from collections.abc import Sequence
from itertools import accumulate, chain
from operator import mul
from typing import cast

from adapter.wire.json_fields import encode_json, json_number
from adapter.wire.short_numbers import SIGNIFICANT_DIGITS, short_numbers
from adapter.wire.v2_tensors import Datatype, Element

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
        return encode_json(_numbers(datatype, cast("Sequence[float]", values))), False
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
    if not values:
        return []
    numbers = _numbers(datatype, cast("Sequence[float]", values)) if datatype.is_float else list(values)
    return encode_json(numbers)[1:-1].decode("ascii").split(",")


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


def _numbers(datatype: Datatype, values: Sequence[float]) -> list[object]:
    """Numbers for `encode_json`, as short as their datatype allows."""
    if len(values) > PIECE_ELEMENTS:
        pieces = [values[at : at + PIECE_ELEMENTS] for at in range(0, len(values), PIECE_ELEMENTS)]
        return list(chain.from_iterable(_numbers(datatype, piece) for piece in pieces))
    if not math.isfinite(sum(values)):  # one of them is not, or all of them together are not
        return [
            _numbers(datatype, [value])[0] if math.isfinite(value) else json_number(value) for value in values
        ]
    return cast(
        "list[object]",
        short_numbers(datatype, values) if datatype.name in SIGNIFICANT_DIGITS else list(values),
    )
