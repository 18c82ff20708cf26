import json
import math
import struct
from typing import Any

import pytest

from adapter.servers.rest_app import RestApp
from adapter.servers.rest_options import RestOptions
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.asgi import Answered, Client
from tests.fakes.unary_calls import Call, FakeUnaryCalls, Reply

INFER = "/v2/models/iris/infer"


def a_client(**replies: Reply) -> tuple[Client, list[Call]]:
    calls = FakeUnaryCalls(replies=replies)
    return Client(RestApp(calls, RestOptions())), calls.made


def a_tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "shape": [2], "datatype": "FP32", "data": [1.5, 2]} | changes


def a_response(datatype: str, *raw: bytes, shape: tuple[int, ...] = (2,)) -> v2.ModelInferResponse:
    response = v2.ModelInferResponse(model_name="iris", model_version="1", id="7", raw_output_contents=raw)
    response.outputs.add(name="y", datatype=datatype, shape=shape)
    return response


def some_bytes(*elements: bytes) -> v2.ModelInferResponse:
    raw = b"".join(struct.pack("<I", len(element)) + element for element in elements)
    return a_response("BYTES", raw, shape=(len(elements),))


async def infer(response: v2.ModelInferResponse, *inputs: dict[str, Any], **fields: Any) -> Answered:
    client, _ = a_client(ModelInfer=response)
    return await client.post(INFER, {"inputs": list(inputs) or [a_tensor()], **fields})


async def test_an_inference_is_a_call_for_the_model_of_the_path() -> None:
    client, made = a_client(ModelInfer=a_response("FP32", struct.pack("<2f", 0.1, 2)))
    answer = await client.post(
        "/v2/models/a%2Fb/versions/3/infer", {"inputs": [a_tensor()], "model_name": "another", "id": "7"}
    )
    request = made[0].request
    assert isinstance(request, v2.ModelInferRequest)
    assert (request.model_name, request.model_version, request.id) == ("a/b", "3", "7")
    assert list(request.inputs[0].contents.fp32_contents) == [1.5, 2]
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "model_name": "iris",
        "model_version": "1",
        "id": "7",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [2], "data": [0.1, 2]}],
    }


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(list(range(128)), id="flat"),
        pytest.param([list(range(64)), list(range(64, 128))], id="nested"),
    ],
)
async def test_data_are_flat_or_nested(data: list[Any]) -> None:
    client, made = a_client(ModelInfer=a_response("INT8", b"\1\2"))
    await client.post(INFER, {"inputs": [a_tensor(shape=[2, 64], data=data)]})
    request = made[0].request
    assert isinstance(request, v2.ModelInferRequest)
    assert list(request.inputs[0].contents.fp32_contents) == list(range(128))


async def test_binary_tensors_go_in_and_out() -> None:
    client, made = a_client(ModelInfer=a_response("BF16", b"\x80\x3f\x00\x40"))
    document = json.dumps(
        {
            "inputs": [
                {"name": "x", "shape": [2], "datatype": "FP16", "parameters": {"binary_data_size": 4}}
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    answer = await client.post(
        INFER, document + b"\0\1\2\3", inference_header_content_length=str(len(document))
    )
    request = made[0].request
    assert isinstance(request, v2.ModelInferRequest)
    assert list(request.raw_input_contents) == [b"\0\1\2\3"]
    length = int(answer.headers["inference-header-content-length"])
    assert answer.headers["content-type"] == "application/octet-stream"
    assert json.loads(answer.body[:length])["outputs"][0]["parameters"] == {"binary_data_size": 4}
    assert answer.body[length:] == b"\x80\x3f\x00\x40"


async def test_16_bit_numbers_and_nan_have_a_json_form_too() -> None:
    answer = await infer(
        a_response("BF16", b"\x80\x3f\xc0\x7f"), a_tensor(data=[math.nan, math.inf], datatype="FP16")
    )
    first, second = answer.json["outputs"][0]["data"]
    assert (first, math.isnan(second)) == (1, True)


@pytest.mark.parametrize(
    "response",
    [
        some_bytes(b"ab", "ä".encode()),
        v2.ModelInferResponse(
            outputs=[
                v2.ModelInferResponse.InferOutputTensor(
                    name="y",
                    datatype="BYTES",
                    shape=[2],
                    contents=v2.InferTensorContents(bytes_contents=[b"ab", "ä".encode()]),
                    parameters={"content_type": v2.InferParameter(string_param="str")},
                )
            ]
        ),
    ],
    ids=["raw", "typed"],
)
async def test_bytes_are_base64_as_modelmesh_has_them(response: v2.ModelInferResponse) -> None:
    (output,) = (await infer(response)).json["outputs"]
    assert output["data"] == ["YWI=", "w6Q="]
    assert output["parameters"] == {"content_type": "base64"}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"parameters": {"binary_data_output": False}}, id="names binary_data_output"),
        pytest.param({"outputs": [{"name": "y", "parameters": {"binary_data": False}}]}, id="binary_data"),
        pytest.param({"parameters": {"content_type": "str"}}, id="asks for str"),
        pytest.param(
            {"outputs": [{"name": "y", "parameters": {"content_type": "utf-8"}}]}, id="of the output"
        ),
    ],
)
async def test_bytes_are_text_for_who_knows_the_protocol(fields: dict[str, Any]) -> None:
    (output,) = (await infer(some_bytes(b"ab", "ä".encode()), **fields)).json["outputs"]
    assert output["data"] == ["ab", "ä"]
    assert "parameters" not in output


async def test_bytes_that_are_no_text_are_base64_for_everybody() -> None:
    answer = await infer(some_bytes(b"\xff"), parameters={"content_type": "str"})
    (output,) = answer.json["outputs"]
    assert (output["data"], output["parameters"]) == (["/w=="], {"content_type": "base64"})


@pytest.mark.parametrize(
    ("body", "headers", "text"),
    [
        pytest.param(b"{", {}, "the body is no JSON", id="half"),
        pytest.param(b"", {}, "the body is no JSON", id="nothing"),
        pytest.param({"inputs": [a_tensor(shape=[3])]}, {}, "inputs[0].data: has 2 elements", id="a shape"),
        pytest.param({"inputs": [a_tensor(data=[1e39, 1])]}, {}, "does not fit FP32", id="too large"),
        pytest.param({"inputs": [a_tensor(datatype="FP8")]}, {}, "inputs[0].datatype", id="a datatype"),
        pytest.param(b"{}", {"inference_header_content_length": "3"}, "Inference-Header", id="a length"),
        pytest.param(b"{}", {"inference_header_content_length": "x"}, "a number of bytes", id="no length"),
        pytest.param(
            {"inputs": [a_tensor()]}, {"grpc_timeout": "soon"}, "Grpc-Timeout must be digits", id="a timeout"
        ),
        pytest.param({"inputs": [a_tensor()]}, {"grpc_metadata_x": "ä"}, "printable ASCII", id="metadata"),
    ],
)
async def test_a_bad_request_is_told_which_field(body: Any, headers: dict[str, str], text: str) -> None:
    client, made = a_client(ModelInfer=a_response("INT8", b"\1\2"))
    answer = await client.post(INFER, body, **headers)
    assert (answer.status, answer.json["code"], made) == (400, 3, [])
    assert text in answer.json["error"]


async def test_a_bad_tensor_of_the_runtime_is_not_the_clients_fault() -> None:
    answer = await infer(a_response("FP32", b"\1"))
    assert (answer.status, answer.json["code"]) == (500, 13)
    assert "the runtime's answer cannot be read: outputs[0]" in answer.json["error"]


async def test_metadata_have_numbers_for_lengths() -> None:
    told = v2.ModelMetadataResponse(name="iris", platform="p")
    told.inputs.add(name="x", datatype="FP32", shape=[-1, 4])
    client, made = a_client(ModelMetadata=told)
    answer = await client.get("/v2/models/iris?version=2")
    assert made[0].request == v2.ModelMetadataRequest(name="iris", version="2")
    assert answer.json["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]


async def test_the_server_tells_of_itself() -> None:
    told = v2.ServerMetadataResponse(name="remesh", version="1", extensions=["model_repository", "x"])
    client, _ = a_client(ServerMetadata=told)
    assert (await client.get("/v2")).json == {
        "name": "remesh",
        "version": "1",
        "extensions": ["model_repository", "x", "binary_tensor_data"],
    }
    assert (await client.get("/")).json == {"status": "alive"}


@pytest.mark.parametrize(("is_so", "status"), [(True, 200), (False, 503)])
async def test_health_is_told_by_the_status_too(is_so: bool, status: int) -> None:
    client, _ = a_client(
        ServerLive=v2.ServerLiveResponse(live=is_so),
        ServerReady=v2.ServerReadyResponse(ready=is_so),
        ModelReady=v2.ModelReadyResponse(ready=is_so),
    )
    live, ready = await client.get("/v2/health/live"), await client.get("/v2/health/ready")
    assert (live.status, live.json) == (status, {"live": is_so})
    assert (ready.status, ready.json) == (status, {"ready": is_so})
    for path in ("/v2/models/iris/ready", "/v1/models/iris"):
        model = await client.get(path)
        assert (model.status, model.json["name"], model.json["ready"]) == (status, "iris", is_so)
        assert ("error" in model.json) is not is_so
