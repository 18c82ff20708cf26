from collections.abc import Iterator

import pytest
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame

from adapter.domain.errors import Code
from adapter.http2.flow import Limits
from adapter.http2.frames import WINDOW_MAX, ErrorCode, Setting
from adapter.http2.outgoing import TINY_BYTES, keep
from tests.fakes.relay_outlet import FakeOutlet
from tests.fakes.relay_peers import FakeClient, framed
from tests.fakes.relay_play import Play

WINDOW = int(Setting.INITIAL_WINDOW_SIZE)
FRAME = int(Setting.MAX_FRAME_SIZE)


@pytest.fixture
def play() -> Iterator[Play]:
    """Whatever was done, the books are right."""
    made = Play()
    yield made
    made.check()


def sizes(client: FakeClient, stream_id: int) -> list[int]:
    """Of the DATA frames that came on a stream."""
    return [len(f.data) for f in client.frames if isinstance(f, DataFrame) and f.stream_id == stream_id]


def test_data_waits_for_the_streams_window(play: Play) -> None:
    client = play.client({WINDOW: 10})
    seen = client.call()
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x" * 100))
    play.runtime.close(1)
    assert (len(seen.data), seen.ended) == (10, False)
    assert play.counts.buffered_bytes == 95
    client.widen(1, 20)
    assert len(seen.data) == 30
    client.widen(1, 1000)
    assert (seen.data, seen.code) == (framed(b"x" * 100), Code.OK)
    assert sizes(client, 1) == [10, 20, 75]
    play.check_rest()


def test_data_waits_for_the_connections_window(play: Play) -> None:
    client = play.client({WINDOW: 1 << 20})
    seen = client.call()
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x" * 60_000))
    play.runtime.data(1, framed(b"x" * 10_000))
    assert len(seen.data) == 65_535
    client.widen(1, 1000)
    assert len(seen.data) == 65_535
    client.widen(0, 10_000)
    assert len(seen.data) == 70_010
    play.runtime.close(1)
    play.check_rest()


def test_an_end_needs_no_window(play: Play) -> None:
    client = play.client({WINDOW: 0})
    seen = client.call()
    play.runtime.open(1)
    play.runtime.close(1)
    assert seen.code is Code.OK
    play.check_rest()


def test_an_empty_end_needs_no_window_either(play: Play) -> None:
    play.runtime_settings = {WINDOW: 5}
    client = play.client()
    client.begin()
    client.data(1, framed(b""))
    assert play.runtime.streams[1].data == framed(b"")
    client.data(1, b"", end=True)
    assert play.runtime.streams[1].ended


def test_an_end_waits_behind_the_data(play: Play) -> None:
    play.runtime_settings = {WINDOW: 5}
    client = play.client()
    client.begin()
    client.data(1, framed(b"abc"))
    client.data(1, b"", end=True)
    assert not play.runtime.streams[1].ended
    play.runtime.widen(1, 3)
    assert (play.runtime.streams[1].data, play.runtime.streams[1].ended) == (framed(b"abc"), True)


def test_a_window_may_become_negative(play: Play) -> None:
    client = play.client({WINDOW: 1000})
    seen = client.call()
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x" * 895))
    client.set(INITIAL_WINDOW_SIZE=100)
    play.runtime.data(1, framed(b"x" * 495))
    assert len(seen.data) == 900
    client.widen(1, 800)
    assert len(seen.data) == 900
    client.widen(1, 1)
    assert len(seen.data) == 901
    client.set(INITIAL_WINDOW_SIZE=1000)
    assert len(seen.data) == 1400
    play.runtime.close(1)
    play.check_rest()


def test_a_stream_that_waits_leaves_the_queue_when_its_window_shrinks(play: Play) -> None:
    client = play.client({WINDOW: 70_000})
    for _ in range(2):
        client.call()
    for stream_id in (1, 3):
        play.runtime.open(stream_id)
        play.runtime.data(stream_id, framed(b"x" * 50_000))
    play.check()
    client.set(INITIAL_WINDOW_SIZE=0)
    client.widen(0, 100_000)
    play.check()
    assert sum(sizes(client, 1) + sizes(client, 3)) == 65_535
    client.set(INITIAL_WINDOW_SIZE=70_000)
    assert sum(sizes(client, 3)) == 50_005


def test_streams_that_wait_take_turns(play: Play) -> None:
    client = play.client({WINDOW: 1 << 20})
    for _ in range(4):
        client.call()
    play.block(client)
    for stream_id in (1, 3, 5, 7):
        play.runtime.open(stream_id)
        play.runtime.data(stream_id, framed(b"x" * 30_000))
    before = len(client.frames)
    play.unblock(client)
    order = [frame.stream_id for frame in client.frames[before:] if isinstance(frame, DataFrame)]
    assert order[:4] == [1, 3, 5, 7]
    assert (len(order), sum(map(sum, (sizes(client, n) for n in (1, 3, 5, 7))))) == (4, 65_535)
    client.widen(0, 1 << 20)
    order = [frame.stream_id for frame in client.frames[before:] if isinstance(frame, DataFrame)]
    assert order[:8] == [1, 3, 5, 7] * 2
    assert all(sum(sizes(client, stream_id)) == 30_005 for stream_id in (1, 3, 5, 7))


def test_a_small_answer_overtakes_a_large_one(play: Play) -> None:
    client = play.client({WINDOW: 100})
    large, small = client.call(), client.call()
    play.runtime.answer(1, b"x" * 10_000)
    play.runtime.answer(3, b"y")
    assert not large.ended
    assert small.code is Code.OK


def test_a_socket_that_takes_no_more_holds_data_and_not_headers(play: Play) -> None:
    client = play.client()
    one, other = client.call(), client.call()
    play.block(client)
    play.runtime.answer(1, b"x" * 100)
    play.runtime.fail(3, Code.INTERNAL)
    assert (one.data, one.ended) == (b"", False)
    assert other.code is Code.INTERNAL
    play.unblock(client)
    assert one.code is Code.OK
    play.check_rest()


def test_frames_are_no_larger_than_the_peer_takes(play: Play) -> None:
    client = play.client({WINDOW: 1 << 20})
    client.widen(0, 1 << 20)
    client.call()
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x" * 60_000))
    assert sizes(client, 1) == [16_384, 16_384, 16_384, 60_005 - 3 * 16_384]
    client.set(MAX_FRAME_SIZE=20_000)
    play.runtime.data(1, framed(b"x" * 39_995))
    assert sizes(client, 1)[4:] == [20_000, 20_000]


def test_long_headers_go_on_in_further_frames(play: Play) -> None:
    client = play.client()
    seen = client.call()
    play.runtime.send(
        play.runtime.headers_frame(1, [(":status", "200"), ("x", "y" * 40_000)]),
    )
    play.runtime.data(1, framed(b"x"))
    kinds = [type(frame) for frame in client.frames if frame.stream_id == 1]
    assert kinds == [HeadersFrame, ContinuationFrame, ContinuationFrame, DataFrame]
    assert seen.blocks[0]["x"] == "y" * 40_000


@pytest.mark.parametrize("stream_id", [0, 1])
def test_windows_may_not_be_wider_than_31_bits(stream_id: int) -> None:
    play = Play()
    client = play.client()
    seen = client.begin()
    client.widen(stream_id, WINDOW_MAX - 65_535)
    assert not client.goaways
    assert seen.reset is None
    client.widen(stream_id, 1)
    if stream_id:
        assert seen.reset is ErrorCode.FLOW_CONTROL_ERROR
        assert not client.goaways
    else:
        assert client.error is ErrorCode.FLOW_CONTROL_ERROR
    play.check()


def test_a_setting_may_not_make_a_window_wider_than_31_bits() -> None:
    play = Play()
    client = play.client()
    client.begin()
    client.widen(1, WINDOW_MAX - 65_535)
    client.set(INITIAL_WINDOW_SIZE=65_536)
    assert client.error is ErrorCode.FLOW_CONTROL_ERROR


# Credit: as the receiver takes.


def test_a_sender_has_credit_for_what_went_on(play: Play) -> None:
    play.client().begin()
    client = play.clients[0]
    half = play.shared.limits.window_bytes // 2
    client.data(1, framed(b"x" * (half - 6))[:60_000])
    for _ in range((half - 60_001) // 50_000):
        client.data(1, b"x" * 50_000)
        play.runtime.widen(0, 50_000)
        play.runtime.widen(1, 50_000)
    rest = half - 1 - len(play.runtime.streams[1].data)
    client.data(1, b"x" * rest)
    play.runtime.widen(0, 1 << 20)
    play.runtime.widen(1, 1 << 20)
    assert client.credit[1] == 0
    client.data(1, framed(b""))
    assert client.credit[1] == half + 4


def test_a_slow_reader_slows_its_sender_down() -> None:
    play = Play(Limits(window_bytes=20_000))
    client = play.client({WINDOW: 1000})
    seen = client.call()
    play.runtime.open(1)
    play.runtime.data(1, framed(b"x" * 100_000)[:20_000])
    assert play.runtime.credit[1] == 0
    client.widen(1, 8999)
    assert (len(seen.data), play.runtime.credit[1]) == (9999, 0)
    client.widen(1, 1)
    assert play.runtime.credit[1] == 10_000
    client.widen(1, 10_000)
    assert play.runtime.credit[1] == 20_000
    assert play.counts.buffered_bytes == 0
    play.check()


def test_a_slow_runtime_slows_its_client_down() -> None:
    play = Play(Limits(window_bytes=20_000), runtime_settings={WINDOW: 1000})
    client = play.client()
    client.begin()
    client.data(1, framed(b"x" * 100_000)[:20_000])
    assert client.credit[1] == 0
    play.runtime.widen(1, 9000)
    assert client.credit[1] == 10_000
    client.data(1, b"x" * 10_000)
    play.runtime.widen(1, 20_000)
    assert client.credit[1] == 30_000
    assert play.counts.buffered_bytes in {0, 30_000}
    play.check()


def test_a_stream_whose_end_came_gets_no_credit() -> None:
    play = Play(Limits(window_bytes=2000))
    client = play.client()
    seen = client.call()
    play.runtime.open(1)
    play.runtime.send(DataFrame(1, framed(b"x" * 1500)))
    assert play.runtime.credit[1] == 1505
    play.runtime.close(1)
    client.call(b"x" * 1900)
    assert client.credit[3] == 0
    assert seen.code is Code.OK
    play.check()


# How bytes get to the socket.


def test_what_one_read_caused_is_one_write() -> None:
    play = Play()
    client = play.client()
    client.call()
    writes: list[bytes] = []
    client.connection.outlet = outlet = _Counting(writes)
    play.runtime.send(
        play.runtime.headers_frame(1, [(":status", "200")]),
        DataFrame(1, framed(b"x")),
        play.runtime.headers_frame(1, [("grpc-status", "0")], end=True),
    )
    assert len(writes) == 1
    assert not outlet.closed


class _Counting(FakeOutlet):
    def __init__(self, writes: list[bytes]) -> None:
        super().__init__()
        self._writes = writes

    def write(self, data: bytes) -> None:
        self._writes.append(data)
        super().write(data)


def test_tiny_chunks_are_kept_joined() -> None:
    chunks: list[bytes | memoryview] = []
    for _ in range(3000):
        keep(chunks, b"x")
    keep(chunks, memoryview(b"y" * TINY_BYTES))
    keep(chunks, b"z")
    assert [len(chunk) for chunk in chunks] == [TINY_BYTES, 3000 - TINY_BYTES, TINY_BYTES, 1]


def test_a_stream_with_nothing_left_to_send_does_not_stall() -> None:
    play = Play(Limits(stall_s_max=60))
    client = play.client()
    seen = client.begin()
    client.data(1, framed(b"x"))
    play.block(play.runtime)
    client.data(1, b"", end=True)
    assert play.runtime.streams[1].ended
    play.check()
    play.pass_s(61)
    assert seen.reset is None
