from typing import Any

import pytest
from google.protobuf.message import Message

from adapter.domain.errors import Code
from adapter.servers.calls import Answer
from adapter.servers.rest_app import RestApp
from adapter.servers.rest_options import RestOptions
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.asgi import Client
from tests.fakes.unary_calls import Call, FakeUnaryCalls, Reply

LOAD, UNLOAD = "/v2/repository/models/iris/load", "/v2/repository/models/iris/unload"


def a_client(**replies: Reply) -> tuple[Client, list[Call]]:
    calls = FakeUnaryCalls(replies=replies)
    return Client(RestApp(calls, RestOptions())), calls.made


def the_index(request: Message) -> Message:
    assert isinstance(request, v2.RepositoryIndexRequest)
    response = v2.RepositoryIndexResponse()
    response.models.add(name="a", version="1", state="READY")
    if not request.ready:
        response.models.add(name="b", state="UNAVAILABLE", reason="not loaded")
    return response


@pytest.mark.parametrize(
    ("body", "names"),
    [(b"", ["a", "b"]), ({}, ["a", "b"]), ({"ready": False}, ["a", "b"]), ({"ready": True}, ["a"])],
    ids=["no body", "nothing asked", "all", "ready ones"],
)
async def test_the_index_names_the_models(body: Any, names: list[str]) -> None:
    client, _ = a_client(RepositoryIndex=the_index)
    answer = await client.post("/v2/repository/index", body)
    assert [entry["name"] for entry in answer.json] == names
    assert answer.json[0] == {"name": "a", "version": "1", "state": "READY", "reason": ""}


@pytest.mark.parametrize("path", ["/v1/models", "/v2/models"])
async def test_names_alone_are_there_too(path: str) -> None:
    client, _ = a_client(RepositoryIndex=the_index)
    assert (await client.get(path)).json == {"models": ["a", "b"]}


async def test_a_load_takes_parameters() -> None:
    client, made = a_client(RepositoryModelLoad=v2.RepositoryModelLoadResponse())
    given = {"config": "{}", "count": 2, "flag": True, "file:1/model.onnx": "AAE="}
    answer = await client.post(LOAD, {"parameters": given})
    assert answer.json == {"name": "iris", "load": True}
    parameter = v2.ModelRepositoryParameter
    assert made[0].request == v2.RepositoryModelLoadRequest(
        model_name="iris",
        parameters={
            "config": parameter(string_param="{}"),
            "count": parameter(int64_param=2),
            "flag": parameter(bool_param=True),
            "file:1/model.onnx": parameter(bytes_param=b"\x00\x01"),
        },
    )


async def test_an_unload_names_the_model() -> None:
    client, made = a_client(RepositoryModelUnload=v2.RepositoryModelUnloadResponse())
    answer = await client.post(UNLOAD, {"parameters": {"unload_dependents": False}})
    assert answer.json == {"name": "iris", "unload": True}
    assert isinstance(made[0].request, v2.RepositoryModelUnloadRequest)
    assert made[0].request.model_name == "iris"


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/v2/repository/index", {"ready": "yes"}, "ready: must be true or false"),
        ("/v2/repository/index", b"{", "no JSON"),
        (LOAD, {"parameters": []}, "parameters: must be an object"),
        (LOAD, {"parameters": {"a": 1.5}}, "parameters.a: must be"),
        (LOAD, {"parameters": {"a": 2**63}}, "parameters.a: must be"),
        (LOAD, {"parameters": {"file:x": "?"}}, "parameters.file:x: must be base64"),
    ],
)
async def test_a_bad_body_is_told_which_field(path: str, body: Any, text: str) -> None:
    client, made = a_client()
    answer = await client.post(path, body)
    assert (answer.status, made) == (400, [])
    assert text in answer.json["error"]


async def test_a_refusal_keeps_its_code() -> None:
    client, _ = a_client(RepositoryModelLoad=Answer(code=Code.NOT_FOUND, text="nobody"))
    answer = await client.post(LOAD)
    assert (answer.status, answer.json["error"]) == (404, "nobody")
