import pytest

from adapter.domain.errors import Code, RuntimeFailed
from adapter.servers.calls import Answer
from adapter.servers.rest_answers import CallFailed
from adapter.servers.rest_body import Body, BodyBudget, Event
from adapter.servers.rest_exchange import Exchange
from adapter.servers.rest_headers import read_headers
from adapter.servers.rest_routes import Action, Route
from adapter.stubs.inference import open_inference_pb2 as v2
from tests.fakes.unary_calls import FakeUnaryCalls


def an_exchange(calls: FakeUnaryCalls, **told: bytes) -> Exchange:
    async def receive() -> Event:
        return {"type": "http.disconnect"}

    headers = read_headers([(name.replace("_", "-").encode(), value) for name, value in told.items()])
    body = Body(receive, headers, bytes_max=1, budget=BodyBudget(1))
    return Exchange(Route(Action.SERVER), headers, body, calls)


async def call(exchange: Exchange) -> v2.ServerLiveResponse:
    return await exchange.call("ServerLive", v2.ServerLiveRequest(), v2.ServerLiveResponse)


async def test_headers_go_with_the_call_and_metadata_come_back() -> None:
    answer = Answer(initial=[("a", "1")], message=v2.ServerLiveResponse(live=True).SerializeToString())
    calls = FakeUnaryCalls(replies={"ServerLive": answer})
    exchange = an_exchange(calls, grpc_timeout=b"5S", grpc_metadata_x=b"y")
    assert (await call(exchange)).live
    (made,) = calls.made
    assert (made.timeout_s, list(made.metadata)) == (5.0, [("x", "y")])
    assert exchange.metadata_headers == [(b"grpc-metadata-a", b"1")]


async def test_an_error_keeps_its_code_and_its_metadata() -> None:
    answer = Answer(code=Code.NOT_FOUND, text="nobody", trailing=[("a", "1")])
    exchange = an_exchange(FakeUnaryCalls(replies={"ServerLive": answer}))
    with pytest.raises(CallFailed, match="nobody") as caught:
        await call(exchange)
    assert caught.value.failed_with is Code.NOT_FOUND
    assert exchange.metadata_headers == [(b"grpc-trailer-a", b"1")]


@pytest.mark.parametrize("message", [None, b"\xff\xff"], ids=["nothing", "garbage"])
async def test_an_answer_that_is_no_message_is_the_runtimes_fault(message: bytes | None) -> None:
    with pytest.raises(RuntimeFailed, match="ServerLive was answered with"):
        await call(an_exchange(FakeUnaryCalls(replies={"ServerLive": Answer(message=message)})))
