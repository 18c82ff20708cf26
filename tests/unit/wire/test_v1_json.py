import json
from typing import Any

import pytest

from adapter.stubs.inference.open_inference_pb2 import (
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)
from adapter.wire.json_fields import BadTensorJson
from adapter.wire.v1_json import ModelInput, v1_request, v1_response

ONE: list[ModelInput] = [("x", "FP64", (-1, 2))]
TWO: list[ModelInput] = [("text", "BYTES", (-1,)), ("age", "INT64", (-1,))]


def a_request(body: dict[str, Any], inputs: list[ModelInput]) -> ModelInferRequest:
    return v1_request(json.dumps(body).encode(), model_name="iris", inputs=inputs)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"instances": [[1, 2], [3, 4]]}, id="rows"),
        pytest.param({"instances": [{"x": [1, 2]}, {"x": [3, 4]}]}, id="rows by name"),
        pytest.param({"inputs": [[1, 2], [3, 4]]}, id="a column"),
        pytest.param({"inputs": {"x": [[1, 2], [3, 4]]}, "signature_name": "s"}, id="a column by name"),
    ],
)
def test_a_model_with_one_input_takes_rows_as_they_are(body: dict[str, Any]) -> None:
    request = a_request(body, ONE)
    assert request.model_name == "iris"
    (tensor,) = request.inputs
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("x", "FP64", [2, 2])
    assert list(tensor.contents.fp64_contents) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            {"instances": [{"text": "a", "age": 1}, {"text": {"b64": "/w=="}, "age": 2}]}, id="rows"
        ),
        pytest.param({"inputs": {"age": [1, 2], "text": ["a", {"b64": "/w=="}]}}, id="columns"),
    ],
)
def test_several_inputs_go_by_name(body: dict[str, Any]) -> None:
    text, age = a_request(body, TWO).inputs
    assert (text.name, list(text.contents.bytes_contents)) == ("text", [b"a", b"\xff"])
    assert (age.name, list(age.contents.int64_contents)) == ("age", [1, 2])


@pytest.mark.parametrize(
    ("body", "inputs", "text"),
    [
        pytest.param({"rows": []}, ONE, "instances: is missing", id="neither"),
        pytest.param({"instances": []}, ONE, "instances: must be a list of one row", id="no rows"),
        pytest.param({"instances": 7}, ONE, "instances: must be a list of one row", id="no list"),
        pytest.param({"instances": [[1, 2], [3]]}, ONE, "x: has lists of other lengths", id="ragged rows"),
        pytest.param({"instances": [[1, "a"]]}, ONE, "x: has a string as element 1", id="a string"),
        pytest.param(
            {"instances": [1]}, TWO, r"instances\[0\]: must be an object by input name", id="no names"
        ),
        pytest.param(
            {"instances": [{"age": 1}]}, TWO, r"instances\[0\]: must have the inputs", id="one missing"
        ),
        pytest.param({"inputs": {"age": [1]}}, TWO, "inputs: must have the inputs text, age", id="no column"),
        pytest.param(
            {"instances": [{"text": {"b": 1}, "age": 1}]}, TWO, "text: has as element 0", id="not b64"
        ),
        pytest.param({"instances": [1]}, [], "name no inputs", id="a model without metadata"),
    ],
)
def test_a_bad_request_is_refused(body: dict[str, Any], inputs: list[ModelInput], text: str) -> None:
    with pytest.raises(BadTensorJson, match=text):
        a_request(body, inputs)


def test_predictions_are_nested_to_the_shape() -> None:
    response = ModelInferResponse()
    contents = InferTensorContents(fp32_contents=[0.1, 0.9, 0.5, 0.5])
    response.outputs.add(name="y", datatype="FP32", shape=[2, 2], contents=contents)
    assert v1_response(response) == b'{"predictions":[[0.1,0.9],[0.5,0.5]]}'


def test_several_outputs_make_rows_by_name() -> None:
    response = ModelInferResponse(raw_output_contents=[b"\x01\x02", b"\x01\0\0\0a\x01\0\0\0\xff"])
    response.outputs.add(name="class", datatype="INT8", shape=[2])
    response.outputs.add(name="label", datatype="BYTES", shape=[2])
    assert json.loads(v1_response(response)) == {
        "predictions": [{"class": 1, "label": "a"}, {"class": 2, "label": {"b64": "/w=="}}]
    }


def test_outputs_of_different_lengths_are_no_rows() -> None:
    response = ModelInferResponse(raw_output_contents=[b"\x01", b"\x01\x02"])
    response.outputs.add(name="a", datatype="INT8", shape=[1])
    response.outputs.add(name="b", datatype="INT8", shape=[2])
    with pytest.raises(BadTensorJson, match="different numbers of rows"):
        v1_response(response)
