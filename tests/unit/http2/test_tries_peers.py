"""Calls that are forwarded to other instances: to which one, and to which then; and how they are refused."""

from collections.abc import Callable

import pytest

from adapter.domain.errors import AdapterError, CacheBusy, Code
from adapter.http2.call import Call
from adapter.http2.frames import ErrorCode
from adapter.http2.metadata import metadata_fields
from adapter.http2.retries import PEER_TRIES_MAX
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer, Caller, PeerRefusal, Plan, Target
from adapter.wire.headers import HOP_MARK
from tests.fakes.relay_peers import FakeClient, Seen, framed
from tests.fakes.relay_play import Play

PEER = Caller(from_peer=True)
NAMES = ("b", "c", "d")


@pytest.fixture
def play() -> Play:
    """Calls go to the first of three instances where they have not been in vain; then to the runtime."""
    made = Play()
    peers = {name: made.peer(name) for name in NAMES}

    def forward(call: Call) -> Target:
        left = [name for name in NAMES if name not in (call.excluded or {})]
        return to_peer(made, peers[left[0]]) if left else made.router.target()

    made.router.verdict = forward
    return made


def to_peer(play: Play, upstream: Upstream) -> Target:
    target = Target(upstream, model="m", fields=metadata_fields([HOP_MARK]))
    target.to_peer = True
    return play.router.pin(target)


def refuse(play: Play, name: str, word: str = "draining", code: Code = Code.UNAVAILABLE) -> None:
    peer = play.at(name)
    peer.fail(peer.calls[-1].id, code, f"{name} is {word}", more=[("mm-refused", word)])


def answer(play: Play, name: str) -> None:
    peer = play.at(name)
    peer.answer(peer.calls[-1].id)


def asked(play: Play) -> list[str]:
    """Where calls came, in order."""
    return [runtime.name for runtime in play.runtimes for _ in runtime.calls]


def test_a_call_is_forwarded_as_the_client_said_it(play: Play) -> None:
    seen = play.client().call(
        b"question", extra=[("mm-vmodel-id", "alias"), ("x-id", "7"), ("grpc-timeout", "9S")]
    )
    (came,) = play.at("b").calls
    headers = came.blocks[0]
    assert (headers["mm-vmodel-id"], headers["x-id"], headers["grpc-timeout"]) == ("alias", "7", "9S")
    assert headers["mm-hops"] == "1"
    assert (came.data, came.ended) == (framed(b"question"), True)
    answer(play, "b")
    assert (seen.code, seen.data) == (Code.OK, framed(b"answer"))
    play.check_rest()


def test_a_client_cannot_speak_as_an_instance(play: Play) -> None:
    forged = [("mm-model-record-bin", "AAE"), ("mm-resolved-model-bin", "AAE"), ("mm-refused", "x")]
    play.client().call(extra=[("mm-hops", "3"), *forged, ("mm-model-id", "iris")])
    headers = play.at("b").calls[0].blocks[0]
    assert {name: value for name, value in headers.items() if name.startswith("mm-")} == {
        "mm-model-id": "iris",
        "mm-hops": "1",
    }


def test_what_one_instance_will_not_answer_another_does(play: Play) -> None:
    seen = play.client().call(b"question", extra=[("grpc-timeout", "10S")])
    play.shared.now_s += 4
    refuse(play, "b")
    refuse(play, "c", "full", Code.RESOURCE_EXHAUSTED)
    (came,) = play.at("d").calls
    assert (came.data, came.blocks[0]["grpc-timeout"]) == (framed(b"question"), "6000000u")
    answer(play, "d")
    assert (seen.code, seen.data, len(seen.blocks)) == (Code.OK, framed(b"answer"), 2)
    told = [(target.upstream.name, word, text) for target, word, text in play.router.refused]
    assert told == [("b", "draining", "b is draining"), ("c", "full", "c is full")]
    assert play.counts.retries == {"peer_refused": 2}
    play.check_rest()


def test_after_all_others_the_runtime_here_may_answer(play: Play) -> None:
    seen = play.client().call()
    for name in NAMES:
        refuse(play, name)
    assert asked(play) == [*NAMES, "runtime"]
    assert "mm-hops" not in play.runtime.calls[0].blocks[0]
    play.runtime.answer(1)
    assert seen.code is Code.OK
    play.check_rest()


def test_a_call_is_refused_so_often_and_then_its_client_is_told(play: Play) -> None:
    (upstream,) = [each for each in play.relay.upstreams if each.name == "b"]
    play.router.verdict = lambda _: to_peer(play, upstream)
    seen = play.client().call()
    for number in range(PEER_TRIES_MAX):
        assert not seen.ended, number
        refuse(play, "b", f"reason {number}")
    assert seen.status == (Code.UNAVAILABLE, f"b is reason {PEER_TRIES_MAX - 1}")
    assert "mm-refused" not in seen.blocks[0]
    assert len(play.router.refused) == PEER_TRIES_MAX - 1
    play.check_rest()


def test_a_connection_that_breaks_again_and_again_is_the_answer_too(play: Play) -> None:
    (upstream,) = [each for each in play.relay.upstreams if each.name == "b"]
    play.router.verdict = lambda _: to_peer(play, upstream)
    seen = play.client().call()
    for _ in range(PEER_TRIES_MAX):
        play.lose(play.at("b"))
    assert seen.status == (Code.UNAVAILABLE, "the connection to b ended: reset by peer")
    assert len(play.router.broken) == PEER_TRIES_MAX - 1
    play.check_rest()


@pytest.mark.parametrize(
    "code",
    [Code.NOT_FOUND, Code.UNAVAILABLE, Code.INVALID_ARGUMENT, Code.INTERNAL],
    ids=lambda code: code.name,
)
def test_an_error_without_a_word_is_the_answer(play: Play, code: Code) -> None:
    seen = play.client().call()
    play.at("b").fail(1, code, "Model m not found")
    assert seen.status == (code, "Model m not found")
    assert (play.counts.retries, play.router.lost) == ({}, [])
    play.check_rest()


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        pytest.param(
            lambda play: play.lose(play.at("b")), "the connection to b ended: reset by peer", id="lost"
        ),
        pytest.param(lambda play: play.at("b").go_away(0), "b refused the stream", id="going away"),
        pytest.param(
            lambda play: play.at("b").reset(1, ErrorCode.REFUSED_STREAM), "b refused the stream", id="refused"
        ),
        pytest.param(
            lambda play: play.tick_for(5), "the connection to b ended: no answer to PING", id="silent"
        ),
    ],
)
@pytest.mark.parametrize("begun", [False, True], ids=["not begun", "headers came"])
def test_a_connection_that_breaks_costs_nothing(
    play: Play, breaks: Callable[[Play], None], reason: str, begun: bool
) -> None:
    client = play.client()
    seen = client.call(b"question")
    if begun:
        play.at("b").open(1)
    breaks(play)
    assert [(target.upstream.name, said) for target, said in play.router.broken] == [("b", reason)]
    assert play.at("c").calls[0].data == framed(b"question")
    play.lose(play.at("c"))
    answer(play, "d")
    assert (seen.code, seen.data) == (Code.OK, framed(b"answer"))
    assert play.counts.retries == {"peer_lost": 2}
    play.check_rest()


def test_an_instance_that_is_killed_within_an_answer_costs_nothing(play: Play) -> None:
    play.router.plans["test.Echo/Unary"] = Plan(unary=True)
    seen = play.client().call()
    play.at("b").open(1)
    play.at("b").data(1, framed(b"answer"))
    play.lose(play.at("b"))
    answer(play, "c")
    assert (seen.code, seen.data, len(seen.blocks)) == (Code.OK, framed(b"answer"), 2)
    play.check_rest()


def test_an_instance_that_cannot_be_reached_is_passed_over(play: Play) -> None:
    play.connects = False
    seen = play.client().call()
    play.refuse_connection()
    play.connects = True
    play.settle()
    answer(play, "c")
    assert seen.code is Code.OK
    assert play.router.broken[0][1] == "b cannot be reached: nobody is there"


def test_a_frozen_instance_that_takes_connections_costs_two_seconds(play: Play) -> None:
    play.frozen.add("b")
    seen = play.client().call()
    play.tick_for(2.5)
    answer(play, "c")
    assert seen.code is Code.OK


def test_the_runtime_behind_has_its_own_tries(play: Play) -> None:
    seen = play.client().call()
    for name in NAMES:
        play.lose(play.at(name))
    play.lose(play.runtime)
    play.runtime.fail(1, Code.NOT_FOUND, "no such model")
    assert play.counts.retries == {"peer_lost": 3, "connection_lost": 1, "copy_lost": 1}
    play.runtime.answer(3)
    assert seen.code is Code.OK
    play.check_rest()


def _more_was_sent(play: Play, client: FakeClient) -> None:
    client.data(1, framed(b"two"))


def _streamed_back(play: Play, client: FakeClient) -> None:
    play.at("b").open(1)


@pytest.mark.parametrize("before", [_more_was_sent, _streamed_back])
def test_a_stream_of_which_more_was_seen_ends(play: Play, before: Callable[[Play, FakeClient], None]) -> None:
    client = play.client()
    seen = client.begin()
    client.data(1, framed(b"one"))
    before(play, client)
    play.lose(play.at("b"))
    assert seen.code is Code.UNAVAILABLE
    assert not play.router.broken
    play.check_rest()


def test_a_refusal_that_comes_too_late_is_told_without_its_word(play: Play) -> None:
    client = play.client()
    seen = client.begin()
    client.data(1, framed(b"one"))
    client.data(1, framed(b"two"))
    refuse(play, "b")
    assert seen.status == (Code.UNAVAILABLE, "b is draining")
    assert "mm-refused" not in seen.blocks[-1]
    play.check_rest()


# How calls of other instances are refused.


def refused(play: Play, caller: Caller) -> Seen:
    return play.client(caller=caller).call(extra=[HOP_MARK])  # type: ignore[list-item] # it is text


@pytest.mark.parametrize(("caller", "word"), [(PEER, "full"), (Caller(), None)], ids=["a peer", "a client"])
@pytest.mark.parametrize("how", ["routed", "resolved", "answered", "planned"])
def test_only_an_instance_is_told_that_it_may_ask_elsewhere(
    how: str, caller: Caller, word: str | None
) -> None:
    play = Play()
    error: AdapterError = PeerRefusal("full", CacheBusy("no room"))
    play.router.verdict = play.router.miss if how in {"resolved", "answered"} else lambda _: error
    if how == "planned":
        play.router.plans["test.Echo/Unary"] = error
    seen = refused(play, caller)
    if how == "resolved":
        play.router.waiting.pop().unresolved(Code.RESOURCE_EXHAUSTED, "no room", "full")
        play.settle()
    elif how == "answered":
        play.resolve(Answer(code=Code.RESOURCE_EXHAUSTED, text="no room", word="full"))
    assert seen.status == (Code.RESOURCE_EXHAUSTED, "no room")
    assert seen.blocks[0].get("mm-refused") == word
    play.check_rest()


def test_an_error_of_ours_without_a_word_has_none_for_an_instance_either() -> None:
    play = Play()
    play.router.verdict = lambda _: CacheBusy("no room")
    assert "mm-refused" not in refused(play, PEER).blocks[0]


def test_a_runtime_cannot_speak_as_an_instance() -> None:
    play = Play()
    seen = refused(play, PEER)
    play.runtime.fail(1, Code.INTERNAL, "no", more=[("mm-refused", "draining")])
    assert seen.status == (Code.INTERNAL, "no")
    assert "mm-refused" not in seen.blocks[0]
    play.check_rest()


def test_a_call_knows_by_which_door_it_came() -> None:
    play = Play()
    refused(play, PEER)
    refused(play, Caller())
    assert [call.caller.from_peer for call in play.router.routed] == [True, False]
