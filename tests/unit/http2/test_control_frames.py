import pytest
from hyperframe.frame import Frame, PingFrame, PriorityFrame, RstStreamFrame, SettingsFrame

from adapter.domain.errors import Code
from adapter.http2.control_frames import DRAIN_PING
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode, Setting
from tests.fakes.relay_peers import frame_bytes
from tests.fakes.relay_play import Play

PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE = range(2, 9)


def setting(number: int, value: int) -> bytes:
    return frame_bytes(SETTINGS, 0, 0, number.to_bytes(2, "big") + value.to_bytes(4, "big"))


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(frame_bytes(PRIORITY, 0, 0, bytes(5)), ErrorCode.PROTOCOL_ERROR, id="PRIORITY on 0"),
        pytest.param(
            frame_bytes(PRIORITY, 0, 1, b"\0\0\0\x01\0"), ErrorCode.PROTOCOL_ERROR, id="PRIORITY on itself"
        ),
        pytest.param(frame_bytes(RST_STREAM, 0, 0, bytes(4)), ErrorCode.PROTOCOL_ERROR, id="RST_STREAM on 0"),
        pytest.param(
            frame_bytes(RST_STREAM, 0, 99, bytes(4)), ErrorCode.PROTOCOL_ERROR, id="RST_STREAM, idle"
        ),
        pytest.param(
            frame_bytes(RST_STREAM, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR, id="RST_STREAM, short"
        ),
        pytest.param(frame_bytes(SETTINGS, 0, 1, b""), ErrorCode.PROTOCOL_ERROR, id="SETTINGS on a stream"),
        pytest.param(frame_bytes(SETTINGS, 0, 0, b"12345"), ErrorCode.FRAME_SIZE_ERROR, id="SETTINGS, short"),
        pytest.param(
            frame_bytes(SETTINGS, 1, 0, bytes(6)), ErrorCode.FRAME_SIZE_ERROR, id="SETTINGS, a full answer"
        ),
        pytest.param(setting(2, 2), ErrorCode.PROTOCOL_ERROR, id="ENABLE_PUSH 2"),
        pytest.param(setting(4, 1 << 31), ErrorCode.FLOW_CONTROL_ERROR, id="INITIAL_WINDOW_SIZE, too wide"),
        pytest.param(setting(5, 16_383), ErrorCode.PROTOCOL_ERROR, id="MAX_FRAME_SIZE, too small"),
        pytest.param(setting(5, 1 << 24), ErrorCode.PROTOCOL_ERROR, id="MAX_FRAME_SIZE, too large"),
        pytest.param(frame_bytes(PUSH_PROMISE, 4, 1, bytes(5)), ErrorCode.PROTOCOL_ERROR, id="PUSH_PROMISE"),
        pytest.param(frame_bytes(PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR, id="PING on a stream"),
        pytest.param(frame_bytes(PING, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR, id="PING, short"),
        pytest.param(frame_bytes(GOAWAY, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR, id="GOAWAY on a stream"),
        pytest.param(frame_bytes(GOAWAY, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR, id="GOAWAY, short"),
        pytest.param(
            frame_bytes(WINDOW_UPDATE, 0, 0, bytes(4)), ErrorCode.PROTOCOL_ERROR, id="WINDOW_UPDATE by 0"
        ),
        pytest.param(
            frame_bytes(WINDOW_UPDATE, 0, 99, b"\0\0\0\x01"),
            ErrorCode.PROTOCOL_ERROR,
            id="WINDOW_UPDATE, idle",
        ),
        pytest.param(
            frame_bytes(WINDOW_UPDATE, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR, id="WINDOW_UPDATE, short"
        ),
    ],
)
@pytest.mark.parametrize("role", ["client", "runtime"])
def test_a_broken_control_frame_ends_the_connection(role: str, frame: bytes, code: ErrorCode) -> None:
    play = Play()
    client = play.client()
    client.begin()
    peer = client if role == "client" else play.runtime
    play.connects = False
    peer.send(frame)
    assert peer.error is code
    assert play.counts.connection_errors == {code.name: 1}
    play.check()


def test_a_priority_of_another_size_ends_its_stream() -> None:
    play = Play()
    client = play.client()
    one, other = client.begin(), client.call()
    client.send(frame_bytes(PRIORITY, 0, 1, bytes(4)))
    assert one.reset is ErrorCode.FRAME_SIZE_ERROR
    play.runtime.answer(3)
    assert other.code is Code.OK


def test_a_window_update_by_0_ends_its_stream() -> None:
    play = Play()
    client = play.client()
    one, other = client.begin(), client.call()
    client.send(frame_bytes(WINDOW_UPDATE, 0, 1, b"\x80\0\0\0"))
    assert one.reset is ErrorCode.PROTOCOL_ERROR
    assert play.runtime.streams[1].reset is ErrorCode.CANCEL
    play.runtime.answer(3)
    assert other.code is Code.OK
    play.check_rest()


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(RstStreamFrame(1, 8), id="RST_STREAM"),
        pytest.param(frame_bytes(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01"), id="WINDOW_UPDATE"),
        pytest.param(frame_bytes(WINDOW_UPDATE, 0, 1, bytes(4)), id="WINDOW_UPDATE by 0"),
        pytest.param(PriorityFrame(1, depends_on=7), id="PRIORITY"),
        pytest.param(PriorityFrame(99, depends_on=7), id="PRIORITY of an idle stream"),
    ],
)
def test_late_frames_of_a_stream_that_has_ended_are_passed_over(frame: Frame | bytes) -> None:
    play = Play()
    client = play.client()
    client.call()
    play.runtime.answer(1)
    client.send(frame)
    assert not client.goaways
    assert client.streams[1].reset is None
    play.check_rest()


def test_settings_are_acknowledged_and_unknown_ones_passed_over() -> None:
    play = Play()
    client = play.client()
    client.send(SettingsFrame(0, {0x99: 5, 1: 4096, 6: 1}))
    acks = [frame for frame in client.frames if isinstance(frame, SettingsFrame) and "ACK" in frame.flags]
    assert len(acks) == 2


def test_our_settings_are_as_the_limits_have_them() -> None:
    play = Play(
        Limits(streams_max=77, window_bytes=123_456, frame_bytes_max=20_000, header_list_bytes_max=999)
    )
    client = play.client()
    client.call()
    assert client.settings == {
        Setting.HEADER_TABLE_SIZE: 0,
        Setting.MAX_CONCURRENT_STREAMS: 77,
        Setting.INITIAL_WINDOW_SIZE: 123_456,
        Setting.MAX_FRAME_SIZE: 20_000,
        Setting.MAX_HEADER_LIST_SIZE: 999,
    }
    assert play.runtime.settings[Setting.ENABLE_PUSH] == 0
    assert play.runtime.settings[Setting.HEADER_TABLE_SIZE] == 0


def test_a_ping_is_answered_with_what_it_holds() -> None:
    play = Play()
    client = play.client()
    client.send(PingFrame(0, b"12345678"))
    assert client.pongs == [b"12345678"]


@pytest.mark.parametrize("role", ["client", "runtime"])
def test_answers_to_pings_that_nobody_sent_are_passed_over(role: str) -> None:
    play = Play()
    seen = play.client().call()
    peer = play.clients[0] if role == "client" else play.runtime
    for payload in (b"12345678", DRAIN_PING):
        peer.send(PingFrame(0, payload, flags=["ACK"]))
    assert not peer.goaways
    play.runtime.answer(1)
    assert seen.code is Code.OK
    assert play.client().call().reset is None


# Floods.


@pytest.mark.parametrize(
    ("limit", "frame"),
    [
        ("pings_burst", PingFrame(0, b"12345678")),
        ("settings_burst", SettingsFrame(0, {3: 100})),
        ("resets_burst", RstStreamFrame(1, 8)),
        ("empty_frames_burst", PriorityFrame(1, depends_on=3)),
    ],
)
def test_what_costs_us_something_may_not_come_too_often(limit: str, frame: Frame) -> None:
    play = Play(Limits(**{limit: 20}))
    client, other = play.client(), play.client()
    client.call()
    spent = {"settings_burst": 1}.get(limit, 0)
    client.send(*[frame] * (20 - spent))
    assert client.error is None
    play.pass_s(1.0)
    client.send(*[frame] * 2)
    assert client.error is None
    client.send(*[frame] * 3)
    assert client.error is ErrorCode.ENHANCE_YOUR_CALM
    assert play.counts.limits_hit == {limit: 1}
    other.call()
    assert other.error is None
    play.check()


def test_many_parameters_in_one_frame_count_as_many_frames() -> None:
    play = Play(Limits(settings_burst=20))
    client = play.client()
    payload = (b"\0\x04\0\0\xff\xff" + b"\0\x04\0\0\0\0") * 1000
    client.send(frame_bytes(SETTINGS, 0, 0, payload))
    assert client.error is ErrorCode.ENHANCE_YOUR_CALM


def test_a_client_may_measure_the_link_while_data_flows() -> None:
    play = Play(Limits(pings_burst=5))
    client = play.client()
    for number in range(50):
        client.call()
        play.runtime.answer(2 * number + 1)
        client.send(PingFrame(0, b"measured"))
    assert client.error is None


def test_a_runtime_is_trusted_not_to_flood_us() -> None:
    play = Play(Limits(pings_burst=5, settings_burst=5))
    play.client().call()
    play.runtime.send(*[PingFrame(0, b"12345678")] * 50)
    assert len(play.runtime.pongs) == 50
    assert not play.runtime.goaways
