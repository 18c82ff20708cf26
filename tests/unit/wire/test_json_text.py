import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.wire.json_text import PIECE_ELEMENTS, element_texts, json_string, nested_texts, text_of
from adapter.wire.v2_tensors import DATATYPES, pack, unpack


@pytest.mark.parametrize("name", ["FP64", "FP32", "FP16", "BF16"])
@given(data=st.data())
def test_numbers_read_back_as_the_same(name: str, data: st.DataObject) -> None:
    datatype = DATATYPES[name]
    size = datatype.size_bytes or 0
    raw = data.draw(st.lists(st.binary(min_size=size, max_size=size), max_size=30).map(b"".join))
    values = unpack(datatype, raw)
    text, _ = text_of(datatype, values)
    again = json.loads(text)
    assert list(map(repr, unpack(datatype, pack(datatype, again)))) == list(map(repr, values))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(0.1, b"[0.1]", id="a tenth"),
        pytest.param(1.0, b"[1.0]", id="a whole number"),
        pytest.param(16777216.0, b"[16777216.0]", id="eight digits"),
        pytest.param(3.4028234663852886e38, b"[3.4028235e+38]", id="the largest"),
        pytest.param(1e-45, b"[1.401298e-45]", id="the smallest"),
        pytest.param(float("nan"), b"[NaN]", id="not a number"),
        pytest.param(float("-inf"), b"[-Infinity]", id="minus infinity"),
    ],
)
def test_32_bit_numbers_have_few_digits(number: float, text: bytes) -> None:
    assert text_of(DATATYPES["FP32"], [struct.unpack("<f", struct.pack("<f", number))[0]])[0] == text


def test_a_large_tensor_is_written_piece_by_piece() -> None:
    values = [0.5, 0.25] * PIECE_ELEMENTS
    assert json.loads(text_of(DATATYPES["FP32"], values)[0]) == values


def test_whole_numbers_and_booleans_are_plain() -> None:
    assert text_of(DATATYPES["UINT8"], [0, 255])[0] == b"[0,255]"
    assert text_of(DATATYPES["UINT64"], [2**64 - 1])[0] == b"[18446744073709551615]"
    assert text_of(DATATYPES["BOOL"], [True, False])[0] == b"[true,false]"
    assert text_of(DATATYPES["FP32"], [])[0] == b"[]"


def test_bytes_are_text_while_all_of_them_are() -> None:
    assert text_of(DATATYPES["BYTES"], ["ä".encode(), b""]) == ('["ä",""]'.encode(), False)
    assert text_of(DATATYPES["BYTES"], [b"a", b"\xff"]) == (b'["YQ==","/w=="]', True)
    assert text_of(DATATYPES["BYTES"], [b"a"], always_base64=True) == (b'["YQ=="]', True)


def test_64_bit_numbers_are_as_short_as_they_can_be() -> None:
    assert text_of(DATATYPES["FP64"], [0.1, 1e300, math.inf, 1.7e308, 1.7e308])[0] == (
        b"[0.1,1e+300,Infinity,1.7e+308,1.7e+308]"
    )


def test_each_element_can_be_written_by_itself() -> None:
    assert element_texts(DATATYPES["BYTES"], [b"a", b"\xff"]) == ['"a"', '{"b64":"/w=="}']
    assert element_texts(DATATYPES["FP32"], [0.5, 2.0]) == ["0.5", "2.0"]
    assert element_texts(DATATYPES["BOOL"], [True]) == ["true"]
    assert json_string('a"ä') == '"a\\"\\u00e4"'


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        pytest.param((6,), ["0", "1", "2", "3", "4", "5"], id="flat"),
        pytest.param((2, 3), ["[0,1,2]", "[3,4,5]"], id="rows"),
        pytest.param((1, 3, 2), ["[[0,1],[2,3],[4,5]]"], id="rows of rows"),
    ],
)
def test_texts_are_nested_to_the_shape(shape: tuple[int, ...], rows: list[str]) -> None:
    assert nested_texts([str(number) for number in range(6)], shape) == rows


@pytest.mark.parametrize(
    ("shape", "rows"),
    [((), ["7"]), ((2, 0), ["[]", "[]"]), ((0, 2), [])],
    ids=["a scalar", "empty rows", "no rows"],
)
def test_odd_shapes_are_nested_too(shape: tuple[int, ...], rows: list[str]) -> None:
    assert nested_texts(["7"] if shape == () else [], shape) == rows
