import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.stubs.inference.open_inference_pb2 import InferTensorContents
from adapter.wire.v2_tensors import (
    BYTES,
    DATATYPES,
    BadTensor,
    check_raw_size,
    contents_of,
    datatype_named,
    element_count,
    pack,
    split_elements,
    unpack,
    values_of,
)

ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "BOOL": st.booleans(),
    "FP64": st.floats(allow_nan=False),
    "FP32": st.floats(allow_nan=False, width=32),
    "FP16": st.floats(allow_nan=False, width=16),
    "BF16": st.sampled_from([0.0, -0.0, 1.0, -1.5, 3.0e38, 1e-40, math.inf]).map(
        lambda value: struct.unpack("<f", b"\0\0" + struct.pack("<f", value)[2:])[0]
    ),
    "BYTES": st.binary(max_size=20),
    **{f"INT{bits}": st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}

tensors = st.sampled_from(sorted(DATATYPES)).flatmap(
    lambda name: st.tuples(st.just(DATATYPES[name]), st.lists(ELEMENTS[name], max_size=20))
)


@given(tensors)
def test_what_is_packed_unpacks_to_the_same(tensor: tuple[Any, list[Any]]) -> None:
    datatype, values = tensor
    raw = pack(datatype, values)
    assert list(unpack(datatype, raw)) == values
    check_raw_size(datatype, [len(values)], len(raw))


@given(tensors)
def test_raw_and_typed_say_the_same(tensor: tuple[Any, list[Any]]) -> None:
    datatype, values = tensor
    if datatype.contents is None:
        with pytest.raises(BadTensor, match="travel raw only"):
            contents_of(datatype, values)
        return
    raw = pack(datatype, values)
    contents = contents_of(datatype, unpack(datatype, raw))
    assert list(values_of(datatype, contents)) == values
    assert pack(datatype, values_of(datatype, contents)) == raw


def test_numbers_are_little_endian() -> None:
    assert pack(DATATYPES["INT32"], [1, -1]) == b"\x01\0\0\0\xff\xff\xff\xff"
    assert pack(DATATYPES["FP32"], [1.0]) == struct.pack("<f", 1.0)
    assert pack(DATATYPES["FP16"], [1.5]) == struct.pack("<e", 1.5)
    assert pack(BYTES, [b"ab", b""]) == b"\x02\0\0\0ab\0\0\0\0"


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        pytest.param(1.0, 0x3F80, id="exact"),
        pytest.param(1.0 + 2**-8, 0x3F80, id="half way, to even below"),
        pytest.param(1.0 + 3 * 2**-8, 0x3F82, id="half way, to even above"),
        pytest.param(1.0 + 2**-8 + 2**-20, 0x3F81, id="above half way"),
        pytest.param(-math.inf, 0xFF80, id="an infinity"),
        pytest.param(math.nan, 0x7FC0, id="not a number"),
    ],
)
def test_bf16_rounds_to_the_nearest(value: float, bits: int) -> None:
    assert pack(DATATYPES["BF16"], [value]) == struct.pack("<H", bits)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("INT8", 128, id="INT8"),
        pytest.param("UINT8", -1, id="UINT8"),
        pytest.param("UINT64", 2**64, id="UINT64"),
        pytest.param("INT32", 1.0, id="a fraction for INT32"),
        pytest.param("FP16", 1e6, id="FP16"),
        pytest.param("FP32", 1e39, id="FP32"),
        pytest.param("BF16", 3.4e38, id="BF16, by rounding"),
        pytest.param("FP64", "1", id="a string for FP64"),
        pytest.param("BYTES", 1, id="a number for BYTES"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: Any) -> None:
    with pytest.raises(BadTensor, match=f"does not fit {name}"):
        pack(DATATYPES[name], [value])


def test_infinities_that_were_there_before_are_kept() -> None:
    values = [math.inf, 1.0, -math.inf]
    assert list(unpack(DATATYPES["FP32"], pack(DATATYPES["FP32"], values))) == values


@given(st.binary(max_size=40))
def test_any_bytes_are_elements_or_refused(raw: bytes) -> None:
    try:
        elements = split_elements(raw)
    except BadTensor:
        return
    assert pack(BYTES, elements) == raw


@pytest.mark.parametrize("raw", [b"\x01\0\0", b"\x02\0\0\0a"], ids=["half a length", "half an element"])
def test_elements_that_are_cut_off_are_refused(raw: bytes) -> None:
    with pytest.raises(BadTensor, match="BYTES element 0"):
        split_elements(raw)


def test_half_an_element_is_refused() -> None:
    with pytest.raises(BadTensor, match="3 bytes are no whole number of INT16"):
        unpack(DATATYPES["INT16"], b"abc")


def test_raw_bytes_of_another_size_are_refused() -> None:
    with pytest.raises(BadTensor, match=r"8 bytes, and FP32 of shape \[2, 2\] has 16"):
        check_raw_size(DATATYPES["FP32"], [2, 2], 8)


@pytest.mark.parametrize(("shape", "count"), [((), 1), ((2, 3), 6), ((2, 0), 0)], ids=str)
def test_elements_are_counted(shape: tuple[int, ...], count: int) -> None:
    assert element_count(shape) == count


def test_a_negative_length_is_refused() -> None:
    with pytest.raises(BadTensor, match="-1"):
        element_count([-1, 4])


def test_an_unknown_datatype_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadTensor, match="no datatype 'float'; it is one of BOOL, UINT8"):
        datatype_named("float")


def test_elements_in_another_datatypes_list_do_not_count() -> None:
    assert list(values_of(DATATYPES["FP32"], InferTensorContents(fp64_contents=[1.0]))) == []
    assert list(values_of(DATATYPES["FP16"], InferTensorContents(fp32_contents=[1.0]))) == []
