import pytest
from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame

from adapter.domain.errors import Code
from adapter.http2.client_side import OPENED_BLOCKED_MAX, RESPONSES_REMEMBERED_MAX, ClientConnection
from adapter.http2.flow import Limits
from adapter.http2.frames import STREAM_ID_MAX, ErrorCode, Setting
from tests.fakes.relay_peers import framed
from tests.fakes.relay_play import Play

STREAMS = int(Setting.MAX_CONCURRENT_STREAMS)


def test_we_greet_a_runtime_first() -> None:
    play = Play()
    play.connects = False
    play.client().call()
    play.connects = True
    play.settle()
    assert isinstance(play.runtime.frames[0], SettingsFrame)
    assert play.runtime.calls[0].id == 1


def test_calls_are_told_apart_by_odd_streams() -> None:
    play = Play()
    for _ in range(3):
        play.client().call()
    assert [seen.id for seen in play.runtime.calls] == [1, 3, 5]
    assert len(play.runtimes) == 1


def test_our_first_block_says_that_there_is_no_table() -> None:
    play = Play()
    client = play.client()
    client.call()
    client.call()
    blocks = [frame.data for frame in play.runtime.frames if isinstance(frame, HeadersFrame)]
    assert [block[:1] for block in blocks] == [b"\x20", b"\x83"]


def test_a_runtime_that_uses_a_table_is_understood() -> None:
    play = Play()
    client = play.client()
    play.runtime_settings = {}
    seen = [client.call() for _ in range(2)]
    play.runtime.encoder = type(play.runtime.encoder)()
    for stream_id in (1, 3):
        block = play.runtime.encoder.encode([(":status", "200"), ("x", "y"), ("grpc-status", "5")])
        play.runtime.send(HeadersFrame(stream_id, bytes(block), flags=["END_HEADERS", "END_STREAM"]))
    del seen
    assert [lost.model for lost in play.router.lost] == ["m", "m"]


def test_a_connection_is_full_when_the_runtime_says_so() -> None:
    play = Play(Limits(upstream_connections_max=2), runtime_settings={STREAMS: 2})
    client = play.client()
    client.call()
    seen = [client.call() for _ in range(5)]
    first, second = play.runtimes
    assert (len(first.calls), len(second.calls)) == (2, 2)
    first.answer(1)
    assert [call.id for call in first.calls] == [1, 3, 5]
    second.answer(1)
    assert [call.id for call in second.calls] == [1, 3, 5]
    assert [each.code for each in seen].count(Code.OK) == 1
    play.check()


def test_a_limit_that_grows_lets_waiting_calls_go() -> None:
    play = Play(Limits(upstream_connections_max=1), runtime_settings={STREAMS: 1})
    client = play.client()
    for _ in range(3):
        client.call()
    assert len(play.runtime.calls) == 1
    play.runtime.set(MAX_CONCURRENT_STREAMS=3)
    assert len(play.runtime.calls) == 3


def test_stream_ids_may_run_out() -> None:
    play = Play()
    client = play.client()
    client.call()
    first = play.runtime
    assert isinstance(first.connection, ClientConnection)
    first.connection._next_id = STREAM_ID_MAX
    last, next_one = client.call(), client.call()
    assert [call.id for call in first.calls] == [1, STREAM_ID_MAX]
    assert len(play.runtimes) == 2
    play.runtimes[1].answer(1)
    assert next_one.code is Code.OK
    first.answer(STREAM_ID_MAX)
    assert last.code is Code.OK
    first.answer(1)
    assert first.outlet.closed
    play.check_rest()


def test_streams_are_not_piled_up_on_a_socket_that_takes_nothing() -> None:
    play = Play(Limits(streams_max=5000, upstream_connections_max=1))
    client = play.client()
    client.call()
    play.block(play.runtime)
    for _ in range(OPENED_BLOCKED_MAX + 10):
        client.begin()
    assert len(play.runtime.calls) == OPENED_BLOCKED_MAX + 1
    play.unblock(play.runtime)
    play.upstream.unblocked()
    play.settle()
    assert len(play.runtime.calls) == OPENED_BLOCKED_MAX + 11
    play.check()


@pytest.mark.parametrize("kind", ["HEADERS", "DATA"])
def test_a_runtime_that_opens_streams_is_cut_off(kind: str) -> None:
    play = Play()
    seen = play.client().call()
    play.connects = False
    runtime = play.runtime
    if kind == "DATA":
        runtime.data(9, b"x")
    else:
        runtime.open(9)
    assert runtime.error is ErrorCode.PROTOCOL_ERROR
    assert seen.code is None
    assert play.counts.retries == {"connection_lost": 1}
    play.check()


@pytest.mark.parametrize("kind", ["HEADERS", "DATA"])
def test_what_comes_late_for_a_cancelled_call_is_passed_over(kind: str) -> None:
    play = Play()
    client = play.client()
    client.call()
    client.reset(1)
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    before = len(play.runtime.frames)
    if kind == "DATA":
        play.runtime.send(DataFrame(1, framed(b"late")))
    else:
        play.runtime.answer(1)
    assert len(play.runtime.frames) == before
    play.check_rest()


def test_informational_headers_are_passed_over() -> None:
    play = Play()
    seen = play.client().call()
    play.runtime.send(play.runtime.headers_frame(1, [(":status", "103"), ("link", "x")]))
    play.runtime.answer(1)
    assert seen.code is Code.OK
    assert len(seen.blocks) == 2


def test_informational_headers_do_not_end_a_call_without_a_status() -> None:
    play = Play()
    seen = play.client().call()
    play.runtime.send(play.runtime.headers_frame(1, [(":status", "103")], end=True))
    assert seen.ended
    assert play.router.codes == [Code.UNKNOWN]
    play.check_rest()


def test_headers_twice_are_an_error() -> None:
    play = Play()
    seen = play.client().call()
    play.runtime.open(1)
    play.runtime.open(1)
    assert seen.status == (Code.INTERNAL, "the runtime sent headers that are out of place")
    assert len(seen.blocks) == 1
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    play.check_rest()


def test_a_runtime_that_goes_away_answers_what_it_has_begun() -> None:
    play = Play()
    client = play.client()
    begun, refused = client.call(), client.call()
    first = play.runtime
    first.go_away(1)
    assert len(play.runtimes) == 2
    play.runtime.answer(1, b"from the second")
    assert refused.data == framed(b"from the second")
    assert not first.outlet.closed
    first.answer(1)
    assert begun.code is Code.OK
    assert first.outlet.closed
    assert play.counts.retries == {"refused_stream": 1}
    assert play.counts.connection_errors == {}
    play.check_rest()


def test_answers_that_come_again_are_known_by_their_bytes() -> None:
    play = Play()
    client = play.client()
    client.call()
    play.runtime.answer(1)
    for number in range(RESPONSES_REMEMBERED_MAX + 10):
        client.call()
        stream_id = 2 * number + 3
        play.runtime.open(stream_id)
        play.runtime.close(stream_id, more=[("x", str(number))])
    assert len(play.shared.responses) <= RESPONSES_REMEMBERED_MAX
    play.check_rest()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("Upper", "x")], id="a name with capitals"),
        pytest.param([("x\n", "y")], id="a name with a line break"),
        pytest.param([("connection", "close")], id="a connection header"),
        pytest.param([(":path", "/")], id="a pseudo-header of requests"),
        pytest.param([("x", "a\r\nb")], id="a value with a line break"),
        pytest.param([("x", "y"), (":status", "200")], id="the status not first"),
    ],
)
@pytest.mark.parametrize("trailers", [False, True])
def test_malformed_headers_go_no_further(fields: list[tuple[str, str]], trailers: bool) -> None:
    play = Play()
    client = play.client()
    seen, beside = client.call(), client.call()
    if trailers:
        play.runtime.open(1)
        play.runtime.data(1, framed(b"x"))
    begin = [] if trailers else [(":status", "200")]
    block = play.runtime.block([*begin, ("grpc-status", "0"), *fields])
    for _ in range(2):
        play.runtime.send(HeadersFrame(1, block, flags=["END_HEADERS", "END_STREAM"]))
    assert seen.reset is ErrorCode.PROTOCOL_ERROR
    assert len(seen.blocks) == (1 if trailers else 0)
    assert play.counts.stream_errors == {"PROTOCOL_ERROR": 1}
    play.runtime.answer(3)
    assert beside.code is Code.OK
    play.check_rest()


@pytest.mark.parametrize(
    ("first", "fields", "end"),
    [
        pytest.param(True, [("grpc-status", "0")], True, id="trailers without headers"),
        pytest.param(True, [("x", "y")], False, id="headers without a status"),
        pytest.param(False, [(":status", "200"), ("grpc-status", "0")], True, id="a status in trailers"),
        pytest.param(False, [("x", "y")], False, id="trailers that do not end"),
    ],
)
def test_headers_have_their_place(first: bool, fields: list[tuple[str, str]], end: bool) -> None:
    play = Play()
    seen = play.client().call()
    if not first:
        play.runtime.open(1)
    play.runtime.send(play.runtime.headers_frame(1, fields, end=end))
    assert seen.status == (Code.INTERNAL, "the runtime sent headers that are out of place")
    assert len(seen.blocks) == 1
    play.check_rest()


def test_long_answers_are_not_remembered() -> None:
    play = Play()
    play.client().call()
    play.runtime.open(1)
    before = len(play.shared.responses)
    play.runtime.close(1, more=[("x", "y" * 5000)])
    assert len(play.shared.responses) == before
