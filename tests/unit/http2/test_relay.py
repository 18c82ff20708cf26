import pytest

from adapter.domain.errors import Code, MethodNotPermitted
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode
from adapter.http2.verdicts import ANYONE, Answer, Plan
from tests.fakes.relay_peers import RPC, framed
from tests.fakes.relay_play import Play


def test_connections_and_calls_are_counted() -> None:
    play = Play()
    one, other = play.client(), play.client()
    one.call()
    other.call()
    counts = play.counts
    assert (counts.connections_opened, counts.connections_open) == (2, 2)
    assert (counts.upstream_connections_opened, counts.upstream_connections_open) == (1, 1)
    assert (counts.calls_begun, counts.calls_open) == (2, 2)
    play.runtime.answer(1)
    play.lose(other)
    assert (counts.calls_begun, counts.calls_open) == (2, 0)
    assert (counts.connections_opened, counts.connections_open) == (2, 1)
    assert counts.bytes_in > 0
    assert counts.bytes_out > 0
    play.check_rest()


def test_one_client_does_not_touch_another() -> None:
    play = Play()
    bad, good = play.client(), play.client()
    seen = good.call()
    bad.call()
    bad.send(b"\xff" * 100)
    assert bad.outlet.closed
    play.runtime.answer(1)
    assert seen.code is Code.OK
    play.check_rest()


def test_a_call_from_inside_comes_from_nobody() -> None:
    play = Play()
    call = play.relay.local_call(RPC, b"x", metadata=(), timeout_s=None, answered=lambda _: None, inner=True)
    play.local_calls.append(call)
    play.settle()
    assert play.router.planned == [(RPC, ANYONE)]
    assert call.inner
    assert "grpc-timeout" not in play.runtime.calls[0].blocks[0]
    play.check()


def test_a_call_from_inside_may_be_refused_before_it_returns() -> None:
    play = Play()
    play.router.plans[RPC] = MethodNotPermitted("no such method")
    answers: list[Answer] = []
    play.relay.local_call(RPC, b"x", metadata=(), timeout_s=None, answered=answers.append)
    assert answers == [Answer(code=Code.UNIMPLEMENTED, text="no such method", trailing=[])]
    play.check_rest()


@pytest.mark.parametrize("first", [False, True])
def test_a_call_from_inside_is_held_like_others(first: bool) -> None:
    play = Play()
    play.router.plans[RPC] = Plan(message_first=first)
    play.router.verdict = play.router.miss
    answers: list[Answer] = []
    call = play.relay.local_call(RPC, b"x" * 100_000, metadata=(), timeout_s=None, answered=answers.append)
    play.local_calls.append(call)
    play.resolve()
    play.runtime.widen(0, 100_000)
    play.runtime.widen(1, 100_000)
    assert play.runtime.streams[1].data == framed(b"x" * 100_000)
    play.runtime.answer(1)
    assert answers == [Answer(message=b"answer", initial=[], trailing=[])]
    play.check_rest()


def test_draining_asks_everybody_to_go() -> None:
    play = Play()
    clients = [play.client(), play.client()]
    play.relay.drain(play.shared.now_s + 10)
    play.settle()
    assert all(client.goaways for client in clients)


def test_closing_ends_everything_at_once() -> None:
    play = Play()
    client = play.client()
    client.call()
    waiting = play.client()
    play.router.verdict = play.router.miss
    waiting.call()
    play.relay.close()
    play.settle()
    assert client.outlet.closed
    assert waiting.outlet.closed
    assert play.runtime.outlet.closed
    play.check_rest()


def test_too_much_that_lies_here_is_made_room_for() -> None:
    play = Play(Limits(buffered_bytes_max=100_000))
    greedy, modest = play.client(), play.client()
    play.router.verdict = play.router.miss
    small = modest.call()
    large = [greedy.call(b"x" * 15_000) for _ in range(8)]
    assert play.counts.buffered_bytes <= 100_000
    assert {each.code for each in large} == {None, Code.RESOURCE_EXHAUSTED}
    assert play.counts.limits_hit["buffered_bytes_max"] >= 1
    assert not small.ended
    play.check()


def test_what_is_not_read_makes_room_first() -> None:
    play = Play(Limits(buffered_bytes_max=100_000))
    slow, good = play.client({4: 0}), play.client()
    seen = [slow.call() for _ in range(8)]
    beside = good.call()
    for stream_id in range(1, 17, 2):
        play.runtime.open(stream_id)
        play.runtime.data(stream_id, framed(b"x" * 15_000))
    assert ErrorCode.ENHANCE_YOUR_CALM in {each.reset for each in seen}
    assert play.counts.buffered_bytes <= 100_000
    play.runtime.answer(17)
    assert beside.code is Code.OK
    play.check()


def test_an_instance_can_be_asked_something_of_ours() -> None:
    play = Play()
    peer = play.peer("b")
    answers: list[Answer] = []
    call = play.relay.ask(peer, "mesh.Peer/hello", b"hi", timeout_s=2.0, answered=answers.append)
    play.local_calls.append(call)
    play.settle()
    (came,) = play.at("b").calls
    assert (came.blocks[0][":path"], came.data) == ("/mesh.Peer/hello", framed(b"hi"))
    assert came.blocks[0]["grpc-timeout"] == "2000000u"
    play.at("b").answer(1, b"I am b")
    assert [answer.message for answer in answers] == [b"I am b"]
    assert not play.router.planned
    assert not play.router.routed
    play.check_rest()


def test_an_instance_that_does_not_answer_what_we_ask_is_asked_once() -> None:
    play = Play()
    answers: list[Answer] = []
    play.relay.ask(play.peer("b"), "mesh.Peer/hello", b"", timeout_s=None, answered=answers.append)
    play.settle()
    play.lose(play.at("b"))
    assert [answer.code for answer in answers] == [Code.UNAVAILABLE]
    play.check_rest()
