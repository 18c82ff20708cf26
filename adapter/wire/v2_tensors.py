"""Tensors of the Open Inference Protocol: datatypes, element counts, raw bytes and typed contents.

A tensor's elements are row-major. They travel either *raw* (little-endian, unpadded; each BYTES element
preceded by its length in 4 bytes) or *typed*, in the one list of `InferTensorContents` that the datatype
belongs to. FP16 and BF16 have no typed list (reference: KServe 4.1, 4.2).

Only the standard library and the messages: the in-house runtime uses this module too.
"""

import math
import struct
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from adapter.stubs.inference.open_inference_pb2 import InferTensorContents

Element = float | bytes
"""One element: bool, int or float, or the bytes of a BYTES tensor."""

_LENGTH = struct.Struct("<I")


class BadTensor(ValueError):
    """Elements, bytes and shape do not go together; the text says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datatype:
    """One datatype of the protocol."""

    name: str
    size_bytes: int | None
    """Of one element; None: each element has its own (BYTES)."""
    contents: str | None
    """The field of `InferTensorContents` that takes the elements; None: they travel raw only."""
    typecode: str = ""
    """As `array.array` names the element; empty where an array has no such type."""
    is_float: bool = False
    is_bytes: bool = False


def _datatype(name: str, size_bytes: int | None, contents: str | None, typecode: str = "") -> Datatype:
    return Datatype(
        name=name,
        size_bytes=size_bytes,
        contents=contents,
        typecode=typecode,
        is_float=name in ("FP64", "FP32", "FP16", "BF16"),
        is_bytes=size_bytes is None,
    )


BYTES = _datatype("BYTES", None, "bytes_contents")

DATATYPES: Mapping[str, Datatype] = {
    datatype.name: datatype
    for datatype in (
        _datatype("BOOL", 1, "bool_contents"),
        _datatype("UINT8", 1, "uint_contents", "B"),
        _datatype("UINT16", 2, "uint_contents", "H"),
        _datatype("UINT32", 4, "uint_contents", "I"),
        _datatype("UINT64", 8, "uint64_contents", "Q"),
        _datatype("INT8", 1, "int_contents", "b"),
        _datatype("INT16", 2, "int_contents", "h"),
        _datatype("INT32", 4, "int_contents", "i"),
        _datatype("INT64", 8, "int64_contents", "q"),
        _datatype("FP16", 2, None),
        _datatype("BF16", 2, None),
        _datatype("FP32", 4, "fp32_contents", "f"),
        _datatype("FP64", 8, "fp64_contents", "d"),
        BYTES,
    )
}


def datatype_named(name: str) -> Datatype:
    """The datatype of this name; raises `BadTensor` if there is none."""
    datatype = DATATYPES.get(name)
    if datatype is None:
        raise BadTensor(f"there is no datatype {name!r}; it is one of {', '.join(DATATYPES)}")
    return datatype


def element_count(shape: Iterable[int]) -> int:
    """How many elements a tensor of this shape has; raises `BadTensor` for a negative length."""
    count = 1
    for length in shape:
        if length < 0:
            raise BadTensor(f"a length in the shape of a tensor cannot be {length}")
        count *= length
    return count


def pack(datatype: Datatype, values: Sequence[Element]) -> bytes:
    """Elements to raw bytes; raises `BadTensor` for an element that the datatype cannot hold."""
    try:
        if datatype.is_bytes:
            return join_elements(cast("Sequence[bytes]", values))
        if datatype.typecode:
            return _to_little_endian(_checked_array(datatype, values)).tobytes()
        return _PACKERS[datatype.name](cast("Sequence[float]", values))
    except (OverflowError, TypeError, ValueError, struct.error) as error:
        raise BadTensor(f"an element does not fit {datatype.name}: {error}") from error


def unpack(datatype: Datatype, raw: bytes) -> Sequence[Element]:
    """Raw bytes to elements; raises `BadTensor` if they are no whole number of elements."""
    if datatype.is_bytes:
        return split_elements(raw)
    if len(raw) % cast("int", datatype.size_bytes):
        raise BadTensor(f"{len(raw)} bytes are no whole number of {datatype.name} elements")
    if datatype.typecode:
        values = array(datatype.typecode)
        values.frombytes(raw)
        return cast("Sequence[Element]", _to_little_endian(values))
    return _UNPACKERS[datatype.name](raw)


def check_fits(datatype: Datatype, values: Sequence[Element]) -> None:
    """Raise `BadTensor` if an element is none that the datatype can hold."""
    if not datatype.is_bytes:
        pack(datatype, values)  # at the speed of memory, next to nothing beside the reading of the JSON


def contents_of(datatype: Datatype, values: Sequence[Element]) -> InferTensorContents:
    """Elements as typed contents; raises `BadTensor` for FP16 and BF16, which have none."""
    contents = InferTensorContents()
    add_contents(contents, datatype, values)
    return contents


def add_contents(contents: InferTensorContents, datatype: Datatype, values: Sequence[Element]) -> None:
    """Add elements to typed contents; raises `BadTensor` for FP16 and BF16, which have none."""
    if datatype.contents is None:
        raise BadTensor(f"{datatype.name} elements travel raw only")
    contents.SetInParent()  # an empty tensor has contents too
    getattr(contents, datatype.contents).extend(values)


def values_of(datatype: Datatype, contents: InferTensorContents) -> Sequence[Element]:
    """The elements in typed contents; empty if they stand in another datatype's list."""
    if datatype.contents is None:
        return ()
    return cast("Sequence[Element]", getattr(contents, datatype.contents))


def check_raw_size(datatype: Datatype, shape: Sequence[int], size_bytes: int) -> None:
    """Raise `BadTensor` unless so many bytes are a tensor of this shape. BYTES can have any size."""
    if datatype.size_bytes is None:
        return
    wanted = element_count(shape) * datatype.size_bytes
    if size_bytes != wanted:
        raise BadTensor(f"{size_bytes} bytes, and {datatype.name} of shape {list(shape)} has {wanted}")


def join_elements(elements: Iterable[bytes]) -> bytes:
    """The raw form of a BYTES tensor."""
    parts: list[bytes] = []
    for element in elements:
        parts.append(_LENGTH.pack(len(element)))
        parts.append(element)
    return b"".join(parts)


def split_elements(raw: bytes) -> list[bytes]:
    """The elements of a BYTES tensor's raw form; raises `BadTensor` if the lengths do not add up."""
    elements: list[bytes] = []
    position, end = 0, len(raw)
    while position < end:
        start = position + _LENGTH.size
        if start > end:
            raise BadTensor(f"the length of BYTES element {len(elements)} is cut off")
        position = start + _LENGTH.unpack_from(raw, position)[0]
        if position > end:
            raise BadTensor(f"BYTES element {len(elements)} ends {position - end} bytes after its tensor")
        elements.append(raw[start:position])
    return elements


def _checked_array(datatype: Datatype, values: Sequence[Element]) -> "array[Any]":
    packed: array[Any] = array(datatype.typecode, cast("Sequence[float]", values))
    if datatype.typecode == "f":
        _refuse_new_infinities(packed, cast("Sequence[float]", values))
    return packed


def _refuse_new_infinities(packed: "array[float]", values: Sequence[float]) -> None:
    # An array turns what is too large for 32 bits into an infinity without a word. The sum tells cheaply
    # whether there is one at all: it is finite unless an element is not.
    if math.isfinite(sum(packed)):
        return
    for narrow, wide in zip(packed, values, strict=True):
        if math.isinf(narrow) and not math.isinf(wide):
            raise OverflowError(f"{wide!r} is too large")


def _to_little_endian(values: "array[Any]") -> "array[Any]":
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _pack_bool(values: Sequence[float]) -> bytes:
    return bytes(map(bool, values))


def _unpack_bool(raw: bytes) -> list[bool]:
    return list(map(bool, raw))


def _pack_fp16(values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}e", *values)


def _unpack_fp16(raw: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(raw) // 2}e", raw)


def _pack_bf16(values: Sequence[float]) -> bytes:
    """BF16 is the upper half of FP32; what is cut off rounds to the nearest, halves to even."""
    wide = array("I", _checked_array(DATATYPES["FP32"], values).tobytes())
    return _to_little_endian(array("H", map(_upper_half, wide))).tobytes()


_FP32_EXPONENT = 0x7F80_0000
_FP32_MAGNITUDE = 0x7FFF_FFFF
_QUIET_NAN_BIT = 0x40


def _upper_half(bits: int) -> int:
    if bits & _FP32_MAGNITUDE > _FP32_EXPONENT:
        return bits >> 16 | _QUIET_NAN_BIT  # a NaN stays one, whichever bits are cut off
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    if (rounded << 16) & _FP32_MAGNITUDE == _FP32_EXPONENT and bits & _FP32_MAGNITUDE != _FP32_EXPONENT:
        raise OverflowError("a finite element is too large")
    return rounded


def _unpack_bf16(raw: bytes) -> "array[float]":
    wide = bytearray(2 * len(raw))
    wide[2::4], wide[3::4] = raw[0::2], raw[1::2]
    values: array[float] = array("f", bytes(wide))
    return _to_little_endian(values)


_PACKERS = {"BOOL": _pack_bool, "FP16": _pack_fp16, "BF16": _pack_bf16}
_UNPACKERS = {"BOOL": _unpack_bool, "FP16": _unpack_fp16, "BF16": _unpack_bf16}
