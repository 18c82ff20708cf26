"""Calls that are sent again, unseen by their client, and those that are not."""

from collections.abc import Callable

import pytest

from adapter.domain.errors import Code
from adapter.http2.call import HELD_ANSWER_BYTES_MAX
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode, Setting
from adapter.http2.retries import COPY_LOST_MAX
from adapter.http2.verdicts import Plan
from tests.fakes.relay_peers import RPC, FakeClient, framed
from tests.fakes.relay_play import Play

WINDOW = int(Setting.INITIAL_WINDOW_SIZE)


def test_a_lost_copy_is_loaded_again_unseen() -> None:
    play = Play()
    client = play.client()
    seen = client.call(b"question")
    play.router.verdict = play.router.miss
    play.runtime.fail(1, Code.NOT_FOUND, "no such model")
    assert [target.model for target in play.router.lost] == ["m"]
    play.resolve()
    assert play.runtime.streams[3].data == framed(b"question")
    play.runtime.answer(3)
    assert (seen.code, seen.data, seen.reset) == (Code.OK, framed(b"answer"), None)
    assert play.counts.retries == {"copy_lost": 1}
    assert play.runtime.streams[1].reset is None
    play.check_rest()


def test_a_runtime_that_goes_on_to_say_so_is_believed() -> None:
    play = Play()
    seen = play.client().call()
    for number in range(COPY_LOST_MAX + 1):
        assert not seen.ended
        play.runtime.fail(2 * number + 1, Code.NOT_FOUND, "no such model")
    assert seen.status == (Code.NOT_FOUND, "no such model")
    assert len(play.router.lost) == COPY_LOST_MAX
    play.check_rest()


def test_a_door_of_ours_means_what_it_says() -> None:
    play = Play()
    play.router.plans[RPC] = Plan(door=play.upstream)
    seen = play.client().call()
    play.runtime.fail(1, Code.NOT_FOUND, "no such service")
    assert seen.status == (Code.NOT_FOUND, "no such service")
    assert not play.router.lost
    assert not play.router.routed
    play.check_rest()


@pytest.mark.parametrize(
    ("breaks", "cause"),
    [
        pytest.param(
            lambda play: play.runtime.reset(1, ErrorCode.REFUSED_STREAM), "refused_stream", id="refused"
        ),
        pytest.param(lambda play: play.runtime.go_away(0), "refused_stream", id="going away"),
        pytest.param(lambda play: play.lose(play.runtime), "connection_lost", id="lost"),
        pytest.param(
            lambda play: play.runtime.fail(1, Code.UNAVAILABLE, "away"), "reconnect", id="unavailable"
        ),
    ],
)
@pytest.mark.parametrize("headers", [False, True], ids=["not begun", "headers came"])
def test_a_call_that_broke_is_sent_again_once(
    breaks: Callable[[Play], None], cause: str, headers: bool
) -> None:
    play = Play()
    client = play.client()
    seen = client.call(b"question", extra=[("grpc-timeout", "10S")])
    if headers and cause != "reconnect":
        play.runtime.open(1)
    play.shared.now_s += 4
    breaks(play)
    assert play.counts.retries == {cause: 1}
    again = play.runtime.calls[-1]
    assert (again.data, again.ended) == (framed(b"question"), True)
    assert again.blocks[0]["grpc-timeout"] == "6000000u"
    play.runtime.answer(again.id)
    assert (seen.code, seen.data, len(seen.blocks)) == (Code.OK, framed(b"answer"), 2)
    play.check_rest()


def test_a_call_that_breaks_again_is_unavailable() -> None:
    play = Play()
    client = play.client()
    seen = client.call()
    play.lose(play.runtime, "first")
    play.lose(play.runtime, "second")
    assert seen.status == (Code.UNAVAILABLE, "the connection to runtime ended: second")
    (call, _) = play.router.ended[0]
    assert call.tried == (play.upstream, play.upstream)
    play.check_rest()


def _answer_began(play: Play, client: FakeClient) -> None:
    client.data(1, b"", end=True)
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x")[:3])


def _second_message(play: Play, client: FakeClient) -> None:
    client.data(1, framed(b"two"))


def _streamed_back(play: Play, client: FakeClient) -> None:
    play.runtime.open(1)


@pytest.mark.parametrize("before", [_answer_began, _second_message, _streamed_back])
@pytest.mark.parametrize("how", ["refused", "lost", "not found"])
def test_a_call_of_which_more_was_seen_is_not_sent_again(
    before: Callable[[Play, FakeClient], None], how: str
) -> None:
    play = Play()
    client = play.client()
    seen = client.begin()
    client.data(1, framed(b"one"))
    before(play, client)
    if how == "refused":
        play.runtime.reset(1, ErrorCode.REFUSED_STREAM)
        assert seen.reset is ErrorCode.REFUSED_STREAM
    elif how == "lost":
        play.lose(play.runtime)
        assert seen.code is Code.UNAVAILABLE
    else:
        (play.runtime.fail if before is _second_message else play.runtime.close)(1, Code.NOT_FOUND)
        assert seen.code is Code.NOT_FOUND
    assert play.counts.retries == {}
    assert len(play.runtimes) == 1
    play.check_rest()


def test_a_stream_of_which_only_the_first_message_was_sent_is_sent_again() -> None:
    play = Play()
    client = play.client()
    seen = client.begin()
    client.data(1, framed(b"one"))
    play.lose(play.runtime)
    client.data(1, framed(b"two"), end=True)
    assert play.runtime.streams[1].data == framed(b"one") + framed(b"two")
    play.runtime.answer(1)
    assert seen.code is Code.OK
    play.check_rest()


def test_a_first_message_that_is_under_way_is_sent_again() -> None:
    play = Play(runtime_settings={WINDOW: 10})
    client = play.client()
    client.begin()
    body = framed(b"x" * 100)
    client.data(1, body[:50])
    assert len(play.runtime.streams[1].data) == 10
    play.lose(play.runtime)
    client.data(1, body[50:], end=True)
    play.runtime.widen(1, 1000)
    assert play.runtime.streams[1].data == body
    play.check()


def test_each_try_releases_its_target() -> None:
    play = Play()
    play.client().call()
    assert len(play.router.pinned) == 1
    first = play.router.pinned[0]
    play.lose(play.runtime)
    assert len(play.router.pinned) == 1
    assert play.router.pinned[0] is not first
    play.runtime.fail(1, Code.INTERNAL)
    play.check_rest()


def test_a_deadline_holds_for_all_tries() -> None:
    play = Play()
    seen = play.client().call(extra=[("grpc-timeout", "10S")])
    play.shared.now_s += 6
    play.lose(play.runtime)
    assert play.runtime.calls[-1].blocks[0]["grpc-timeout"] == "4000000u"
    play.pass_s(5)
    assert seen.code is Code.DEADLINE_EXCEEDED
    play.check_rest()


# Answers that are held until they are whole.


def unary(*, limits: Limits | None = None) -> Play:
    """Answers are known to have one message."""
    play = Play(limits)
    play.router.plans[RPC] = Plan(unary=True)
    return play


def test_an_answer_whose_end_is_missing_is_asked_for_again() -> None:
    play = unary()
    seen = play.client().call(b"question")
    play.runtime.open(1)
    play.runtime.data(1, framed(b"answer"))
    assert not seen.blocks
    play.check()
    play.lose(play.runtime)
    assert play.counts.buffered_bytes == len(framed(b"question"))
    play.runtime.answer(1, b"again")
    assert (seen.code, seen.data, len(seen.blocks)) == (Code.OK, framed(b"again"), 2)
    play.check_rest()


@pytest.mark.parametrize("cut", [5, 7])
def test_an_answer_goes_on_as_it_came_once_it_is_whole(cut: int) -> None:
    play = unary()
    seen = play.client().call()
    play.runtime.open(1)
    play.runtime.data(1, framed(b"answer")[:cut])
    play.runtime.data(1, framed(b"answer")[cut:])
    assert not seen.blocks
    play.runtime.close(1, Code.ABORTED, "half", more=[("x", "y")])
    assert (seen.status, seen.data) == ((Code.ABORTED, "half"), framed(b"answer"))
    assert play.router.ended[0][0].response_bytes == len(framed(b"answer"))
    play.check_rest()


def _second_came(play: Play) -> None:
    play.runtime.data(1, framed(b"one"))
    play.runtime.data(1, framed(b"two"))


def _large(play: Play) -> None:
    play.runtime.data(1, framed(b"x" * HELD_ANSWER_BYTES_MAX)[:16_000])
    play.runtime.data(1, framed(b"x" * HELD_ANSWER_BYTES_MAX)[16_000:32_000])
    play.runtime.data(1, framed(b"x" * HELD_ANSWER_BYTES_MAX)[32_000:])


def _tiny_begin(play: Play) -> None:
    play.runtime.data(1, framed(b"one")[:3])


@pytest.mark.parametrize("came", [_second_came, _large, _tiny_begin])
def test_what_is_no_small_message_does_not_wait(came: Callable[[Play], None]) -> None:
    play = unary()
    seen = play.client().call()
    play.runtime.open(1)
    came(play)
    assert seen.data
    play.check()
    play.lose(play.runtime)
    assert seen.code is Code.UNAVAILABLE
    play.check_rest()


def test_a_client_that_may_go_on_is_answered_at_once() -> None:
    play = unary()
    client = play.client()
    seen = client.begin()
    client.data(1, framed(b"one"))
    play.runtime.open(1)
    play.runtime.data(1, framed(b"first"))
    assert seen.data == framed(b"first")


def test_a_message_that_fills_the_window_does_not_wait() -> None:
    play = unary(limits=Limits(window_bytes=20_000))
    seen = play.client().call()
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x" * 15_000))
    assert len(seen.data) == 15_005
    assert play.runtime.credit[1]


@pytest.mark.parametrize("ends", ["cancelled", "deadline", "reset", "no status"])
def test_nothing_is_left_of_an_answer_that_is_given_up(ends: str) -> None:
    play = unary()
    client = play.client()
    seen = client.call(extra=[("grpc-timeout", "1S")])
    play.runtime.open(1)
    play.runtime.data(1, framed(b"answer"), end=ends == "no status")
    if ends == "cancelled":
        client.reset(1)
    elif ends == "deadline":
        play.pass_s(2)
        assert seen.code is Code.DEADLINE_EXCEEDED
    elif ends == "reset":
        play.runtime.reset(1, ErrorCode.INTERNAL_ERROR)
        assert seen.reset is ErrorCode.INTERNAL_ERROR
    else:
        assert seen.code is Code.INTERNAL
    play.check_rest()


def test_data_before_any_headers_are_out_of_place_too() -> None:
    play = unary()
    seen = play.client().call()
    play.runtime.data(1, framed(b"answer"))
    play.runtime.fail(1, Code.OK)
    assert seen.status == (Code.INTERNAL, "the runtime sent headers that are out of place")
    play.check_rest()
