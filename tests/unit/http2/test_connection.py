import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    SettingsFrame,
)

from adapter.domain.errors import Code
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode
from tests.fakes.relay_peers import FakeClient, frame_bytes, framed
from tests.fakes.relay_play import Play

DATA, HEADERS, CONTINUATION = 0, 1, 9
PADDED, PRIORITY, END_HEADERS, END_STREAM = 0x8, 0x20, 0x4, 0x1


def assert_dead(play: Play, client: FakeClient, code: ErrorCode) -> None:
    """The connection ended with this error, and nothing of it is left; another one works."""
    assert client.error is code
    assert play.counts.connection_errors == {code.name: 1}
    other = play.client()
    assert not other.outlet.closed
    play.check()


# How bytes become frames.


@pytest.mark.parametrize("step", [1, 2, 3, 7, 9, 10, 64, 1000])
def test_frames_are_read_however_their_bytes_come(step: int) -> None:
    play = Play()
    client = play.client()
    sent = b"".join(
        part.serialize()
        for part in (
            client.headers_frame(1, client.head()),
            DataFrame(1, framed(b"x" * 100)[:50]),
            DataFrame(1, framed(b"x" * 100)[50:], flags=["END_STREAM"]),
            client.headers_frame(3, client.head()),
            DataFrame(3, framed(b"y"), flags=["END_STREAM"]),
        )
    )
    for start in range(0, len(sent), step):
        client.send(sent[start : start + step])
    assert [(seen.data, seen.ended) for seen in play.runtime.calls] == [
        (framed(b"x" * 100), True),
        (framed(b"y"), True),
    ]
    play.runtime.answer(1)
    play.runtime.answer(3)
    play.check_rest()


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("cut", [0, 1, 9, 5000, 9_009])
def test_a_run_of_large_frames_is_read_whole_or_in_parts(count: int, cut: int) -> None:
    play = Play()
    client = play.client()
    one, other = client.begin(), client.begin()
    body = framed(bytes(range(256)) * 40 * count)
    size = len(body) // count + 1
    frames = [DataFrame(1, body[at : at + size]) for at in range(0, len(body), size)]
    frames[-1].flags.add("END_STREAM")
    sent = b"".join(
        frame.serialize() for frame in [*frames, DataFrame(3, framed(b"z"), flags=["END_STREAM"])]
    )
    client.send(sent[: len(sent) - cut])
    client.send(sent[len(sent) - cut :])
    assert play.runtime.streams[1].data == body
    assert play.runtime.streams[3].data == framed(b"z")
    assert [seen.ended for seen in play.runtime.calls] == [True, True]
    play.runtime.answer(1)
    play.runtime.answer(3)
    assert (one.code, other.code) == (Code.OK, Code.OK)
    play.check_rest()


def test_padding_is_taken_off_and_counts_for_windows() -> None:
    play = Play(Limits(window_bytes=70_000))
    client = play.client()
    seen = client.begin()
    for _ in range(200):
        client.send(DataFrame(1, b"", pad_length=255, flags=["PADDED"]))
    assert client.credit[1] >= 35_000
    client.send(DataFrame(1, framed(b"x"), pad_length=99, flags=["PADDED", "END_STREAM"]))
    assert play.runtime.calls[0].data == framed(b"x")
    play.runtime.answer(1)
    assert seen.code is Code.OK


def test_headers_may_be_padded_and_have_a_priority() -> None:
    play = Play()
    client = play.client()
    frame = HeadersFrame(1, client.block(client.head()), pad_length=7, depends_on=5, stream_weight=3)
    frame.flags |= {"END_HEADERS", "PADDED", "PRIORITY"}
    client.send(frame)
    assert play.runtime.calls[0].blocks[0][":path"] == "/test.Echo/Unary"


@pytest.mark.parametrize("parts", [2, 3, 16])
def test_a_header_block_may_come_in_several_frames(parts: int) -> None:
    play = Play()
    client = play.client()
    block = client.block(client.head())
    size = -(-len(block) // parts)
    pieces = [block[at : at + size] for at in range(0, len(block), size)]
    frames: list[Frame] = [HeadersFrame(1, pieces[0], flags=["END_STREAM"])]
    frames += [ContinuationFrame(1, piece) for piece in pieces[1:]]
    frames[-1].flags.add("END_HEADERS")
    client.send(*frames)
    assert play.runtime.calls[0].ended
    play.check()


def test_unknown_frames_are_passed_over() -> None:
    play = Play()
    client = play.client()
    client.send(frame_bytes(0xFA, 0xFF, 7, b"whatever"), frame_bytes(0x0A, 0, 0, b""))
    assert client.call() is not None
    assert play.runtime.calls


def test_the_reserved_bit_of_a_stream_is_passed_over() -> None:
    play = Play()
    client = play.client()
    block = client.block(client.head())
    client.send(frame_bytes(HEADERS, END_HEADERS | END_STREAM, 1 | 1 << 31, block))
    assert play.runtime.calls[0].ended


# What ends a connection.


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(frame_bytes(DATA, 0, 0, b"x"), ErrorCode.PROTOCOL_ERROR, id="DATA on stream 0"),
        pytest.param(frame_bytes(DATA, 0, 99, b"x"), ErrorCode.PROTOCOL_ERROR, id="DATA on an idle stream"),
        pytest.param(frame_bytes(DATA, 0, 2, b"x"), ErrorCode.PROTOCOL_ERROR, id="DATA on a stream of ours"),
        pytest.param(
            frame_bytes(DATA, PADDED, 1, b""), ErrorCode.FRAME_SIZE_ERROR, id="padding without its length"
        ),
        pytest.param(
            frame_bytes(DATA, PADDED, 1, b"\x05abcd"), ErrorCode.PROTOCOL_ERROR, id="more padding than frame"
        ),
        pytest.param(frame_bytes(HEADERS, 4, 0, b"\x82"), ErrorCode.PROTOCOL_ERROR, id="HEADERS on stream 0"),
        pytest.param(
            frame_bytes(HEADERS, END_HEADERS | PADDED, 3, b"\x05\x82"),
            ErrorCode.PROTOCOL_ERROR,
            id="HEADERS, more padding than frame",
        ),
        pytest.param(
            frame_bytes(HEADERS, END_HEADERS | PRIORITY, 3, b"\0\0\0"),
            ErrorCode.FRAME_SIZE_ERROR,
            id="HEADERS, half a priority",
        ),
        pytest.param(
            frame_bytes(HEADERS, END_HEADERS | PRIORITY, 3, b"\0\0\0\x03\x01\x82"),
            ErrorCode.PROTOCOL_ERROR,
            id="HEADERS that depend on themselves",
        ),
        pytest.param(
            frame_bytes(HEADERS, 4, 3, b"\xbe"), ErrorCode.COMPRESSION_ERROR, id="HPACK that is none"
        ),
        pytest.param(
            frame_bytes(CONTINUATION, 4, 1, b"\x82"), ErrorCode.PROTOCOL_ERROR, id="CONTINUATION of nothing"
        ),
        pytest.param(
            frame_bytes(HEADERS, 0, 3, b"\x82") + frame_bytes(CONTINUATION, 4, 5, b"\x82"),
            ErrorCode.PROTOCOL_ERROR,
            id="CONTINUATION of another stream",
        ),
        pytest.param(
            frame_bytes(HEADERS, 0, 3, b"\x82") + frame_bytes(DATA, 0, 1, b"\x82"),
            ErrorCode.PROTOCOL_ERROR,
            id="DATA amid a header block",
        ),
        pytest.param(
            frame_bytes(HEADERS, 0, 3, b"\x82") + frame_bytes(0xFA, 0, 1, b"\x82"),
            ErrorCode.PROTOCOL_ERROR,
            id="an unknown frame amid a header block",
        ),
        pytest.param(
            frame_bytes(DATA, 0, 1, b"", length=70_000),
            ErrorCode.FRAME_SIZE_ERROR,
            id="too large, its header",
        ),
        pytest.param(
            frame_bytes(0xFA, 0, 1, b"", length=2**24 - 1),
            ErrorCode.FRAME_SIZE_ERROR,
            id="too large, unknown",
        ),
    ],
)
@pytest.mark.parametrize("step", [1000, 1], ids=["at once", "by bytes"])
def test_a_broken_frame_ends_the_connection_and_no_other(frame: bytes, code: ErrorCode, step: int) -> None:
    play = Play()
    client, other = play.client(), play.client()
    client.begin()
    beside = other.call()
    for at in range(0, len(frame), step):
        client.send(frame[at : at + step])
    assert_dead(play, client, code)
    assert play.router.codes == [Code.CANCELLED]
    play.runtime.answer(3)
    assert beside.code is Code.OK
    play.check_rest()


def test_nothing_is_understood_after_the_end() -> None:
    play = Play()
    client = play.client()
    client.send(frame_bytes(DATA, 0, 0, b""), PingFrame(0, b"12345678"))
    before = len(client.frames)
    client.connection.receive(PingFrame(0, b"12345678").serialize() * 1000)
    play.settle()
    assert len(client.frames) == before
    assert not client.pongs
    assert len(client.connection._partial) < 1000


# Windows of ours.


def test_more_data_than_a_streams_window_ends_the_stream() -> None:
    play = Play(Limits(window_bytes=1000))
    client = play.client()
    one, other = client.begin(), client.begin()
    play.block(play.runtime)
    client.data(1, framed(b"x" * 995))
    client.data(1, b"y")
    assert one.reset is ErrorCode.FLOW_CONTROL_ERROR
    assert play.counts.stream_errors == {"FLOW_CONTROL_ERROR": 1}
    assert other.reset is None
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    assert play.runtime.streams[3].reset is None
    play.check()


def test_more_data_than_the_connections_window_ends_the_connection() -> None:
    play = Play(Limits(window_bytes=1 << 20, connection_window_bytes=100_000))
    client = play.client()
    client.begin()
    assert client.credit[0] == 100_000 - 65_535
    client.data(1, framed(b"x" * 160_000)[:49_000])
    assert client.error is None
    client.data(1, b"x" * 51_001)
    assert_dead(play, client, ErrorCode.FLOW_CONTROL_ERROR)


def test_the_connections_window_is_given_back_at_once() -> None:
    play = Play(Limits(connection_window_bytes=100_000))
    client = play.client()
    client.begin()
    play.block(play.runtime)
    before = client.credit[0]
    client.data(1, framed(b"x" * 49_000))
    assert client.credit[0] == before
    client.data(1, b"x" * 2000)
    assert client.credit[0] - before == 51_005
    assert not client.credit[1]


# Floods.


def test_a_header_block_may_not_be_endless() -> None:
    play = Play(Limits(header_block_bytes_max=30_000, continuations_max=100))
    client = play.client()
    client.send(HeadersFrame(1, b"\x82" * 15_000), ContinuationFrame(1, b"\x90" * 15_000))
    assert client.error is None
    client.send(ContinuationFrame(1, b"\x90"))
    assert_dead(play, client, ErrorCode.ENHANCE_YOUR_CALM)
    assert play.counts.limits_hit == {"header_block_bytes_max": 1}


def test_a_header_block_may_not_be_cut_into_too_many_frames() -> None:
    play = Play(Limits(continuations_max=10))
    client = play.client()
    client.send(HeadersFrame(1, b"\x82"), *[ContinuationFrame(1, b"")] * 9)
    assert client.error is None
    client.send(ContinuationFrame(1, b""))
    assert_dead(play, client, ErrorCode.ENHANCE_YOUR_CALM)
    assert play.counts.limits_hit == {"continuations_max": 1}


def test_empty_frames_may_not_come_too_often() -> None:
    play = Play(Limits(empty_frames_burst=50))
    client = play.client()
    client.begin()
    client.send(*[DataFrame(1, b"")] * 50)
    assert client.error is None
    play.pass_s(1.0)
    client.send(*[DataFrame(1, b"")] * 5)
    assert client.error is None
    client.send(DataFrame(1, b""))
    assert_dead(play, client, ErrorCode.ENHANCE_YOUR_CALM)
    assert play.counts.limits_hit == {"empty_frames_burst": 1}


# Time.


def test_a_peer_that_does_not_acknowledge_our_settings_is_given_up() -> None:
    play = Play(Limits(handshake_s_max=20))
    client = play.stranger()
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SettingsFrame(0))
    play.pass_s(19)
    assert client.error is None
    play.pass_s(2)
    assert_dead(play, client, ErrorCode.SETTINGS_TIMEOUT)
    assert play.counts.limits_hit == {"handshake_s_max": 1}


def test_a_silent_peer_is_asked_and_given_up_if_it_does_not_answer() -> None:
    play = Play(Limits(keepalive_s=300, keepalive_timeout_s=20))
    client = play.client()
    seen = client.begin()
    play.runtime.send(b"")
    play.pass_s(299)
    assert not client.pings
    play.pass_s(2)
    assert len(client.pings) == 1
    play.pass_s(10)
    assert not client.goaways
    client.send(PingFrame(0, client.pings[0], flags=["ACK"]))
    play.pass_s(299)
    assert len(client.pings) == 1
    play.pass_s(2)
    play.pass_s(21)
    assert client.error is ErrorCode.NO_ERROR
    assert play.counts.limits_hit["keepalive_timeout_s"] >= 1
    assert seen.reset is None


def test_a_runtime_that_falls_silent_is_given_up_too() -> None:
    play = Play(Limits(keepalive_s=300, keepalive_timeout_s=20))
    play.client().call()
    play.connects = False
    for _ in range(4):
        play.clients[0].send(PingFrame(0, b"stillyou"))
        play.pass_s(100)
    assert play.runtime.pings
    play.clients[0].send(PingFrame(0, b"stillyou"))
    play.pass_s(21)
    assert play.runtime.error is ErrorCode.NO_ERROR
    assert play.counts.retries == {"connection_lost": 1}
    play.check()


def test_a_runtime_without_calls_is_not_asked() -> None:
    play = Play(Limits(keepalive_s=300, keepalive_timeout_s=20))
    play.client().call()
    play.runtime.answer(1)
    play.pass_s(1000)
    assert not play.runtime.pings
    assert not play.runtime.outlet.closed


def test_a_stream_whose_reader_stalls_is_ended() -> None:
    play = Play(Limits(stall_s_max=60, window_bytes=1 << 20))
    client = play.client({4: 100})
    seen, other = client.begin(), client.call()
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x" * 1000))
    play.pass_s(40)
    client.widen(1, 100)
    play.pass_s(40)
    assert seen.reset is None
    play.pass_s(30)
    assert seen.reset is ErrorCode.CANCEL
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    assert play.counts.limits_hit == {"stall_s_max": 1}
    assert other.reset is None
    play.runtime.answer(3)
    play.check_rest()
