from typing import Any

import pytest

from adapter.domain.errors import Code
from adapter.servers.calls import Answer
from adapter.servers.rest_app import RestApp
from adapter.servers.rest_options import RestOptions
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.asgi import Client
from tests.fakes.unary_calls import Call, FakeUnaryCalls, Reply

PREDICT = "/v1/models/iris:predict"


def a_client(**replies: Reply) -> tuple[Client, list[Call]]:
    metadata = v2.ModelMetadataResponse(name="iris")
    metadata.inputs.add(name="x", datatype="FP64", shape=[-1, 2])
    response = v2.ModelInferResponse()
    contents = v2.InferTensorContents(int64_contents=[1, 2])
    response.outputs.add(name="y", datatype="INT64", shape=[2, 1], contents=contents)
    calls = FakeUnaryCalls(replies={"ModelMetadata": metadata, "ModelInfer": response} | replies)
    return Client(RestApp(calls, RestOptions())), calls.made


async def test_a_prediction_takes_datatypes_from_the_models_metadata() -> None:
    client, made = a_client()
    answer = await client.post(PREDICT, {"instances": [[1, 2], [3, 4]]}, grpc_metadata_x="y")
    assert (answer.status, answer.json) == (200, {"predictions": [[1], [2]]})
    asked, infer = made
    assert asked.request == v2.ModelMetadataRequest(name="iris")
    assert isinstance(infer.request, v2.ModelInferRequest)
    assert list(infer.request.inputs[0].contents.fp64_contents) == [1, 2, 3, 4]
    assert [list(call.metadata) for call in made] == [[("x", "y")]] * 2


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        pytest.param({}, 400, "instances: is missing", id="nothing"),
        pytest.param(b"{", 400, "no JSON", id="half"),
        pytest.param({"instances": [["a", 1]]}, 400, "x: has a string", id="a string for a number"),
    ],
)
async def test_a_bad_request_is_told_which_field(body: Any, status: int, text: str) -> None:
    client, _ = a_client()
    answer = await client.post(PREDICT, body)
    assert answer.status == status
    assert text in answer.json["error"]


async def test_a_model_that_is_not_there_is_not_found() -> None:
    client, _ = a_client(ModelMetadata=Answer(code=Code.NOT_FOUND, text="nobody"))
    assert (await client.post(PREDICT, {"instances": [[1, 2]]})).status == 404


async def test_an_answer_that_v1_cannot_say_is_the_runtimes_fault() -> None:
    response = v2.ModelInferResponse(raw_output_contents=[b"\1"])
    response.outputs.add(name="y", datatype="INT64", shape=[1])
    client, _ = a_client(ModelInfer=response)
    answer = await client.post(PREDICT, {"instances": [[1, 2]]})
    assert (answer.status, answer.json["code"]) == (500, Code.INTERNAL)


async def test_explanations_are_not_offered() -> None:
    client, made = a_client()
    answer = await client.post("/v1/models/iris:explain", {"instances": []})
    assert (answer.status, answer.json["code"], made) == (501, Code.UNIMPLEMENTED, [])
