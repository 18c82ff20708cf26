import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.stubs.inference.open_inference_pb2 import (
    InferParameter,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
)
from adapter.wire.v2_json import (
    BadTensorJson,
    BinaryChoice,
    TextChoice,
    binary_choice,
    infer_request,
    infer_response,
    metadata_json,
    text_choice,
)

JSON_ONLY = BinaryChoice()


def a_tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "shape": [2], "datatype": "FP32", "data": [1.5, 2]} | changes


def read(*inputs: dict[str, Any], binary: bytes | None = None, **fields: Any) -> ModelInferRequest:
    document = json.dumps({"inputs": inputs} | fields).encode()
    length = None if binary is None else len(document)
    return infer_request(document + (binary or b""), json_length=length, model_name="iris")


def test_a_request_becomes_a_message() -> None:
    request = read(
        a_tensor(parameters={"content_type": "np"}),
        id="7",
        parameters={"top_level": "foo", "bool_param": False, "custom": {"kept": "not"}},
        outputs=[{"name": "y", "parameters": {"binary_data": False}}],
        model_name="another",
        nobody_knows=1,
    )
    expected = ModelInferRequest(model_name="iris", id="7")
    expected.parameters["top_level"].string_param = "foo"
    expected.parameters["bool_param"].bool_param = False
    contents = InferTensorContents(fp32_contents=[1.5, 2])
    expected.inputs.add(name="x", shape=[2], datatype="FP32", contents=contents)
    expected.inputs[0].parameters["content_type"].string_param = "np"
    expected.outputs.add(name="y").parameters["binary_data"].bool_param = False
    assert request == expected


def test_the_version_is_the_urls() -> None:
    body = json.dumps({"inputs": [], "model_version": "9"}).encode()
    assert infer_request(body, json_length=None, model_name="m", model_version="2").model_version == "2"


def test_binary_tensors_follow_the_json_in_order() -> None:
    request = read(
        {"name": "a", "shape": [2], "datatype": "INT8", "parameters": {"binary_data_size": 2, "k": 1}},
        {"name": "b", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}},
        binary=b"\x01\x02\x01\0\0\0z",
    )
    assert list(request.raw_input_contents) == [b"\x01\x02", b"\x01\0\0\0z"]
    assert dict(request.inputs[0].parameters) == {"k": InferParameter(int64_param=1)}


def test_a_json_tensor_beside_a_binary_one_goes_raw_too() -> None:
    binary = {"name": "b", "shape": [1], "datatype": "INT8", "parameters": {"binary_data_size": 1}}
    request = read(a_tensor(datatype="INT16", data=[1, 2]), binary, binary=b"\x09")
    assert list(request.raw_input_contents) == [b"\x01\0\x02\0", b"\x09"]
    assert not any(tensor.HasField("contents") for tensor in request.inputs)


@pytest.mark.parametrize("name", ["base64", "b64", "BASE64", "B64"])
def test_strings_can_be_base64(name: str) -> None:
    tensor = a_tensor(shape=[1], datatype="BYTES", data=["/w=="], parameters={"content_type": name})
    request = read(tensor)
    assert request.inputs[0].contents.bytes_contents == [b"\xff"]
    assert request.inputs[0].parameters["content_type"].string_param == name


@pytest.mark.parametrize(
    ("tensor", "binary", "text"),
    [
        pytest.param(a_tensor(name=""), None, r"inputs\[0\].name: is empty", id="no name"),
        pytest.param(a_tensor(shape=[3]), None, r"inputs\[0\].data: has 2 elements", id="too few"),
        pytest.param(a_tensor(datatype="FP8"), None, r"inputs\[0\].datatype: there is no", id="no datatype"),
        pytest.param(a_tensor(data=[1, None]), None, r"inputs\[0\].data: has null as element 1", id="null"),
        pytest.param(
            {"name": "x", "shape": [2], "datatype": "FP32"},
            None,
            r"inputs\[0\].data: exactly one",
            id="no data",
        ),
        pytest.param(
            a_tensor(parameters={"binary_data_size": 8}), b"12345678", "exactly one of it", id="data twice"
        ),
        pytest.param(
            {"name": "x", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
            None,
            "no header Inference-Header-Content-Length",
            id="no header",
        ),
        pytest.param(
            {"name": "x", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
            b"123",
            r"inputs\[0\].parameters.binary_data_size: 8, and 3 bytes are left",
            id="too short",
        ),
        pytest.param(
            {"name": "x", "shape": [3], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
            b"12345678",
            r"binary_data_size: 8 bytes, and FP32 of shape \[3\] has 12",
            id="another size than the shape",
        ),
        pytest.param(
            {"name": "x", "shape": [3], "datatype": "FP32", "parameters": {"binary_data_size": -1}},
            b"",
            "binary_data_size: must be a whole number",
            id="a negative size",
        ),
        pytest.param(a_tensor(), b"rest", "4 bytes at the end of the body belong to no input", id="a rest"),
    ],
)
def test_a_bad_tensor_is_refused_by_name(tensor: dict[str, Any], binary: bytes | None, text: str) -> None:
    with pytest.raises(BadTensorJson, match=text):
        read(tensor, binary=binary)


@pytest.mark.parametrize("length", [0, -1, 99], ids=["none", "negative", "longer than the body"])
def test_a_length_that_no_json_can_have_is_refused(length: int) -> None:
    with pytest.raises(BadTensorJson, match="Inference-Header-Content-Length"):
        infer_request(b"{}", json_length=length, model_name="m")


@given(st.binary(max_size=60), st.none() | st.integers(0, 60))
def test_any_body_is_read_or_refused(body: bytes, length: int | None) -> None:
    try:
        infer_request(body, json_length=length, model_name="m")
    except BadTensorJson:
        return


def a_request(output: bool | None, whole: bool | None) -> ModelInferRequest:
    request = ModelInferRequest()
    request.outputs.add(name="y")
    if output is not None:
        request.outputs[0].parameters["binary_data"].bool_param = output
    if whole is not None:
        request.parameters["binary_data_output"].bool_param = whole
    return request


@pytest.mark.parametrize(
    ("output", "whole", "binary"),
    [
        pytest.param(None, None, False, id="not asked for"),
        pytest.param(None, True, True, id="for all"),
        pytest.param(False, True, False, id="for all but this"),
        pytest.param(True, None, True, id="for this"),
    ],
)
def test_an_output_is_binary_when_asked_for(output: bool | None, whole: bool | None, binary: bool) -> None:
    assert binary_choice(a_request(output, whole)).for_output("y") is binary


@pytest.mark.parametrize(
    ("fields", "is_text"),
    [
        pytest.param({}, False, id="nothing asked"),
        pytest.param({"parameters": {"k": 1}, "outputs": [{"name": "y"}]}, False, id="nothing of this asked"),
        pytest.param({"parameters": {"binary_data_output": False}}, True, id="names binary_data_output"),
        pytest.param({"outputs": [{"name": "z", "parameters": {"binary_data": True}}]}, True, id="or that"),
        pytest.param({"parameters": {"content_type": "str"}}, True, id="asks for text"),
        pytest.param({"parameters": {"content_type": "np"}}, False, id="asks for something else"),
        pytest.param(
            {
                "parameters": {"content_type": "str", "binary_data_output": True},
                "outputs": [{"name": "y", "parameters": {"content_type": "b64"}}],
            },
            False,
            id="the output's own word counts",
        ),
    ],
)
def test_bytes_are_text_for_who_shows_to_know_it(fields: dict[str, Any], is_text: bool) -> None:
    assert text_choice(read(**fields)).for_output("y") is is_text


def test_bytes_can_be_base64_whatever_they_are() -> None:
    response = ModelInferResponse(raw_output_contents=[b"\x01\0\0\0a"])
    response.outputs.add(name="y", datatype="BYTES", shape=[1])
    body, _ = infer_response(response, binary=JSON_ONLY, text=TextChoice(default=False))
    (output,) = json.loads(body)["outputs"]
    assert (output["data"], output["parameters"]) == (["YQ=="], {"content_type": "base64"})


def test_an_answer_is_compact_and_leaves_out_what_is_empty() -> None:
    response = ModelInferResponse(model_name="example", id="foo")
    response.parameters["content_type"].string_param = "bar"
    response.parameters["headers"].SetInParent()
    contents = InferTensorContents(int64_contents=[8, 8])
    response.outputs.add(name="predict", datatype="INT64", shape=[2], contents=contents)
    body, length = infer_response(response, binary=JSON_ONLY)
    assert length is None
    assert body == (
        b'{"model_name":"example","id":"foo","parameters":{"content_type":"bar","headers":null},'
        b'"outputs":[{"name":"predict","datatype":"INT64","shape":[2],"data":[8,8]}]}'
    )


def test_raw_outputs_are_read_by_their_place() -> None:
    response = ModelInferResponse(raw_output_contents=[b"\x07" + bytes(7), b"\x01\0\0\0\xff"])
    response.outputs.add(name="a", datatype="INT64", shape=[1, 1])
    response.outputs.add(name="b", datatype="BYTES", shape=[1])
    body, length = infer_response(response, binary=JSON_ONLY)
    first, second = json.loads(body)["outputs"]
    assert (length, first["data"]) == (None, [7])
    assert (second["data"], second["parameters"]) == (["/w=="], {"content_type": "base64"})


def test_binary_outputs_follow_the_json() -> None:
    response = ModelInferResponse(model_name="m")
    response.outputs.add(
        name="a", datatype="INT8", shape=[2], contents=InferTensorContents(int_contents=[1, 2])
    )
    response.outputs.add(name="b", datatype="INT8", shape=[1], contents=InferTensorContents(int_contents=[3]))
    body, length = infer_response(response, binary=BinaryChoice(outputs={"a": True}))
    assert length is not None
    first, second = json.loads(body[:length])["outputs"]
    assert (first["parameters"], body[length:]) == ({"binary_data_size": 2}, b"\x01\x02")
    assert "data" not in first
    assert second["data"] == [3]


def test_a_runtimes_bad_tensor_is_named() -> None:
    response = ModelInferResponse(raw_output_contents=[b"\x01"])
    response.outputs.add(name="a", datatype="INT8", shape=[2])
    with pytest.raises(BadTensorJson, match=r"outputs\[0\]: 1 bytes"):
        infer_response(response, binary=JSON_ONLY)


def test_metadata_have_numbers_in_their_shapes() -> None:
    metadata = ModelMetadataResponse(
        name="iris", versions=["1"], platform="sklearn_joblib", properties={"a": "b"}
    )
    metadata.inputs.add(name="x", datatype="FP32", shape=[-1, 4])
    assert json.loads(metadata_json(metadata)) == {
        "name": "iris",
        "versions": ["1"],
        "platform": "sklearn_joblib",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [],
        "properties": {"a": "b"},
    }
