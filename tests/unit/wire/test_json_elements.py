from typing import Any

import pytest

from adapter.wire.json_elements import elements_from, flatten, nested_shape
from adapter.wire.json_fields import BadTensorJson
from adapter.wire.v2_tensors import DATATYPES

FLAT: list[object] = list(range(128))


def nested(flat: list[object], *lengths: int) -> list[object]:
    for length in reversed(lengths):
        flat = [flat[at : at + length] for at in range(0, len(flat), length)]
    return flat


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        pytest.param(FLAT, (2, 64), id="flat"),
        pytest.param(nested(FLAT, 64), (2, 64), id="2 deep"),
        pytest.param(nested(FLAT, 2, 32), (2, 2, 32), id="3 deep"),
        pytest.param(nested(FLAT, 2, 2, 16), (2, 2, 2, 16), id="4 deep"),
    ],
)
def test_data_are_flat_or_nested_to_the_shape(data: list[object], shape: tuple[int, ...]) -> None:
    assert elements_from(data, DATATYPES["FP32"], shape) == FLAT


@pytest.mark.parametrize(
    ("data", "shape"),
    [([], (0, 4)), ([[], []], (2, 0)), ([], (0,))],
    ids=["no rows", "empty rows", "no elements"],
)
def test_a_tensor_can_be_empty(data: list[object], shape: tuple[int, ...]) -> None:
    assert flatten(data, shape) == []


@pytest.mark.parametrize("data", [7, [7]], ids=["bare", "in a list"])
def test_a_scalar_has_one_element(data: object) -> None:
    assert elements_from(data, DATATYPES["INT8"], ()) == [7]


@pytest.mark.parametrize(
    ("data", "shape", "text"),
    [
        pytest.param([1, 2, 3], (2, 2), r"has 3 elements; shape \[2, 2\] has 4", id="too few"),
        pytest.param([[1, 2], [3]], (2, 2), "lists of other lengths than 2 at depth 1", id="ragged"),
        pytest.param([[1, 2]], (2, 2), r"has 1 rows; shape \[2, 2\] has 2", id="a row short"),
        pytest.param(
            [[1, 2], [3, 4]], (2, 2, 1), "has lists of|is nested 2 deep", id="not nested to the shape"
        ),
        pytest.param([[1], 2], (2, 1), "has a list as element 0", id="rows and numbers"),
        pytest.param([[[1]], [[2]]], (2, 1), "has a list as element 0", id="nested too deep"),
        pytest.param([1, "x"], (2,), "has a string as element 1, where a number is wanted", id="a string"),
        pytest.param([None], (1,), "has null as element 0", id="null"),
        pytest.param([True], (1,), "has a boolean as element 0", id="a boolean"),
        pytest.param({}, (1,), "must be a list, not an object", id="an object"),
        pytest.param([10**400], (1,), "does not fit FP64", id="too large"),
    ],
)
def test_data_that_do_not_go_with_the_shape_are_refused(
    data: object, shape: tuple[int, ...], text: str
) -> None:
    with pytest.raises(BadTensorJson, match=text):
        elements_from(data, DATATYPES["FP64"], shape)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        pytest.param("INT32", 1.0, "a whole number", id="a fraction for a whole number"),
        pytest.param("BOOL", 1, "true or false", id="a number for a boolean"),
        pytest.param("BYTES", 1, "a string", id="a number for a string"),
        pytest.param("FP16", 1e9, "does not fit FP16", id="too large for 16 bits"),
    ],
)
def test_each_datatype_takes_its_own_kind(name: str, value: object, wanted: str) -> None:
    with pytest.raises(BadTensorJson, match=wanted):
        elements_from([value], DATATYPES[name], (1,))


@pytest.mark.parametrize(
    ("data", "shape", "elements"),
    [
        pytest.param(["My UTF8 String", "größe"], (2,), [b"My UTF8 String", "größe".encode()], id="strings"),
        pytest.param([["String1"], ["String2"]], (2, 1), [b"String1", b"String2"], id="nested strings"),
        pytest.param(["a", "b"], (2, 1), [b"a", b"b"], id="flat strings"),
        pytest.param([[97, 98]], (1,), [b"ab"], id="one list of numbers"),
        pytest.param([[97, 98], [99]], (2, 1), [b"ab", b"c"], id="flat lists of numbers"),
        pytest.param([[[97, 98]], [[99]]], (2, 1), [b"ab", b"c"], id="nested lists of numbers"),
    ],
)
def test_bytes_are_strings_or_lists_of_numbers(
    data: Any, shape: tuple[int, ...], elements: list[bytes]
) -> None:
    assert elements_from(data, DATATYPES["BYTES"], shape) == elements


def test_bytes_can_be_base64() -> None:
    assert elements_from(["AAE=", ""], DATATYPES["BYTES"], (2,), is_base64=True) == [b"\x00\x01", b""]
    with pytest.raises(BadTensorJson, match="element 0 a string that is not base64"):
        elements_from(["ä"], DATATYPES["BYTES"], (1,), is_base64=True)


@pytest.mark.parametrize(
    "data", [[[256]], [[1, "a"]], ["\ud800"]], ids=["above 255", "a string among numbers", "half a surrogate"]
)
def test_what_is_no_byte_is_refused(data: list[object]) -> None:
    with pytest.raises(BadTensorJson):
        elements_from(data, DATATYPES["BYTES"], (1,))


def test_the_shape_can_be_read_from_the_nesting() -> None:
    assert nested_shape([[1, 2, 3], [4, 5, 6]]) == (2, 3)
    assert nested_shape(7) == ()


def test_absurd_nesting_is_refused() -> None:
    data: list[object] = []
    for _ in range(100):
        data = [data]
    with pytest.raises(BadTensorJson, match="nested 101 deep"):
        nested_shape(data)
