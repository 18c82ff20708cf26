import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from adapter.domain.errors import Code
from adapter.servers.calls import Answer
from adapter.servers.rest_answers import Header, HttpAnswer
from adapter.servers.rest_app import RestApp
from adapter.servers.rest_body import THREAD_BYTES_MIN, BodyBudget
from adapter.servers.rest_options import RestOptions
from adapter.servers.rest_quick import QuickCall, QuickInference
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.asgi import Client
from tests.fakes.unary_calls import FakeUnaryCalls, Reply

URL = "/v2/models/m/infer"
OPTIONS = RestOptions(body_bytes_max=10_000, compressed_bytes_min=200)
TENSOR = {"name": "x", "shape": [2], "datatype": "FP32", "data": [1.5, 2]}
BODY = json.dumps({"inputs": [TENSOR]}).encode()


def a_response(elements: int = 2, **fields: Any) -> v2.ModelInferResponse:
    response = v2.ModelInferResponse(model_name="m", raw_output_contents=[bytes(4 * elements)], **fields)
    response.outputs.add(name="y", datatype="FP32", shape=[elements])
    return response


class Asked:
    """A `QuickInference`, and what came of one request."""

    def __init__(self, reply: Reply, *, hold: asyncio.Event | None = None) -> None:
        self.calls = FakeUnaryCalls(replies={"ModelInfer": reply}, hold=hold)
        self.budget = BodyBudget(20_000)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.quick = QuickInference(self.calls, OPTIONS, budget=self.budget, tasks=self.tasks)
        self.answers: list[HttpAnswer] = []
        self.call: QuickCall | None = None

    def ask(self, body: bytes = BODY, /, url: str = URL, **headers: str) -> bool:
        """Gives whether it is answered here."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("content-length", str(len(body)))
        taken = self.quick.taken(
            url.encode(), [(name.encode(), value.encode()) for name, value in named.items()]
        )
        self.call = taken and self.quick.begin(taken, body, self.answers.append)
        return self.call is not None

    @property
    def answer(self) -> HttpAnswer:
        (answer,) = self.answers
        return answer


@pytest.mark.parametrize(
    ("reply", "headers"),
    [
        pytest.param(a_response(), {}, id="plain"),
        pytest.param(
            a_response(id="7"), {"authorization": "Bearer x", "grpc_metadata_a": "b"}, id="metadata"
        ),
        pytest.param(Answer(code=Code.NOT_FOUND, text="nobody", trailing=[("why", "so")]), {}, id="an error"),
        pytest.param(Answer(code=Code.UNAUTHENTICATED), {}, id="a challenge"),
        pytest.param(Answer(), {}, id="no message"),
        pytest.param(Answer(message=b"\x0a\x05"), {}, id="another message"),
        pytest.param(
            Answer(message=a_response().SerializeToString(), initial=[("a", "b")]), {}, id="headers"
        ),
        pytest.param(a_response(100), {"accept_encoding": "gzip"}, id="compressed"),
        pytest.param(a_response(100), {"accept_encoding": "br"}, id="not compressed"),
        pytest.param(a_response(20_000), {}, id="large"),
        pytest.param(a_response(20_000), {"accept_encoding": "deflate"}, id="large and compressed"),
    ],
)
async def test_it_answers_as_the_application_does(reply: Reply, headers: dict[str, str]) -> None:
    asked = Asked(reply)
    assert asked.ask(BODY, **headers)
    await asyncio.gather(*asked.tasks)
    calls = FakeUnaryCalls(replies={"ModelInfer": reply})
    wanted = await Client(RestApp(calls, OPTIONS)).post(URL, BODY, **headers)
    answer = asked.answer
    assert (answer.status, answer.body) == (wanted.status, wanted.body)
    told: list[Header] = [(name.encode(), value.encode()) for name, value in wanted.headers.items()]
    assert [*answer.headers, (b"content-length", b"%d" % len(answer.body))] == told
    assert [*asked.calls.made[0].metadata] == [*calls.made[0].metadata]
    assert asked.calls.made[0].request == calls.made[0].request
    assert asked.budget.held_bytes == 0


@pytest.mark.parametrize(
    ("body", "options"),
    [
        pytest.param(BODY, {"url": "/v2/models/m/ready"}, id="no inference"),
        pytest.param(BODY, {"url": "/v2/models/m/infer?a=b"}, id="a query"),
        pytest.param(BODY, {"content_encoding": "gzip"}, id="packed"),
        pytest.param(BODY, {"expect": "100-continue"}, id="a client that waits"),
        pytest.param(BODY, {"grpc_timeout": "1S"}, id="a deadline"),
        pytest.param(BODY, {"content_length": ""}, id="chunks"),
        pytest.param(BODY, {"content_length": "10001"}, id="too large"),
        pytest.param(BODY, {"content_length": "9" * 20}, id="much too large"),
        pytest.param(BODY, {"grpc_metadata_ä": "b"}, id="metadata that cannot be"),
        pytest.param(BODY, {"inference_header_content_length": "x"}, id="a length that is none"),
        pytest.param(b"{", {}, id="no JSON"),
        pytest.param(b'{"inputs": 7}', {}, id="no request"),
    ],
)
async def test_all_else_is_the_applications(body: bytes, options: dict[str, str]) -> None:
    asked = Asked(a_response())
    assert not asked.ask(body, **options)
    assert (asked.calls.made, asked.answers, asked.budget.held_bytes) == ([], [], 0)


async def test_so_is_what_finds_no_memory_left() -> None:
    asked = Asked(a_response())
    asked.budget.take(20_000)
    assert not asked.ask()


async def test_so_is_what_cannot_be_called() -> None:
    class Broken(FakeUnaryCalls):
        def begin(self, *_: object, **__: object) -> Callable[[], None]:
            raise ZeroDivisionError

    asked = Asked(a_response())
    asked.quick.calls = Broken()
    assert not asked.ask()
    assert asked.budget.held_bytes == 0


async def test_what_nobody_foresaw_tells_nothing_of_the_inside(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> HttpAnswer:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("adapter.servers.rest_quick.infer_answer", broken)
    asked = Asked(a_response())
    assert asked.ask()
    assert asked.answer.status == 500
    assert b"secret" not in asked.answer.body
    assert "a request failed unexpectedly" in caplog.text


def large(_: Message) -> Message:
    return a_response(THREAD_BYTES_MIN)


@pytest.mark.parametrize("reply", [a_response(), large], ids=["in the call", "in the work on its answer"])
async def test_who_leaves_is_told_nothing_and_ends_the_call(reply: Reply) -> None:
    go = asyncio.Event()
    asked = Asked(reply, hold=go)
    assert asked.ask()
    assert asked.budget.held_bytes == len(BODY)
    await asked.calls.begun.wait()
    if reply is large:
        go.set()
        for _ in range(3):  # until the call has ended
            await asyncio.sleep(0)
        assert asked.tasks
    assert asked.call is not None
    asked.call.cancel()
    asked.call.cancel()
    go.set()
    await asyncio.gather(*asked.tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert asked.calls.cancelled.is_set() is (reply is not large)
    assert (asked.answers, asked.budget.held_bytes) == ([], 0)


async def test_an_answer_that_comes_after_all_is_dropped() -> None:
    kept: list[Callable[[Answer], None]] = []

    class Slow(FakeUnaryCalls):
        def begin(self, *_: object, answered: Callable[[Answer], None], **__: object) -> Callable[[], None]:
            kept.append(answered)
            return lambda: None

    asked = Asked(a_response())
    asked.quick.calls = Slow()
    assert asked.ask()
    assert asked.call is not None
    asked.call.cancel()
    kept[0](Answer())
    assert asked.answers == []


async def test_a_compressed_answer_is_the_same_answer() -> None:
    asked = Asked(a_response(100))
    assert asked.ask(accept_encoding="gzip")
    await asyncio.gather(*asked.tasks)
    assert json.loads(gzip.decompress(asked.answer.body))["outputs"][0]["shape"] == [100]
