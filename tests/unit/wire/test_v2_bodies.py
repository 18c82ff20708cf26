import json
import struct
from typing import Any

import pytest

from adapter.stubs.inference.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from adapter.wire.v2_bodies import PLAIN, BadTensorJson, NoMessage, body_from_response, request_from_body

TENSOR = {"name": "x", "shape": [2], "datatype": "FP32", "data": [1.5, 2]}


def a_response(datatype: str = "FP32", raw: bytes = struct.pack("<2f", 0.1, 2)) -> ModelInferResponse:
    response = ModelInferResponse(model_name="m", raw_output_contents=[raw])
    response.outputs.add(name="y", datatype=datatype, shape=[2])
    return response


@pytest.mark.parametrize("more", [{}, {"parameters": {"k": 1}}], ids=["plain", "with parameters"])
def test_a_body_becomes_a_message(more: dict[str, Any]) -> None:
    body = json.dumps({"inputs": [TENSOR], "id": "7"} | more).encode()
    encoded, choice = request_from_body(body, json_length=None, model_name="m", model_version="2")
    request = ModelInferRequest.FromString(encoded)
    assert (request.model_name, request.model_version, request.id) == ("m", "2", "7")
    assert list(request.inputs[0].contents.fp32_contents) == [1.5, 2]
    assert choice == PLAIN


def test_binary_tensors_go_in_and_out() -> None:
    tensor = {key: TENSOR[key] for key in ("name", "shape", "datatype")} | {
        "parameters": {"binary_data_size": 8}
    }
    document = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    encoded, choice = request_from_body(document + bytes(8), json_length=len(document), model_name="m")
    assert list(ModelInferRequest.FromString(encoded).raw_input_contents) == [bytes(8)]
    body, json_bytes = body_from_response(a_response().SerializeToString(), choice)
    assert json_bytes is not None
    assert body[json_bytes:] == struct.pack("<2f", 0.1, 2)


def test_numbers_come_back_as_they_were_meant() -> None:
    body, json_bytes = body_from_response(a_response().SerializeToString(), PLAIN)
    assert json.loads(body)["outputs"][0]["data"] == [0.1, 2]
    assert json_bytes is None


def test_bytes_are_base64_if_nothing_is_asked_for() -> None:
    body, _ = body_from_response(a_response("BYTES", b"\1\0\0\0a\1\0\0\0b").SerializeToString(), PLAIN)
    assert json.loads(body)["outputs"][0]["data"] == ["YQ==", "Yg=="]


def test_what_is_wrong_names_its_field() -> None:
    body = json.dumps({"inputs": [TENSOR | {"data": [1]}]}).encode()
    with pytest.raises(BadTensorJson, match=r"inputs\[0\].data: has 1 elements"):
        request_from_body(body, json_length=None, model_name="m")
    with pytest.raises(BadTensorJson, match=r"outputs\[0\]: 4 bytes"):
        body_from_response(a_response(raw=bytes(4)).SerializeToString(), PLAIN)


def test_other_bytes_are_no_message() -> None:
    with pytest.raises(NoMessage):
        body_from_response(b"\x0a\x05a", PLAIN)
