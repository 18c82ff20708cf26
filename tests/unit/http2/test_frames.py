import pytest
from hyperframe.frame import (
    ContinuationFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from adapter.http2.frames import (
    FRAME_HEADER_BYTES,
    SETTINGS_ACK,
    ErrorCode,
    Setting,
    frame_header,
    goaway_frame,
    headers_frames,
    ping_frame,
    read_frame_header,
    rst_stream_frame,
    settings_frame,
    window_update_frame,
)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param(
            settings_frame({Setting.HEADER_TABLE_SIZE: 0, Setting.MAX_FRAME_SIZE: 2**24 - 1}),
            SettingsFrame(0, {1: 0, 5: 2**24 - 1}),
            id="SETTINGS",
        ),
        pytest.param(SETTINGS_ACK, SettingsFrame(0, flags=["ACK"]), id="SETTINGS, acknowledged"),
        pytest.param(ping_frame(b"12345678", ack=False), PingFrame(0, b"12345678"), id="PING"),
        pytest.param(
            ping_frame(b"12345678", ack=True), PingFrame(0, b"12345678", flags=["ACK"]), id="PING, answered"
        ),
        pytest.param(rst_stream_frame(7, ErrorCode.CANCEL), RstStreamFrame(7, 8), id="RST_STREAM"),
        pytest.param(window_update_frame(0, 2**31 - 1), WindowUpdateFrame(0, 2**31 - 1), id="WINDOW_UPDATE"),
        pytest.param(
            goaway_frame(2**31 - 1, ErrorCode.ENHANCE_YOUR_CALM, "too often"),
            GoAwayFrame(0, 2**31 - 1, 11, b"too often"),
            id="GOAWAY",
        ),
    ],
)
def test_frames_are_written_as_another_library_writes_them(ours: bytes, theirs: Frame) -> None:
    assert ours == theirs.serialize()


@pytest.mark.parametrize("length", [0, 1, 255, 256, 65_536, 2**24 - 1])
def test_a_header_is_read_as_it_was_written(length: int) -> None:
    header = frame_header(length, 9, 4, 2**31 - 1)
    assert len(header) == FRAME_HEADER_BYTES
    assert read_frame_header(b"xx" + header, 2) == (length >> 8, length & 255, 9, 4, 2**31 - 1)


def test_a_block_that_fits_is_one_frame() -> None:
    block = b"x" * 20
    frame = HeadersFrame(3, block, flags=["END_HEADERS", "END_STREAM"])
    assert headers_frames(3, block, end_stream=True, frame_bytes_max=20) == frame.serialize()


@pytest.mark.parametrize("end", [False, True], ids=["more follows", "the end"])
@pytest.mark.parametrize("size", [21, 39, 40, 41, 60])
def test_a_longer_block_goes_on_in_further_frames(size: int, end: bool) -> None:
    block = bytes(range(size))
    frames = _parsed(headers_frames(3, block, end_stream=end, frame_bytes_max=20))
    first, *others = frames
    assert isinstance(first, HeadersFrame)
    assert ("END_STREAM" in first.flags) == end
    assert all(isinstance(frame, ContinuationFrame) for frame in others)
    assert ["END_HEADERS" in frame.flags for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert b"".join(frame.data for frame in frames) == block  # type: ignore[attr-defined]
    assert max(frame.body_len for frame in frames) <= 20


def _parsed(data: bytes) -> list[Frame]:
    frames, position = [], 0
    while position < len(data):
        frame, length = Frame.parse_frame_header(memoryview(data)[position : position + 9])
        frame.parse_body(memoryview(data)[position + 9 : position + 9 + length])
        frames.append(frame)
        position += 9 + length
    return frames
