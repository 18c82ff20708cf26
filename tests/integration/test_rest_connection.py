"""HTTP as hostile, hurried and odd clients speak it, over raw sockets, with both event loops."""

import asyncio
import json

import pytest
import uvloop

from adapter.servers import rest_gateway
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.rest_talk import ALIVE, INFER, Run, run_in, served
from tests.fakes.unary_calls import FakeUnaryCalls

READY = b"GET /v2/models/m/ready HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a story to its end, in a world in which clients are looked at often."""
    monkeypatch.setattr(rest_gateway, "TICK_S", 0.02)
    return run_in(request.param)


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
