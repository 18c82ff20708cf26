import asyncio
import gzip
from typing import Any

import pytest
from google.protobuf.message import Message

from adapter.domain.errors import Code
from adapter.servers.calls import Answer
from adapter.servers.rest_app import CONNECTION_KEY, RestApp
from adapter.servers.rest_body import Event
from adapter.servers.rest_options import RestOptions
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.asgi import Client, a_scope
from tests.fakes.unary_calls import FakeUnaryCalls, Reply

OPTIONS = RestOptions(body_bytes_max=1000, bodies_bytes_max=4000, compressed_bytes_min=100)


def a_client(**replies: Reply) -> Client:
    return Client(RestApp(FakeUnaryCalls(replies=replies), OPTIONS))


def an_index(models: int) -> v2.RepositoryIndexResponse:
    response = v2.RepositoryIndexResponse()
    for number in range(models):
        response.models.add(name=f"model-{number}")
    return response


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        pytest.param("GET", "/nowhere", 404, (5, "Not Found: /nowhere is no path"), id="no path"),
        pytest.param("DELETE", "/v2", 405, (12, "Method Not Allowed"), id="another method"),
        pytest.param("GET", "/v2/models/%ff", 400, (3, "UTF-8"), id="no UTF-8"),
        pytest.param("GET", "/v2", 501, (12, "not laid ready"), id="the call's own"),
    ],
)
async def test_every_error_is_told_in_both_forms(
    method: str, path: str, status: int, error: tuple[int, str]
) -> None:
    answer = await a_client().ask(method, path, headers={})
    assert answer.status == status
    assert answer.json.keys() == {"error", "code", "message"}
    assert answer.json["error"] == answer.json["message"]
    assert answer.json["code"] == error[0]
    assert error[1] in answer.json["error"]


async def test_what_nobody_foresaw_tells_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Message) -> Message:
        raise ZeroDivisionError("secret")

    answer = await a_client(ServerLive=broken).get("/v2/health/live")
    assert (answer.status, answer.json["code"]) == (500, Code.INTERNAL)
    assert "secret" not in answer.json["error"]
    assert "a request failed unexpectedly" in caplog.text


async def test_metadata_of_the_call_are_headers_of_the_answer() -> None:
    failed = Answer(code=Code.NOT_FOUND, text="nobody", trailing=[("why", "because")])
    answer = await a_client(ModelReady=failed).get("/v2/models/m/ready")
    assert (answer.status, answer.headers["grpc-trailer-why"]) == (404, "because")


async def test_a_large_answer_is_compressed_if_the_client_asks() -> None:
    client = a_client(RepositoryIndex=an_index(20))
    packed = await client.get("/v2/models", accept_encoding="gzip")
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "accept-encoding")
    plain = await client.get("/v2/models", accept_encoding="br")
    assert gzip.decompress(packed.body) == plain.body
    assert "content-encoding" not in plain.headers


async def test_a_small_answer_is_not_compressed() -> None:
    answer = await a_client().get("/", accept_encoding="gzip")
    assert (answer.json, "content-encoding" in answer.headers) == ({"status": "alive"}, False)


async def test_a_body_that_is_refused_unread_ends_the_connection_of_who_awaits_a_continue() -> None:
    client = a_client()
    asked = {"content-length": "1001", "expect": "100-continue"}
    answer = await client.ask("POST", "/v2/models/m/infer", headers=asked)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    answer = await client.ask("POST", "/v2/models/m/infer", headers={"content-length": "1001"})
    assert "connection" not in answer.headers


async def test_nothing_is_held_once_a_request_is_answered() -> None:
    app = RestApp(FakeUnaryCalls(), OPTIONS)
    for _ in range(10):  # more than all may hold together
        assert (await Client(app).post("/v2/models/m/infer", b"x" * 900)).status == 400
    assert app._budget.held_bytes == 0


class AConnection:
    answering: asyncio.Task[Any] | None = None


@pytest.mark.parametrize("leaves", ["while answered", "before its body is there"])
async def test_a_client_that_goes_away_cancels_its_call(leaves: str) -> None:
    calls = FakeUnaryCalls(hold=asyncio.Event())
    connection, told = AConnection(), list[Event]()
    scope = a_scope("GET" if leaves == "while answered" else "POST", "/v2/models/m/ready", {})
    if leaves != "while answered":
        scope["raw_path"] = b"/v2/models/m/infer"
    scope["state"][CONNECTION_KEY] = connection

    async def receive() -> Event:
        return {"type": "http.disconnect"}

    async def send(event: Event) -> None:
        told.append(event)

    async with asyncio.TaskGroup() as owner:
        task = owner.create_task(RestApp(calls, OPTIONS)(scope, receive, send))
        if leaves == "while answered":
            await calls.begun.wait()
            assert connection.answering is task
            task.cancel()
    assert calls.cancelled.is_set() is (leaves == "while answered")
    assert connection.answering is None
    assert [event.get("status") for event in told[:1]] == ([503] if told else [])


async def test_only_requests_are_answered() -> None:
    async def receive() -> Event:
        raise AssertionError

    async def send(_: Event) -> None:
        raise AssertionError

    await RestApp(FakeUnaryCalls(), OPTIONS)({"type": "lifespan"}, receive, send)
