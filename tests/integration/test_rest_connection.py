"""HTTP as hostile, hurried and odd clients speak it, over raw sockets, with both event loops."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import uvloop

from adapter.servers import rest_gateway
from adapter.servers.rest_gateway import rest_serving
from adapter.servers.rest_options import RestOptions
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.unary_calls import FakeUnaryCalls

WAIT_S_MAX = 20.0
OPTIONS = RestOptions(body_bytes_max=100_000, stop_grace_s=0.0)
ALIVE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
READY = b"GET /v2/models/m/ready HTTP/1.1\r\nHost: x\r\n\r\n"
INFER = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\n"

Story = Callable[[], Awaitable[None]]
Run = Callable[[Story], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a story to its end, in a world in which clients are looked at often."""
    monkeypatch.setattr(rest_gateway, "TICK_S", 0.02)

    def run_(story: Story) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(WAIT_S_MAX):
                await story()

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(bounded())

    return run_


@dataclass(frozen=True, slots=True)
class Got:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        told = json.loads(self.body)
        assert told["error"] == told["message"]
        return str(told["error"])


class Talk:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, *pieces: bytes) -> None:
        self.writer.writelines(pieces)

    async def answer(self) -> Got:
        status = int((await self.reader.readline()).split()[1])
        headers = {}
        while line := (await self.reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Got(status, headers, body)

    async def ask(self, *pieces: bytes) -> Got:
        self.say(*pieces)
        return await self.answer()

    async def is_over(self) -> bool:
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def served(
    calls: FakeUnaryCalls | None = None, **options: Any
) -> AsyncIterator[Callable[[], Awaitable[Talk]]]:
    """A door, and what connects to it."""
    talks: list[Talk] = []
    limits = replace(OPTIONS, **options)
    async with rest_serving(calls or FakeUnaryCalls(), host="127.0.0.1", port=0, options=limits) as port:

        async def connect() -> Talk:
            talks.append(Talk(*await asyncio.open_connection("127.0.0.1", port)))
            return talks[-1]

        yield connect
        for talk in talks:
            talk.writer.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    ],
    ids=["TLS", "HTTP/2", "a version", "two lengths", "no chunk", "length and chunks"],
)
def test_garbage_is_refused_and_hurts_nobody_else(run: Run, garbage: bytes) -> None:
    async def story() -> None:
        async with served() as connect:
            talk, other = await connect(), await connect()
            refused = await talk.ask(garbage)
            assert (refused.status, refused.headers["connection"]) == (400, "close")
            assert refused.headers["content-type"] == "application/json"
            assert await talk.is_over()
            assert (await other.ask(ALIVE)).status == 200

    run(story)


@pytest.mark.parametrize(
    "pieces",
    [(b"x" * 9000 + b"\r\n\r\n",), (b"x" * 5000, b"x" * 5000, b"x" * 5000)],
    ids=["at once", "in pieces without an end"],
)
def test_a_head_beyond_the_bound_is_refused(run: Run, pieces: tuple[bytes, ...]) -> None:
    async def story() -> None:
        async with served() as connect:
            talk = await connect()
            talk.say(b"GET / HTTP/1.1\r\nX: ")
            for piece in pieces:
                await talk.writer.drain()
                await asyncio.sleep(0.02)  # else they arrive as one
                talk.say(piece)
            assert (await talk.answer()).status == 431
            assert await talk.is_over()

    run(story)


def test_a_head_within_the_bound_comes_in_as_many_pieces_as_it_likes(run: Run) -> None:
    async def story() -> None:
        async with served() as connect:
            talk = await connect()
            for byte in b"GET / HTTP/1.1\r\nX: y\r\n\r\n":
                talk.say(bytes([byte]))
                await asyncio.sleep(0)
            assert (await talk.answer()).status == 200
            head = b"GET / HTTP/1.1\r\nX: " + b"x" * 8000 + b"\r\n\r\n"
            assert (await talk.ask(head)).status == 200

    run(story)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"\r\n", None, id="a blank line"),
        pytest.param(b"GET / HT", 408, id="half a head"),
        pytest.param(INFER + b"Content-Length: 9\r\n\r\n{", 408, id="half a body"),
        pytest.param(INFER + b"Content-Length: 999999\r\n\r\n{", 413, id="a refused body"),
    ],
)
def test_slow_clients_are_sent_away(run: Run, said: bytes, status: int | None) -> None:
    async def story() -> None:
        async with served(request_s_max=0.1) as connect:
            talk = await connect()
            talk.say(said)
            if status:
                assert (await talk.answer()).status == status
            assert await talk.is_over()

    run(story)


def test_an_idle_connection_is_closed(run: Run) -> None:
    async def story() -> None:
        async with served(keep_alive_s=1.0) as connect:
            talk = await connect()
            assert (await talk.ask(ALIVE)).status == 200
            assert await talk.is_over()

    run(story)


def test_a_client_that_takes_nothing_of_its_answer_is_sent_away(run: Run) -> None:
    index = v2.RepositoryIndexResponse()
    for _ in range(1000):
        index.models.add(name="m", reason="x" * 10_000)
    calls = FakeUnaryCalls(replies={"RepositoryIndex": index})

    async def story() -> None:
        async with served(calls, answer_stall_s_max=0.1) as connect:
            talk = await connect()
            talk.say(b"POST /v2/repository/index HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
            await talk.writer.drain()
            await calls.begun.wait()
            await asyncio.sleep(0.5)  # in which it reads nothing
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await talk.answer()

    run(story)


def test_more_connections_than_may_be_are_refused(run: Run) -> None:
    async def story() -> None:
        async with served(connections_max=1) as connect:
            first = await connect()
            assert (await first.ask(ALIVE)).status == 200
            second = await connect()
            assert (await second.answer()).status == 503
            assert await second.is_over()
            first.writer.close()
            await first.writer.wait_closed()
            statuses = [(await (await connect()).ask(ALIVE)).status]
            while statuses[-1] == 503:  # the server has still to hear of it
                statuses.append((await (await connect()).ask(ALIVE)).status)
            assert statuses[-1] == 200

    run(story)


def test_a_client_that_goes_away_cancels_its_call(run: Run) -> None:
    async def story() -> None:
        calls = FakeUnaryCalls(hold=asyncio.Event())
        async with served(calls) as connect:
            talk = await connect()
            talk.say(READY)
            await calls.begun.wait()
            talk.writer.transport.abort()
            await calls.cancelled.wait()

    run(story)


def test_requests_can_be_sent_ahead(run: Run) -> None:
    async def story() -> None:
        calls = FakeUnaryCalls(replies={"ModelReady": v2.ModelReadyResponse(ready=True)})
        async with served(calls) as connect:
            talk = await connect()
            talk.say(READY + ALIVE + READY)
            answers = [await talk.answer() for _ in range(3)]
            assert [json.loads(got.body).get("status") for got in answers] == [None, "alive", None]

    run(story)


def test_a_refused_body_does_not_spoil_the_next_request(run: Run) -> None:
    async def story() -> None:
        async with served() as connect:
            talk = await connect()
            talk.say(INFER + b"Content-Length: 200000\r\n\r\n")
            assert (await talk.answer()).status == 413
            assert (await talk.ask(b"x" * 200_000, ALIVE)).status == 200
            chunk = b"%x\r\n%s\r\n" % (150_000, b"x" * 150_000)
            chunked = INFER + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"
            assert (await talk.ask(chunked)).status == 413
            assert (await talk.ask(ALIVE)).status == 200

    run(story)


def test_who_awaits_a_continue_gets_it_or_the_refusal(run: Run) -> None:
    async def story() -> None:
        async with served() as connect:
            talk = await connect()
            wait = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
            assert (await talk.ask(INFER + wait % 2)).status == 100
            assert (await talk.ask(b"{}")).error == "inputs: is missing"
            refused = await talk.ask(INFER + wait % 200_000)
            assert (refused.status, refused.headers["connection"]) == (413, "close")
            assert await talk.is_over()

    run(story)


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", True, id="HTTP/1.0"),
        pytest.param(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", True, id="the last"),
        pytest.param(b"GET http://elsewhere/ HTTP/1.1\r\nHost: elsewhere\r\n\r\n", False, id="a whole URL"),
    ],
)
def test_odd_requests_are_answered(run: Run, said: bytes, ends: bool) -> None:
    async def story() -> None:
        async with served() as connect:
            talk = await connect()
            got = await talk.ask(said)
            assert (got.status, json.loads(got.body)) == (200, {"status": "alive"})
            assert got.headers["date"].endswith("GMT")
            if ends:
                assert await talk.is_over()

    run(story)


def test_an_offer_of_http2_loses_no_body(run: Run) -> None:
    async def story() -> None:
        async with served() as connect:
            talk = await connect()
            offer = b"Connection: Upgrade, HTTP2-Settings\r\nUPGRADE: h2c\r\nHTTP2-Settings: A\r\n"
            for _ in range(2):
                got = await talk.ask(INFER + offer + b'Content-Length: 13\r\n\r\n{"inputs": 7}')
                assert got.error == "inputs: must be a list, not a number"

    run(story)


def test_a_head_request_has_no_body(run: Run) -> None:
    async def story() -> None:
        async with served() as connect:
            talk = await connect()
            talk.say(b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
            said = await talk.reader.read()
            assert b"content-length: 18" in said
            assert said.endswith(b"\r\n\r\n")

    run(story)


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
