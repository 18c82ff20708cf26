import pytest
from hyperframe.frame import DataFrame, Frame, HeadersFrame, SettingsFrame

from adapter.domain.errors import Code
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode
from adapter.http2.verdicts import Caller
from tests.fakes.relay_peers import PREFACE, RPC, framed
from tests.fakes.relay_play import Play

# The beginning.


@pytest.mark.parametrize("step", [1, 5, 24])
def test_the_preface_may_come_in_parts(step: int) -> None:
    play = Play()
    client = play.stranger()
    for at in range(0, len(PREFACE), step):
        client.send(PREFACE[at : at + step])
    assert isinstance(client.frames[0], SettingsFrame)


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\n", b"POST /v2 HTTP/1.1\r\n", b"OPTIONS * HTTP/1.0\r\n"], ids=str
)
@pytest.mark.parametrize("step", [1, 100])
def test_http_1_is_told_that_this_is_http_2(start: bytes, step: int) -> None:
    play = Play()
    client = play.stranger()
    for at in range(0, len(start), step):
        client.connection.receive(start[at : at + step])
    play.shared.flush()
    said = client.outlet.take()
    head, _, body = said.partition(b"\r\n\r\n")
    assert said.count(b"HTTP/1.1 400 ") == 1
    assert b"Content-Length: %d" % len(body) in head
    assert client.outlet.closed
    assert play.counts.connection_errors == {"HTTP_1_1": 1}
    play.check()


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.1", b"\0" * 30, b"GEX"])
def test_rubbish_in_place_of_the_preface_ends_the_connection(rubbish: bytes) -> None:
    play = Play()
    client = play.stranger()
    client.send(rubbish)
    assert client.error is ErrorCode.PROTOCOL_ERROR
    assert play.counts.connections_open == 0


def test_who_says_nothing_is_turned_away() -> None:
    play = Play(Limits(handshake_s_max=20))
    client = play.stranger()
    client.send(b"PRI")
    play.pass_s(19)
    assert not client.outlet.closed
    play.pass_s(2)
    assert client.outlet.closed
    assert play.counts.limits_hit == {"handshake_s_max": 1}
    play.check()


def test_the_router_hears_who_calls() -> None:
    play = Play()
    caller = Caller(names=frozenset({"me"}), from_management=True)
    play.client(caller=caller).call()
    assert play.router.planned == [(RPC, caller)]


# Streams.


@pytest.mark.parametrize("stream_id", [2, 4])
def test_a_client_has_odd_streams(stream_id: int) -> None:
    client = Play().client()
    client.send(client.headers_frame(stream_id, client.head()))
    assert client.error is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize("again", [1, 3, 5], ids=["skipped", "ended", "last"])
def test_a_stream_is_not_opened_twice(again: int) -> None:
    play = Play()
    client = play.client()
    for stream_id in (3, 5):
        client.send(client.headers_frame(stream_id, client.head()))
        client.data(stream_id, framed(b""), end=True)
        play.runtime.answer(play.runtime.calls[-1].id)
    client.send(client.headers_frame(again, client.head()))
    assert client.error is ErrorCode.STREAM_CLOSED
    play.check_rest()


@pytest.mark.parametrize("kind", ["DATA", "HEADERS"])
def test_nothing_comes_after_the_end_of_a_request(kind: str) -> None:
    play = Play()
    client = play.client()
    seen = client.call()
    frame: Frame = DataFrame(1, b"x") if kind == "DATA" else client.headers_frame(1, [("x", "y")], end=True)
    client.send(frame)
    assert seen.reset is ErrorCode.STREAM_CLOSED
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    assert not client.goaways
    play.check_rest()


def test_data_on_a_stream_that_is_over_is_an_error_of_the_stream() -> None:
    play = Play()
    client = play.client()
    client.call()
    play.runtime.answer(1)
    client.data(1, b"x")
    assert not client.goaways
    assert client.streams[1].reset is ErrorCode.STREAM_CLOSED


@pytest.mark.parametrize("kind", ["DATA", "HEADERS"])
def test_what_was_on_its_way_when_we_ended_a_stream_is_passed_over(kind: str) -> None:
    play = Play()
    client = play.client()
    seen = client.begin()
    play.runtime.fail(1, Code.NOT_FOUND, "not there")
    play.runtime.fail(3, Code.NOT_FOUND, "not there")
    play.runtime.fail(5, Code.NOT_FOUND, "not there")
    assert (seen.code, seen.reset) == (Code.NOT_FOUND, ErrorCode.NO_ERROR)
    before = len(client.frames)
    client.send(
        DataFrame(1, b"x" * 100) if kind == "DATA" else client.headers_frame(1, [("x", "y")], end=True)
    )
    assert len(client.frames) == before
    play.check_rest()


def test_more_streams_than_announced_are_refused() -> None:
    play = Play(Limits(streams_max=3))
    client = play.client()
    seen = [client.call() for _ in range(5)]
    assert [each.reset for each in seen] == [None] * 3 + [ErrorCode.REFUSED_STREAM] * 2
    assert play.counts.limits_hit == {"streams_max": 2}
    play.runtime.answer(1)
    assert client.call().reset is None
    play.check()


def test_who_does_not_stop_opening_more_is_turned_away() -> None:
    play = Play(Limits(streams_max=1, resets_burst=10))
    client = play.client()
    for _ in range(12):
        client.call()
    assert client.error is ErrorCode.ENHANCE_YOUR_CALM
    assert play.counts.limits_hit == {"streams_max": 11, "resets_burst": 1}
    play.check()


def test_rapid_reset_ends_the_connection() -> None:
    play = Play(Limits(resets_burst=100))
    client, other = play.client(), play.client()
    beside = other.call()
    for _ in range(101):
        if not client.goaways:
            client.reset(client.begin().id)
    assert client.error is ErrorCode.ENHANCE_YOUR_CALM
    assert play.counts.limits_hit == {"resets_burst": 1}
    play.runtime.answer(1)
    assert beside.code is Code.OK
    play.check_rest()


def test_a_header_list_that_is_too_big_is_an_answer_of_grpc() -> None:
    play = Play(Limits(header_list_bytes_max=1000))
    client = play.client()
    seen = client.call(extra=[("x", "y" * 1000)])
    assert seen.code is Code.RESOURCE_EXHAUSTED
    assert seen.reset is ErrorCode.NO_ERROR
    assert play.counts.limits_hit == {"header_list_bytes_max": 1}
    assert client.begin(extra=[("x", "y" * 1000)], end=True).reset is None
    assert client.call().reset is None
    play.check()


# Requests.


def test_a_request_may_end_with_its_headers() -> None:
    play = Play()
    seen = play.client().begin(end=True)
    assert play.runtime.streams[1].ended
    play.runtime.answer(1)
    assert seen.code is Code.OK
    play.check_rest()


def test_trailers_end_a_request_and_go_nowhere() -> None:
    play = Play()
    client = play.client()
    client.begin()
    client.data(1, framed(b"x"))
    client.send(client.headers_frame(1, [("x", "y")], end=True))
    assert (play.runtime.streams[1].data, play.runtime.streams[1].ended) == (framed(b"x"), True)
    assert len(play.runtime.streams[1].blocks) == 1
    play.runtime.answer(1)
    play.check_rest()


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        pytest.param([("x", "y")], False, id="headers twice"),
        pytest.param([(":path", "/")], True, id="a pseudo-header in trailers"),
        pytest.param([("connection", "close")], True, id="a connection header in trailers"),
    ],
)
def test_malformed_trailers_end_the_stream(fields: list[tuple[str, str]], end: bool) -> None:
    play = Play()
    client = play.client()
    seen = client.begin()
    client.send(client.headers_frame(1, fields, end=end))
    assert seen.reset is ErrorCode.PROTOCOL_ERROR
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    play.check_rest()


@pytest.mark.parametrize(
    ("told", "sent", "ok"),
    [
        (6, [6], True),
        (6, [3, 3], True),
        (7, [6], False),
        (5, [6], False),
        (6, [3, 4], False),
        (6, [], False),
        (0, [], True),
    ],
)
@pytest.mark.parametrize("empty_end", [False, True], ids=["", "an empty frame at the end"])
def test_a_content_length_is_kept(told: int, sent: list[int], ok: bool, empty_end: bool) -> None:
    play = Play()
    client = play.client()
    body = framed(b"x")
    head = client.head(extra=[("content-length", str(told))])
    if not sent and not empty_end:
        client.send(client.headers_frame(1, head, end=True))
    else:
        client.send(client.headers_frame(1, head))
        for number, size in enumerate(sent, 1):
            client.data(1, (body + b"x" * 9)[:size], end=number == len(sent) and not empty_end)
            body = body[size:]
        if empty_end and client.streams[1].reset is None:
            client.data(1, b"", end=True)
    assert client.streams[1].reset is (None if ok else ErrorCode.PROTOCOL_ERROR)
    assert not client.goaways
    play.check()


def test_a_request_that_is_malformed_is_no_call() -> None:
    play = Play()
    client = play.client()
    client.send(HeadersFrame(1, client.block([(":method", "POST")]), flags=["END_HEADERS"]))
    assert client.streams[1].reset is ErrorCode.PROTOCOL_ERROR
    assert play.counts.calls_begun == 0
    assert play.counts.stream_errors == {"PROTOCOL_ERROR": 1}
