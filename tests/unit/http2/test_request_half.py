import gzip

import pytest

from adapter.domain.errors import Code
from adapter.http2.call import Call
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode, Setting
from adapter.http2.verdicts import Edit, Plan, Target
from adapter.wire.grpc_messages import BadMessage, MessageTooLarge
from tests.fakes.relay_peers import RPC, framed
from tests.fakes.relay_play import Play

WINDOW = int(Setting.INITIAL_WINDOW_SIZE)


def message_first(limits: Limits | None = None) -> Play:
    play = Play(limits)
    play.router.plans[RPC] = Plan(message_first=True)
    return play


# Messages, and what is no message.


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        pytest.param(b"\x02\0\0\0\x01x", Code.INTERNAL, "neither 0 nor 1", id="a flag that is none"),
        pytest.param(b"\0\0\0\0\x05x", Code.INTERNAL, "ends within a message", id="cut off"),
        pytest.param(b"\0\0\0", Code.INTERNAL, "ends within a message", id="cut off in the prefix"),
        pytest.param(framed(b"x") + b"\0", Code.INTERNAL, "ends within a message", id="rubbish behind"),
        pytest.param(
            framed(b"x" * 1001),
            Code.RESOURCE_EXHAUSTED,
            "Received message larger than max (1001 vs. 1000)",
            id="too large",
        ),
        pytest.param(
            b"\0\xff\xff\xff\xff",
            Code.RESOURCE_EXHAUSTED,
            "Received message larger than max (4294967295 vs. 1000)",
            id="far too large, and only told",
        ),
    ],
)
@pytest.mark.parametrize("first", [False, True], ids=["by headers", "by message"])
@pytest.mark.parametrize("step", [1000, 2], ids=["at once", "in parts"])
def test_a_request_that_is_no_message_is_refused(
    body: bytes, code: Code, text: str, first: bool, step: int
) -> None:
    limits = Limits(message_bytes_max=1000)
    play = message_first(limits) if first else Play(limits)
    client = play.client()
    seen = client.begin()
    for at in range(0, len(body), step):
        if not seen.ended:
            client.data(1, body[at : at + step], end=at + step >= len(body))
    assert seen.status is not None
    assert seen.status[0] is code
    assert text in seen.status[1]
    assert not client.goaways
    if code is Code.RESOURCE_EXHAUSTED:
        assert play.counts.limits_hit == {"message_bytes_max": 1}
    if play.runtimes and play.runtime.calls:
        assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    play.check_rest()


def test_a_message_of_the_greatest_size_is_allowed() -> None:
    play = message_first(Limits(message_bytes_max=100_000))
    seen = play.client().call(b"x" * 16_000)
    large = play.clients[0].begin()
    for at in range(0, 100_005, 10_000):
        play.clients[0].data(3, framed(b"x" * 100_000)[at : at + 10_000], end=at + 10_000 > 100_005)
    play.runtime.widen(0, 200_000)
    play.runtime.widen(3, 200_000)
    assert play.runtime.streams[3].data == framed(b"x" * 100_000)
    assert (seen.code, large.code) == (None, None)


def test_many_small_messages_are_no_large_one() -> None:
    play = Play(Limits(message_bytes_max=10))
    client = play.client()
    client.begin()
    for _ in range(100):
        client.data(1, framed(b"0123456789") * 3)
    assert play.runtime.streams[1].data == framed(b"0123456789") * 300


# The first message is awaited.


@pytest.mark.parametrize("step", [1, 2, 5, 6, 100])
def test_a_call_is_routed_when_its_first_message_is_whole(step: int) -> None:
    play = message_first()
    client = play.client()
    client.begin()
    body = framed(b"iris")
    asked: list[bytes | None] = []

    def verdict(call: Call) -> Target:
        asked.append(call.first_message)
        return play.router.target()

    play.router.verdict = verdict
    for at in range(0, len(body), step):
        assert not asked
        client.data(1, body[at : at + step])
    assert asked == [b"iris"]
    assert play.runtime.streams[1].data == body
    client.data(1, framed(b"more"), end=True)
    assert play.runtime.streams[1].data == body + framed(b"more")
    play.check()


@pytest.mark.parametrize("behind", [b"", framed(b"second"), framed(b"second")[:3]])
def test_the_first_message_is_known_whatever_is_behind_it(behind: bytes) -> None:
    play = message_first()
    play.router.verdict = play.router.miss
    client = play.client()
    client.begin()
    client.data(1, framed(b"first") + behind)
    assert play.router.waiting[0].first_message == b"first"
    play.resolve()
    assert play.runtime.streams[1].data == framed(b"first") + behind


@pytest.mark.parametrize("end", ["headers", "data", "trailers"])
def test_a_request_without_a_message_is_an_error_if_one_is_awaited(end: str) -> None:
    play = message_first()
    client = play.client()
    seen = client.begin(end=end == "headers")
    if end == "data":
        client.data(1, b"", end=True)
    elif end == "trailers":
        client.send(client.headers_frame(1, [("x", "y")], end=True))
    assert seen.status == (Code.INTERNAL, "half-closed without a request")
    play.check_rest()


def test_an_empty_message_is_a_message() -> None:
    play = message_first()
    seen = play.client().call(b"")
    assert play.runtime.streams[1].data == framed(b"")
    play.runtime.answer(1)
    assert seen.code is Code.OK


def test_a_compressed_first_message_is_read_and_goes_on_as_it_came() -> None:
    play = message_first()
    play.router.verdict = play.router.miss
    client = play.client()
    client.begin(extra=[("grpc-encoding", "gzip")])
    body = framed(gzip.compress(b"iris"), compressed=True)
    client.data(1, body, end=True)
    assert play.router.waiting[0].first_message == b"iris"
    play.resolve()
    assert play.runtime.streams[1].data == body


@pytest.mark.parametrize(
    ("encoding", "message", "code"),
    [
        ("gzip", b"no gzip", Code.INTERNAL),
        ("snappy", b"x", Code.UNIMPLEMENTED),
        ("", b"x", Code.INTERNAL),
        ("gzip", gzip.compress(b"x" * 2000), Code.RESOURCE_EXHAUSTED),
    ],
    ids=["not gzip", "unknown", "none told", "a bomb"],
)
def test_a_first_message_that_cannot_be_read_is_refused(encoding: str, message: bytes, code: Code) -> None:
    play = message_first(Limits(message_bytes_max=1000))

    def verdict(call: Call) -> Target:
        assert call.first_message is not None
        return play.router.target()

    play.router.verdict = verdict
    client = play.client()
    seen = client.begin(extra=[("grpc-encoding", encoding)] if encoding else [])
    client.data(1, framed(message, compressed=True), end=True)
    assert seen.code is code
    if code is Code.UNIMPLEMENTED:
        assert "gzip" in seen.blocks[0]["grpc-accept-encoding"]
    play.check_rest()


def test_a_message_that_is_awaited_whole_is_not_slowed_down() -> None:
    play = message_first(Limits(window_bytes=20_000, message_bytes_max=1 << 20))
    client = play.client()
    client.begin()
    body, sent, window = framed(b"x" * 200_000), 0, 20_000
    while sent < len(body):
        size = min(16_000, window + client.credit[1] - sent, len(body) - sent)
        assert size > 0
        client.data(1, body[sent : sent + size])
        sent += size
    play.runtime.widen(0, 1 << 20)
    play.runtime.widen(1, 1 << 20)
    assert play.runtime.streams[1].data == body
    assert client.credit[1] <= len(body) + 10_000
    play.check()


def test_a_message_that_does_not_come_to_its_end_is_given_up() -> None:
    play = message_first(Limits(half_open_s_max=60))
    client = play.client()
    seen = client.begin()
    client.data(1, framed(b"iris")[:7])
    play.pass_s(59)
    assert not seen.ended
    play.pass_s(2)
    assert seen.code is Code.CANCELLED
    assert play.counts.limits_hit == {"half_open_s_max": 1}
    play.check_rest()


# What is rewritten.


@pytest.mark.parametrize("step", [1, 4, 9, 1000])
@pytest.mark.parametrize("behind", [b"", framed(b"second")])
@pytest.mark.parametrize("new", [b"", b"iris", b"a far longer name than it was"], ids=len)
@pytest.mark.parametrize("edits", [False, True], ids=["another message", "an edit"])
def test_the_first_message_may_become_another_one(new: bytes, behind: bytes, step: int, edits: bool) -> None:
    play = message_first(Limits(window_bytes=1000))
    play.router.verdict = play.router.miss
    client = play.client()
    client.begin()
    body = framed(b"name=old;rest") + behind
    for at in range(0, len(body), step):
        client.data(1, body[at : at + step])
    target = play.router.target()
    if edits:
        assert play.router.waiting[0].first_message
        target.edit = Edit(5, 8, new)
    else:
        target.message = b"name=" + new + b";rest"
    play.resolve(target)
    client.data(1, framed(b"z" * 500), end=True)
    sent = framed(b"name=" + new + b";rest") + behind + framed(b"z" * 500)
    assert (play.runtime.streams[1].data, play.runtime.streams[1].ended) == (sent, True)
    play.check()


def test_credit_is_for_what_came_not_for_what_it_became() -> None:
    play = message_first(Limits(window_bytes=1000))
    play.runtime_settings = {WINDOW: 100}
    play.router.verdict = lambda _: play.router.target(message=b"y" * 2000)
    play.client().call()
    client = play.client()
    client.begin()
    client.data(1, framed(b"x" * 595))
    assert client.credit[1] == 0
    play.runtime.widen(3, 1804)
    assert client.credit[1] == 0
    play.runtime.widen(3, 101)
    assert client.credit[1] == 600
    client.data(1, framed(b"z" * 495))
    play.runtime.widen(3, 500)
    assert client.credit[1] == 1100
    play.check()


# What is held.


def test_a_request_is_held_until_it_is_known_where_it_goes() -> None:
    play = Play()
    play.router.verdict = play.router.miss
    client = play.client()
    client.begin()
    client.data(1, framed(b"one"))
    client.data(1, framed(b"two"))
    assert play.counts.buffered_bytes == 16
    assert play.counts.calls_waiting == 1
    play.check()
    play.resolve()
    client.data(1, b"", end=True)
    assert play.runtime.streams[1].data == framed(b"one") + framed(b"two")
    play.runtime.answer(1)
    play.check_rest()


def test_what_is_held_is_bounded_by_the_window() -> None:
    play = Play(Limits(window_bytes=1000))
    play.router.verdict = play.router.miss
    client = play.client()
    client.begin()
    client.data(1, framed(b"x" * 995))
    assert client.credit[1] == 0
    play.resolve()
    assert client.credit[1] == 1000
    play.check()


def test_a_request_is_let_go_when_its_answer_begins() -> None:
    play = Play()
    client = play.client()
    client.call(b"x" * 1000)
    assert play.counts.buffered_bytes == 1005
    play.runtime.open(1)
    assert play.counts.buffered_bytes == 1005
    play.runtime.data(1, framed(b"y"))
    assert play.counts.buffered_bytes == 0
    play.check()


def test_a_request_is_let_go_with_its_second_message() -> None:
    play = Play()
    client = play.client()
    client.begin()
    client.data(1, framed(b"one"))
    assert play.counts.buffered_bytes == 8
    client.data(1, framed(b"two"))
    assert play.counts.buffered_bytes == 0
    play.check()


# Who wants to see it.


@pytest.mark.parametrize("when", ["before", "amid"])
def test_what_passes_by_may_be_spied_on(when: str) -> None:
    play = Play()
    client = play.client()
    play.router.verdict = play.router.miss
    client.begin()
    body = framed(b"x" * 100)
    cut = 0 if when == "before" else 50
    client.data(1, body[:cut]) if cut else None
    (call,) = play.router.waiting
    call.spy()
    play.resolve()
    client.data(1, body[cut:], end=True)
    play.runtime.answer(1, b"seen")
    assert b"".join(call.spied_request or ()) == body
    assert b"".join(call.spied_response or ()) == framed(b"seen")


def test_errors_of_messages_are_ours() -> None:
    assert (BadMessage.code, MessageTooLarge.code) == (Code.INTERNAL, Code.RESOURCE_EXHAUSTED)


def test_a_message_in_tiny_parts_takes_little_more_than_it_holds() -> None:
    play = message_first()
    client = play.client()
    client.begin()
    body = framed(bytes(4000))
    for at in range(0, 3000, 2):
        client.data(1, body[at : at + 2])
    (call,) = (stream.call for each in play.relay.clients for stream in each.streams.values())
    assert isinstance(call, Call)
    assert call.kept_bytes == 3000
    assert len(call._held or ()) < 30
