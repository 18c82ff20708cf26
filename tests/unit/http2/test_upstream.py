import pytest

from adapter.domain.errors import Code
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode, Setting
from adapter.http2.upstream import PAUSE_S_MAX, PAUSE_S_MIN
from tests.fakes.relay_outlet import FakeOutlet
from tests.fakes.relay_play import Play

STREAMS = int(Setting.MAX_CONCURRENT_STREAMS)


@pytest.fixture
def play() -> Play:
    """No connection is opened before a test says so."""
    made = Play()
    made.connects = False
    return made


def test_all_calls_wait_for_one_connection(play: Play) -> None:
    client = play.client()
    seen = [client.call() for _ in range(3)]
    assert len(play.connecting) == 1
    play.connect()
    play.settle()
    assert len(play.runtime.calls) == 3
    for call in play.runtime.calls:
        play.runtime.answer(call.id)
    assert [each.code for each in seen] == [Code.OK] * 3
    assert not play.connecting
    play.check_rest()


def test_calls_hear_that_there_is_no_connection(play: Play) -> None:
    client = play.client()
    seen = client.call()
    play.refuse_connection()
    play.refuse_connection() if play.connecting else None
    assert seen.status == (Code.UNAVAILABLE, "runtime cannot be reached: nobody is there")
    play.check_rest()


def test_a_runtime_that_cannot_be_reached_is_not_tried_at_once(play: Play) -> None:
    client = play.client()
    client.call()
    play.refuse_connection()
    seen = client.call()
    assert not play.connecting
    assert seen.code is Code.UNAVAILABLE
    play.pass_s(PAUSE_S_MIN)
    client.call()
    assert len(play.connecting) == 1


def test_the_pause_grows_and_ends_with_a_connection(play: Play) -> None:
    client = play.client()
    pauses = []
    for _ in range(8):
        client.call()
        play.refuse_connection()
        began_s = play.shared.now_s
        while not play.connecting:
            play.pass_s(0.05)
            client.call()
        pauses.append(play.shared.now_s - began_s)
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(PAUSE_S_MIN, abs=0.06)
    assert pauses[-1] == pytest.approx(PAUSE_S_MAX, abs=0.06)
    runtime = play.connect()
    play.settle()
    play.lose(runtime)
    play.check()


def test_more_connections_are_opened_up_to_a_bound() -> None:
    play = Play(Limits(upstream_connections_max=3), runtime_settings={STREAMS: 2})
    client = play.client()
    client.call()
    for _ in range(9):
        client.call()
    assert [len(runtime.calls) for runtime in play.runtimes] == [2, 2, 2]
    for runtime in play.runtimes:
        runtime.answer(1)
    assert [len(runtime.calls) for runtime in play.runtimes] == [3, 3, 3]
    play.check()


def test_a_burst_at_a_new_connection_does_not_exceed_what_it_allows(play: Play) -> None:
    play.runtime_settings = {STREAMS: 3}
    client = play.client()
    seen = [client.call() for _ in range(500)]
    play.connects = True
    play.settle()
    assert len(play.runtimes) > 1
    assert all(len(runtime.calls) <= 100 for runtime in play.runtimes)
    assert not any(each.code for each in seen)
    play.check()


def test_only_so_many_calls_wait() -> None:
    play = Play(Limits(waiting_calls_max=2))
    play.connects = False
    client = play.client()
    seen = [client.call() for _ in range(3)]
    assert [each.code for each in seen] == [None, None, Code.UNAVAILABLE]
    assert play.counts.limits_hit["waiting_calls_max"] >= 1
    play.check()


def test_a_call_that_is_cancelled_does_not_wait_any_more(play: Play) -> None:
    client = play.client()
    client.call()
    seen = client.call()
    client.reset(1)
    runtime = play.connect()
    play.settle()
    assert len(runtime.calls) == 1
    runtime.answer(1)
    assert seen.code is Code.OK
    play.check_rest()


def test_a_call_that_waits_has_a_deadline(play: Play) -> None:
    client = play.client()
    seen = client.call(extra=[("grpc-timeout", "1S")])
    play.pass_s(2)
    assert seen.code is Code.DEADLINE_EXCEEDED
    assert not play.upstream._waiting
    play.check_rest()


def test_calls_that_wait_survive_the_loss_of_a_full_connection() -> None:
    play = Play(Limits(upstream_connections_max=1), runtime_settings={STREAMS: 1})
    client = play.client()
    seen = [client.call() for _ in range(2)]
    play.lose(play.runtime)
    assert len(play.runtimes) == 2
    for number in range(2):  # one after the other
        play.runtime.answer(play.runtime.calls[number].id)
    assert [each.code for each in seen] == [Code.OK, Code.OK]
    play.check_rest()


def test_no_call_is_sent_before_the_runtime_has_told_how_many_it_takes() -> None:
    """Servers of gRPC do not refuse what is too much for them, but end it."""
    play = Play(runtime_settings={STREAMS: 1})
    play.connects = False
    client = play.client()
    for _ in range(3):
        client.call()
    play.connecting.pop(0).connected(FakeOutlet())
    assert not play.upstream._connections[0].streams
    assert len(play.upstream._waiting) == 3


def test_connections_that_only_end_their_calls_are_not_in_the_way() -> None:
    play = Play(Limits(upstream_connections_max=2))
    client = play.client()
    for number in range(4):
        client.call()
        play.runtime.go_away(1)
        assert len(play.runtimes) == number + 1
    seen = client.call()
    assert len(play.runtimes) == 5
    play.runtime.answer(1)
    assert seen.code is Code.OK
    play.check()


def test_closing_ends_what_is_in_flight() -> None:
    play = Play()
    client = play.client()
    seen = client.begin(end=True)
    play.runtime.open(1)
    play.runtime.data(1, b"\0")
    play.connects = False
    play.upstream.close()
    play.settle()
    assert seen.code is Code.UNAVAILABLE
    assert play.runtime.outlet.closed
    assert not play.runtime.goaways
    play.check_rest()


def test_a_runtime_that_ends_its_connection_with_an_error_is_left() -> None:
    play = Play()
    client = play.client()
    client.call()
    first = play.runtime
    first.go_away(0, ErrorCode.ENHANCE_YOUR_CALM)
    assert first.outlet.closed
    assert len(play.runtimes) == 2
    play.check()
