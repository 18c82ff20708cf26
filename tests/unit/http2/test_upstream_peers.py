"""Other instances as upstreams: how soon one that does not answer is left, and how it comes back."""

import pytest

from adapter.domain.errors import Code
from adapter.http2.flow import PEER_PATIENCE
from adapter.http2.relay import TICK_S
from adapter.http2.upstream import PAUSE_S_MAX
from adapter.http2.verdicts import Target
from tests.fakes.relay_play import Play

SILENT_S = PEER_PATIENCE.keepalive_s + PEER_PATIENCE.keepalive_timeout_s
"""What a frozen instance costs those who wait for it, but for the ticks."""


@pytest.fixture
def play() -> Play:
    """All calls go to the instance `b`."""
    made = Play()
    made.upstream = made.peer("b")

    def forward(_: object) -> Target:
        target = Target(made.upstream, model="m")
        target.to_peer = True
        return made.router.pin(target)

    made.router.verdict = forward
    return made


def freeze(play: Play) -> None:
    """It takes connections, and says nothing any more."""
    play.frozen.add("b")


def answer_ping(play: Play) -> None:
    peer = play.at("b")
    peer.send(*[b"\0\0\x08\x06\x01\0\0\0\0" + ping for ping in peer.pings])
    peer.pings.clear()


def test_who_waits_for_a_frozen_instance_hears_of_it_soon(play: Play) -> None:
    play.client().call()
    freeze(play)
    play.tick_for(SILENT_S - TICK_S)
    assert not play.router.broken
    play.tick_for(3 * TICK_S)
    assert play.router.broken[0][1] == "the connection to b ended: no answer to PING"
    assert play.upstream.is_down


def test_an_instance_that_answers_pings_may_take_its_time(play: Play) -> None:
    seen = play.client().call()
    for _ in range(60):
        play.tick_for(TICK_S)
        answer_ping(play)
    assert not seen.ended
    play.at("b").answer(1)
    assert seen.code is Code.OK
    play.check_rest()


def test_an_idle_instance_is_not_asked(play: Play) -> None:
    play.client().call()
    play.at("b").answer(1)
    play.tick_for(60)
    assert not play.at("b").pings
    assert not play.upstream.is_down


def test_a_frozen_instance_is_not_reached_by_its_other_connections_either(play: Play) -> None:
    play.runtime_settings = {3: 1}
    client = play.client()
    client.call()
    client.call()
    first, second = [runtime for runtime in play.runtimes if runtime.name == "b"]
    second.answer(1)
    freeze(play)
    play.tick_for(SILENT_S + 3 * TICK_S)
    assert first.outlet.closed
    assert second.outlet.closed


def test_our_own_standstill_is_not_held_against_it(play: Play) -> None:
    seen = play.client().call()
    play.tick_for(1.5)
    assert play.at("b").pings
    play.pass_s(60)
    play.pass_s(TICK_S)
    assert not play.router.broken
    answer_ping(play)
    play.at("b").answer(1)
    assert seen.code is Code.OK


def test_an_instance_that_is_down_is_tried_without_a_call_until_it_answers(play: Play) -> None:
    play.connects = False
    seen = play.client().call()
    play.refuse_connection()
    while not seen.ended:
        play.tick_for(TICK_S)
        while play.connecting:
            play.refuse_connection()
    assert play.upstream.is_down
    tried = 0
    for _ in range(60):
        play.tick_for(TICK_S)
        tried += len(play.connecting)
        while play.connecting:
            play.refuse_connection()
    assert 10 < tried < 60 * TICK_S / PAUSE_S_MAX + 5
    play.connects = True
    play.tick_for(2 * PAUSE_S_MAX)
    assert not play.upstream.is_down
    again = play.client().call()
    play.at("b").answer(1)
    assert again.code is Code.OK
    play.check_rest()


def test_a_frozen_instance_stays_down_until_it_greets(play: Play) -> None:
    play.client().call()
    freeze(play)
    play.tick_for(30)
    assert play.upstream.is_down
    assert len([runtime for runtime in play.runtimes if not runtime.outlet.closed]) <= 1
    play.frozen.clear()
    play.tick_for(5)
    assert not play.upstream.is_down


def test_a_connection_that_ends_by_agreement_is_no_reason_to_avoid_it(play: Play) -> None:
    play.client().call()
    first = play.at("b")
    first.go_away(1)
    assert not play.upstream.is_down
    first.answer(1)
    assert first.outlet.closed
    assert not play.upstream.is_down
    play.client().call()
    assert play.at("b") is not first


def test_calls_in_flight_are_counted(play: Play) -> None:
    play.connects = False
    client = play.client()
    client.call()
    client.call()
    assert play.upstream.in_flight == 2
    play.connects = True
    play.settle()
    client.call()
    assert play.upstream.in_flight == 3
    play.at("b").answer(1)
    client.reset(3)
    assert play.upstream.in_flight == 1
    play.lose(play.at("b"))
    assert play.upstream.in_flight == 1, "it was sent again"


def test_an_instance_that_has_left_ends_what_it_has_begun(play: Play) -> None:
    client = play.client()
    seen = client.call()
    peer = play.at("b")
    play.relay.drop_upstream(play.upstream)
    assert client.call().status == (Code.UNAVAILABLE, "b has left")
    assert play.upstream in play.relay.upstreams
    peer.answer(1)
    assert seen.code is Code.OK
    assert peer.outlet.closed
    play.tick_for(TICK_S)
    assert play.upstream not in play.relay.upstreams
    play.check_rest()


def test_an_instance_that_has_left_while_it_was_called_is_hung_up_on(play: Play) -> None:
    play.connects = False
    seen = play.client().call()
    play.relay.drop_upstream(play.upstream)
    play.settle()
    assert seen.status == (Code.UNAVAILABLE, "b has left")
    runtime = play.connect()
    play.settle()
    assert runtime.outlet.closed
    play.tick_for(TICK_S)
    assert play.upstream not in play.relay.upstreams
    play.check_rest()


def test_an_idle_instance_that_has_left_is_forgotten_at_once(play: Play) -> None:
    play.client().call()
    play.at("b").answer(1)
    play.relay.drop_upstream(play.upstream)
    play.settle()
    assert play.upstream not in play.relay.upstreams
    assert play.at("b").outlet.closed
    play.check_rest()


def test_a_runtime_that_is_hung_up_on_before_it_greets_is_paused_for() -> None:
    play = Play()
    play.frozen.add("runtime")
    play.connects = False
    seen = play.client().call()
    play.lose(play.connect(), "refused")
    while play.connecting:
        play.lose(play.connect(), "refused")
    assert seen.status == (Code.UNAVAILABLE, "runtime cannot be reached: refused")
    assert len(play.runtimes) <= 2
    play.check_rest()
