"""How a client's connection comes to its end."""

import pytest
from hyperframe.frame import PingFrame

from adapter.domain.errors import Code
from adapter.http2.control_frames import DRAIN_PING
from adapter.http2.flow import Limits
from adapter.http2.frames import STREAM_ID_MAX, ErrorCode
from tests.fakes.relay_play import Play


def test_a_client_that_is_lost_cancels_its_calls() -> None:
    play = Play()
    client, other = play.client(), play.client()
    client.call()
    client.begin()
    other.call()
    play.lose(client)
    assert [seen.reset for seen in play.runtime.calls] == [ErrorCode.CANCEL, ErrorCode.CANCEL, None]
    assert play.router.codes == [Code.CANCELLED] * 2
    play.check()


def test_a_drained_connection_ends_when_its_calls_have() -> None:
    play = Play()
    client = play.client()
    seen = client.call()
    play.relay.drain(play.shared.now_s + 100)
    play.settle()
    assert client.goaways == [(ErrorCode.NO_ERROR, STREAM_ID_MAX, "")]
    late = client.call()
    client.send(PingFrame(0, client.pings[0], flags=["ACK"]))
    assert client.goaways[1:] == [(ErrorCode.NO_ERROR, 3, "")]
    refused = client.call()
    assert refused.reset is ErrorCode.REFUSED_STREAM
    play.runtime.answer(1)
    assert not client.outlet.closed
    play.runtime.answer(3)
    assert (seen.code, late.code) == (Code.OK, Code.OK)
    assert client.error is ErrorCode.NO_ERROR
    assert play.counts.connection_errors == {}
    play.check_rest()


def test_a_drained_connection_without_calls_ends_as_soon_as_the_client_has_heard() -> None:
    play = Play()
    client = play.client()
    play.relay.drain(play.shared.now_s + 100)
    play.settle()
    assert not client.outlet.closed
    client.send(PingFrame(0, DRAIN_PING, flags=["ACK"]))
    assert client.outlet.closed


def test_the_time_to_drain_is_limited() -> None:
    play = Play()
    client = play.client()
    seen = client.call()
    play.relay.drain(play.shared.now_s + 10)
    play.pass_s(9)
    assert not client.outlet.closed
    play.pass_s(2)
    assert client.error is ErrorCode.NO_ERROR
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    assert seen.reset is None
    play.check_rest()


def test_who_greets_while_we_drain_is_drained_too() -> None:
    play = Play()
    client = play.stranger()
    play.relay.drain(play.shared.now_s + 100)
    client.greet()
    assert client.goaways == [(ErrorCode.NO_ERROR, STREAM_ID_MAX, "")]
    client.send(PingFrame(0, client.pings[0], flags=["ACK"]))
    assert client.outlet.closed


def test_a_client_that_goes_away_gets_its_answers() -> None:
    play = Play()
    client = play.client()
    seen = client.call()
    client.go_away(0)
    play.runtime.answer(1)
    assert seen.code is Code.OK


def test_an_idle_connection_is_drained_once() -> None:
    play = Play(Limits(idle_s_max=100, keepalive_s=1000, keepalive_timeout_s=20))
    client = play.client()
    client.call()
    play.pass_s(200)
    assert not client.goaways
    play.runtime.answer(1)
    play.pass_s(99)
    assert not client.goaways
    for _ in range(5):
        play.pass_s(2)
    assert client.goaways == [(ErrorCode.NO_ERROR, STREAM_ID_MAX, "")]
    assert play.counts.limits_hit == {"idle_s_max": 1}
    client.send(PingFrame(0, client.pings[0], flags=["ACK"]))
    assert client.outlet.closed
    play.check()


def test_a_call_that_begins_as_its_connection_is_found_idle_is_answered() -> None:
    play = Play(Limits(idle_s_max=100, keepalive_s=1000, keepalive_timeout_s=20))
    client = play.client()
    play.pass_s(101)
    seen = client.call()
    client.send(PingFrame(0, client.pings[0], flags=["ACK"]))
    play.pass_s(30)
    play.runtime.answer(1)
    assert seen.code is Code.OK
    assert client.error is ErrorCode.NO_ERROR
    play.check_rest()


def test_an_idle_client_that_does_not_answer_is_given_up() -> None:
    play = Play(Limits(idle_s_max=100, keepalive_s=200, keepalive_timeout_s=20))
    client = play.client()
    for seconds in (101, 100, 21):
        assert not client.outlet.closed
        play.pass_s(seconds)
    assert client.outlet.closed


@pytest.mark.parametrize("grace_s", [None, 10.0])
def test_an_old_connection_is_drained(grace_s: float | None) -> None:
    play = Play(Limits(age_s_max=100, age_grace_s=grace_s))
    client = play.client()
    client.call()
    play.pass_s(99)
    assert not client.goaways
    play.pass_s(2)
    play.pass_s(2)
    assert client.goaways == [(ErrorCode.NO_ERROR, STREAM_ID_MAX, "")]
    play.pass_s(20)
    assert client.outlet.closed is (grace_s is not None)
    play.check()


def test_a_client_that_reads_nothing_is_given_up() -> None:
    play = Play(Limits(stall_s_max=60))
    client = play.client()
    play.block(client)
    client.connection.blocked_since_s = play.shared.now_s  # type: ignore[attr-defined]
    play.pass_s(59)
    assert not client.outlet.closed
    play.pass_s(2)
    assert client.error is ErrorCode.ENHANCE_YOUR_CALM
    assert play.counts.limits_hit == {"stall_s_max": 1}
