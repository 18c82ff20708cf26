"""Tensor data as JSON has it, to elements.

`data` is row-major, flat or nested exactly to the shape, and both are accepted (reference: KServe 4.1).
BYTES elements are strings: UTF-8, or base64 where the tensor's parameter `content_type` says so; or lists
of numbers 0 to 255, one list for each element (reference: runtime adapter 9.4). FP16 and BF16 are plain
numbers, although the protocol gives them no JSON form. Lists are taken apart level by level, at the speed
of the interpreter's own loops, never element by element.
"""

import base64
import binascii
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import cast

from adapter.wire.json_fields import BadTensorJson, kind_name
from adapter.wire.v2_tensors import BadTensor, Datatype, Element, check_fits, element_count

RANK_MAX = 64
"""Deeper nesting is a mistake or an attack; no tensor has it."""

BASE64_NAMES = frozenset({"base64", "b64", "BASE64", "B64"})
"""Values of `content_type` for strings that hold base64 (reference: runtime adapter 9.4)."""

TEXT_NAMES = frozenset({"str", "utf8", "utf-8", "UTF8", "UTF-8"})
"""Values of `content_type` for strings that are the text itself."""


def nested_shape(data: object) -> tuple[int, ...]:
    """The shape that the nesting of `data` shows, by its first elements; `flatten` checks the others."""
    shape: list[int] = []
    while isinstance(data, list):
        shape.append(len(data))
        data = data[0] if data else None
    if len(shape) > RANK_MAX:
        raise BadTensorJson(f"is nested {len(shape)} deep; {RANK_MAX} is the most")
    return tuple(shape)


def flatten(data: list[object], shape: Sequence[int]) -> list[object]:
    """The elements of lists that are flat, or nested exactly to the shape."""
    level = data
    for depth, length in enumerate(shape[1:], start=1):
        # The first element tells of most data that they are flat, without a look at all the others.
        if not level or type(level[0]) is not list or _kinds(level) != {list}:
            break
        rows = cast("list[list[object]]", level)
        if set(map(len, rows)) - {length}:
            raise BadTensorJson(
                f"has lists of other lengths than {length} at depth {depth}; shape {list(shape)}"
            )
        level = list(chain.from_iterable(rows))
    else:
        depth = len(shape)
    if depth > 1 and len(data) != shape[0]:
        raise BadTensorJson(f"has {len(data)} rows; shape {list(shape)} has {shape[0]}")
    if 1 < depth < len(shape) and level:
        raise BadTensorJson(
            f"is nested {depth} deep; flat, or {len(shape)} deep for shape {list(shape)}, is wanted"
        )
    return level


def elements_from(
    data: object, datatype: Datatype, shape: Sequence[int], *, is_base64: bool = False
) -> list[Element]:
    """The elements of a tensor's `data`; raises `BadTensorJson` if they do not go with datatype and shape."""
    if not isinstance(data, list):
        if shape:
            raise BadTensorJson(f"must be a list, not {kind_name(data)}")
        data = [data]
    elements = (
        _byte_elements(data, shape, is_base64=is_base64)
        if datatype.is_bytes
        else _numbers(data, datatype, shape)
    )
    count = element_count(shape)
    if len(elements) != count:
        raise BadTensorJson(f"has {len(elements)} elements; shape {list(shape)} has {count}")
    return elements


def _kinds(values: Iterable[object]) -> set[type]:
    return set(map(type, values))


def _refuse_others(values: list[object], allowed: frozenset[type], wanted: str) -> None:
    strangers = _kinds(values) - allowed
    if strangers:
        at = next(i for i, value in enumerate(values) if type(value) in strangers)
        raise BadTensorJson(f"has {kind_name(values[at])} as element {at}, where {wanted} is wanted")


def _numbers(data: list[object], datatype: Datatype, shape: Sequence[int]) -> list[Element]:
    values = flatten(data, shape)
    if datatype.is_float:
        _refuse_others(values, frozenset({int, float}), "a number")
    elif datatype.name == "BOOL":
        _refuse_others(values, frozenset({bool}), "true or false")
    else:
        _refuse_others(values, frozenset({int}), "a whole number")
    elements = cast("list[Element]", values)
    try:
        check_fits(datatype, elements)
    except BadTensor as error:
        raise BadTensorJson(str(error)) from error
    return elements


def _byte_elements(data: list[object], shape: Sequence[int], *, is_base64: bool) -> list[Element]:
    # Lists of numbers are one level deeper than the elements; flat for any shape, or nested to it.
    values = data if _are_number_lists(data) else flatten(data, shape)
    if _kinds(values) == {list}:
        return [_from_numbers(cast("list[int]", value), at) for at, value in enumerate(values)]
    _refuse_others(values, frozenset({str}), "a string, or a list of numbers 0 to 255,")
    texts = cast("list[str]", values)
    if is_base64:
        return [element_from_base64(text, at) for at, text in enumerate(texts)]
    try:
        return [text.encode() for text in texts]
    except UnicodeEncodeError as error:
        raise BadTensorJson(f"has half of a surrogate pair: {error.reason}") from error


def _are_number_lists(data: list[object]) -> bool:
    return bool(data) and isinstance(data[0], list) and bool(data[0]) and isinstance(data[0][0], int)


def _from_numbers(numbers: list[int], at: int) -> bytes:
    try:
        return bytes(numbers)
    except (TypeError, ValueError) as error:
        raise BadTensorJson(f"has as element {at} a list with other things than numbers 0 to 255") from error


def element_from_base64(text: str, at: int) -> bytes:
    """A BYTES element that came as base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadTensorJson(f"has as element {at} a string that is not base64: {error}") from error
