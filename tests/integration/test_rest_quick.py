"""Inference that the application does not know of, over raw sockets, with both event loops."""

import asyncio
import gc
import json
from dataclasses import replace

import pytest
import uvloop

from adapter.servers import rest_gateway
from adapter.servers.rest_gateway import rest_serving
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.rest_talk import ALIVE, INFER, OPTIONS, WAIT_S_MAX, Got, Run, Talk, run_in, served
from tests.fakes.unary_calls import FakeUnaryCalls

TENSOR = {"name": "x", "shape": [2], "datatype": "FP32", "data": [1.5, 2]}
PLAIN = json.dumps({"inputs": [TENSOR]}).encode()
QUICK = INFER + b"Content-Length: %d\r\n\r\n" % len(PLAIN) + PLAIN
"""What is answered without the application."""


def an_answer() -> v2.ModelInferResponse:
    response = v2.ModelInferResponse(model_name="m", raw_output_contents=[bytes(8)])
    response.outputs.add(name="y", datatype="FP32", shape=[2])
    return response


def inferring(hold: asyncio.Event | None = None) -> FakeUnaryCalls:
    return FakeUnaryCalls(replies={"ModelInfer": an_answer()}, hold=hold)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a story to its end, in a world in which clients are looked at often."""
    monkeypatch.setattr(rest_gateway, "TICK_S", 0.02)
    return run_in(request.param)


@pytest.mark.parametrize("held", [False, True], ids=["at once", "later"])
def test_inferences_are_answered_in_the_order_of_the_requests(run: Run, held: bool) -> None:
    async def story() -> None:
        go = asyncio.Event() if held else None
        calls = inferring(go)
        async with served(calls) as connect:
            talk = await connect()
            talk.say(QUICK + ALIVE + QUICK + QUICK)
            await calls.begun.wait()
            if go:
                go.set()
            answers = [await talk.answer() for _ in range(4)]
            assert [json.loads(got.body).get("status") for got in answers] == [None, "alive", None, None]
            assert answers[0].headers.keys() == {"date", "content-type", "content-length"}
            assert answers[0].body == answers[2].body

    run(story)


@pytest.mark.parametrize("step", [1, 7, len(QUICK) - len(PLAIN)], ids=["bytes", "bits", "head and body"])
def test_an_inference_comes_in_as_many_pieces_as_it_likes(run: Run, step: int) -> None:
    async def story() -> None:
        async with served(inferring()) as connect:
            talk = await connect()
            for start in range(0, len(QUICK), step):
                talk.say(QUICK[start : start + step])
                await asyncio.sleep(0)
            assert (await talk.answer()).status == 200
            assert (await talk.ask(QUICK)).status == 200

    run(story)


def test_a_body_may_look_like_an_offer_of_http2(run: Run) -> None:
    body = b'{"id": "h2c", "inputs": [],\r\nupgrade: 1'

    async def story() -> None:
        async with served(inferring()) as connect:
            talk = await connect()
            talk.say(INFER + b"Content-Length: %d\r\n\r\n" % len(body))
            await talk.writer.drain()
            await asyncio.sleep(0.05)  # else they arrive as one
            assert "upgrade" not in (await talk.ask(body)).error
            assert (await talk.ask(QUICK)).status == 200

    run(story)


def test_an_inference_that_is_wrong_is_refused_as_ever(run: Run) -> None:
    async def story() -> None:
        async with served(inferring()) as connect:
            talk = await connect()
            for _ in range(2):
                got = await talk.ask(INFER + b'Content-Length: 13\r\n\r\n{"inputs": 7}')
                assert (got.status, got.error) == (400, "inputs: must be a list, not a number")
                assert (await talk.ask(QUICK)).status == 200

    run(story)


def test_a_client_that_goes_away_cancels_its_inference(run: Run) -> None:
    async def story() -> None:
        calls = inferring(asyncio.Event())
        async with served(calls) as connect:
            talk = await connect()
            talk.say(QUICK)
            await calls.begun.wait()
            talk.writer.transport.abort()
            await calls.cancelled.wait()

    run(story)


@pytest.mark.parametrize("line", [b"Connection: close\r\n", b""], ids=["the last", "HTTP/1.0"])
def test_the_last_inference_ends_the_connection(run: Run, line: bytes) -> None:
    said = QUICK.replace(b"Host: x\r\n", line)
    if not line:
        said = said.replace(b"HTTP/1.1", b"HTTP/1.0")

    async def story() -> None:
        async with served(inferring()) as connect:
            talk = await connect()
            got = await talk.ask(said)
            assert (got.status, got.headers["connection"]) == (200, "close")
            assert await talk.is_over()

    run(story)


def test_an_idle_connection_is_closed_after_an_inference(run: Run) -> None:
    async def story() -> None:
        async with served(inferring(), keep_alive_s=0.1) as connect:
            talk = await connect()
            for _ in range(3):
                assert (await talk.ask(QUICK)).status == 200
                await asyncio.sleep(0.05)
            assert await talk.is_over()

    run(story)


@pytest.mark.parametrize("grace_s", [WAIT_S_MAX, 0.0], ids=["answered", "given up"])
@pytest.mark.parametrize("whole", [True, False], ids=["in flight", "half there"])
def test_inferences_have_a_grace_when_the_door_closes(run: Run, grace_s: float, whole: bool) -> None:
    async def story() -> None:
        go = asyncio.Event()
        calls = inferring(go)
        options = replace(OPTIONS, stop_grace_s=grace_s)
        async with (
            asyncio.TaskGroup() as owner,
            rest_serving(calls, host="127.0.0.1", port=0, options=options) as port,
        ):
            talk = Talk(*await asyncio.open_connection("127.0.0.1", port))
            talk.say(QUICK if whole else QUICK[:-1])
            await (calls.begun.wait() if whole else asyncio.sleep(0.05))

            async def ends() -> Got:
                await asyncio.sleep(0.05)  # the door is closing
                if grace_s:
                    talk.say(QUICK[-1:] * (not whole))
                    go.set()
                return await talk.answer()

            answer = owner.create_task(ends())
        talk.writer.close()
        got = answer.result()
        assert (got.status, got.headers["connection"]) == (200 if grace_s else 503, "close")

    run(story)


def test_what_is_answered_leaves_nothing_behind(run: Run) -> None:
    async def story() -> None:
        async with served(inferring()) as connect:
            talk = await connect()
            await talk.ask(QUICK)
            gc.collect()
            gc.disable()
            try:
                for _ in range(50):
                    await talk.ask(QUICK)
                assert gc.collect() < 50  # else each would leave a cycle
            finally:
                gc.enable()

    run(story)
