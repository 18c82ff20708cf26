import math

import pytest

from adapter.stubs.inference.open_inference_pb2 import InferParameter
from adapter.wire.json_fields import (
    BadTensorJson,
    at_field,
    encode_json,
    infer_parameters,
    json_number,
    json_parameters,
    object_field,
    objects_field,
    parse_object,
    shape_field,
    text_field,
)

PARAMETERS = {"bool": True, "int": 42, "text": "str", "double": 1.5, "uint": 2**64 - 1, "null": None}


def test_parameters_keep_their_kind_in_both_directions() -> None:
    messages = infer_parameters({**PARAMETERS, "list": [1], "object": {}})
    assert messages["bool"] == InferParameter(bool_param=True)
    assert messages["int"] == InferParameter(int64_param=42)
    assert messages["uint"] == InferParameter(uint64_param=2**64 - 1)
    assert messages["null"] == InferParameter()
    assert json_parameters(messages) == PARAMETERS


def test_a_parameter_beyond_64_bits_is_refused() -> None:
    with pytest.raises(BadTensorJson, match=r"parameters\.n: does not fit 64 bits"):
        infer_parameters({"n": 2**64})


def test_nan_and_the_infinities_are_read_and_written() -> None:
    numbers = parse_object(b'{"n": [NaN, Infinity, -Infinity]}')["n"]
    assert isinstance(numbers, list)
    assert math.isnan(numbers[0])
    assert encode_json(list(map(json_number, [*numbers, 1.5]))) == b"[NaN,Infinity,-Infinity,1.5]"


def test_a_parameter_can_be_nan() -> None:
    parameters = json_parameters({"n": InferParameter(double_param=math.nan)})
    assert encode_json(parameters) == b'{"n":NaN}'


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b'{"a": 1, "a": 2}', 2, id="a key twice: the last counts"),
        pytest.param(b'{"a": "caf\\u00e9 \\ud83d\\ude00"}', "café 😀", id="escapes"),
        pytest.param(b'{"a": "\\ud800"}', "\ud800", id="half of a surrogate pair, which others refuse"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', 1, id="a byte order mark"),
        pytest.param('{"a": "ä"}'.encode("utf-16"), "ä", id="UTF-16"),
        pytest.param(b'{"a": 18446744073709551615}', 2**64 - 1, id="64 bits"),
    ],
)
def test_a_body_is_read_as_python_reads_it(body: bytes, value: object) -> None:
    assert parse_object(body) == {"a": value}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe{", b"[1]", b"3", b"[" * 100_000, b'{"n": ' + b"9" * 5000 + b"}"],
    ids=["nothing", "half", "not UTF-8", "a list", "a number", "too deep", "too many digits"],
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadTensorJson, match="the body"):
        parse_object(body)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        pytest.param(
            lambda: text_field({"id": 7}, "id"), "id: must be a string, not a number", id="a number"
        ),
        pytest.param(lambda: text_field({}, "name", required=True), "name: is missing", id="missing"),
        pytest.param(lambda: text_field({"name": ""}, "name", required=True), "name: is empty", id="empty"),
        pytest.param(lambda: objects_field({}, "inputs", required=True), "inputs: is missing", id="no list"),
        pytest.param(
            lambda: objects_field({"a": {}}, "a"), "a: must be a list, not an object", id="no list but"
        ),
        pytest.param(lambda: objects_field({"a": [{}, 1]}, "a"), r"a\[1\]: must be an object", id="an item"),
        pytest.param(
            lambda: object_field({"a": "x"}, "a"), "a: must be an object, not a string", id="no object"
        ),
        pytest.param(lambda: shape_field({}), "shape: is missing", id="no shape"),
        pytest.param(lambda: shape_field({"shape": 3}), "shape: must be a list", id="a bare length"),
        pytest.param(lambda: shape_field({"shape": [-1]}), "shape: must be whole", id="a negative length"),
        pytest.param(lambda: shape_field({"shape": [True]}), "shape: must be whole", id="a boolean length"),
        pytest.param(lambda: shape_field({"shape": [2**63]}), "shape: must be whole", id="an absurd length"),
    ],
)
def test_a_field_of_another_kind_is_refused_by_name(read: object, text: str) -> None:
    assert callable(read)
    with pytest.raises(BadTensorJson, match=text):
        read()


def test_what_is_left_out_is_empty() -> None:
    assert text_field({"id": None}, "id") == ""
    assert objects_field({}, "outputs") == []
    assert object_field({}, "parameters") == {}


def test_the_field_is_named_from_the_outside_in() -> None:
    with pytest.raises(BadTensorJson) as caught, at_field("inputs[0]"), at_field("data"):
        raise ValueError("is odd")
    assert str(caught.value) == "inputs[0].data: is odd"
