"""Who takes more than his share on port 8033 is stopped, counted, and noticed by nobody else.

Each limit of `adapter/http2/flow.Limits` has a test here, but for those of messages and header lists, which
are with the bad input (`test_relay_bad_messages`, `test_relay_bad_input`).
"""

import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from adapter.domain.errors import Code
from tests.integration import raw_http2 as raw
from tests.integration.echo_runtime import Plan
from tests.integration.raw_http2 import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    RawClient,
    frame,
    grpc_message,
    rst_stream,
)
from tests.integration.watched import (
    BIDI,
    INFER,
    MIB,
    SERVER_STREAM,
    TO_MODEL,
    UNARY,
    Watched,
    resident_bytes,
    wait_until,
    watched,
)

STREAMS_MAX = 100
CONNECTIONS_MAX = 30
BUFFERED_BYTES_MAX = 32 * MIB
SOON_S = 1.0
"""The limits of time, to each of which a tick of half a second may be added."""
HALF_OPEN_S = 2.0
"""Longer than it takes to send all the unfinished messages of a test."""
SMALL_GROWTH_BYTES = 10 * MIB
FULL_GROWTH_BYTES = 2 * BUFFERED_BYTES_MAX
"""What lies here, what holds it, and what the system's memory manager keeps for later."""

WAITS = [*TO_MODEL, ("echo-plan", str(Plan(delay_ms=60_000)))]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    limits = {
        "REMESH_STREAMS_MAX": STREAMS_MAX,
        "REMESH_CONNECTIONS_MAX": CONNECTIONS_MAX,
        "REMESH_BUFFERED_BYTES_MAX": BUFFERED_BYTES_MAX,
        "REMESH_STALL_S_MAX": SOON_S,
        "REMESH_HALF_OPEN_S_MAX": HALF_OPEN_S,
        "REMESH_HANDSHAKE_S_MAX": SOON_S,
        "REMESH_IDLE_S_MAX": SOON_S,
        "REMESH_KEEPALIVE_S": SOON_S,
        "REMESH_KEEPALIVE_TIMEOUT_S": SOON_S,
    }
    told = {name: str(value) for name, value in limits.items()}
    with watched(tmp_path_factory.mktemp("limits") / "up", **told) as running:
        yield running


@pytest.fixture(autouse=True)
def nobody_is_disturbed(up: Watched) -> Iterator[None]:
    up.witness.forget()
    yield
    up.comes_to_rest()
    up.witness.was_not_disturbed()
    assert "unforeseen" not in up.door.process.said


@pytest.fixture
def before_bytes(up: Watched) -> int:
    up.comes_to_rest()
    return resident_bytes(up.door.process.child.pid)


def grown_bytes(up: Watched, before_bytes: int) -> int:
    return resident_bytes(up.door.process.child.pid) - before_bytes


# Floods.

A_WINDOW = struct.pack(">HI", raw.INITIAL_WINDOW_SIZE, 1000) + struct.pack(
    ">HI", raw.INITIAL_WINDOW_SIZE, 999
)

FLOODS = {
    "PING": (frame(raw.PING, 0, 0, bytes(8)), 1000, "pings_burst"),
    "SETTINGS": (raw.settings({}), 1000, "settings_burst"),
    "SETTINGS with many parameters": (frame(raw.SETTINGS, 0, 0, A_WINDOW * 1000), 10, "settings_burst"),
    "empty DATA": (frame(raw.DATA, 0, 1), 5000, "empty_frames_burst"),
    "empty DATA with padding": (
        frame(raw.DATA, raw.PADDED, 1, b"\xff" + bytes(255)),
        5000,
        "empty_frames_burst",
    ),
    "PRIORITY": (frame(raw.PRIORITY, 0, 3, b"\0\0\0\0\x10"), 5000, "empty_frames_burst"),
    "RST_STREAM": (rst_stream(1), 5000, "resets_burst"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods_end_the_connection(up: Watched, name: str, before_bytes: int) -> None:
    sent, times, limit = FLOODS[name]
    before = up.hits(limit)
    with up.connect() as client:
        client.begin(BIDI, WAITS)
        client.send(sent * times)
        assert client.ended() == raw.ENHANCE_YOUR_CALM
        assert limit in client.goaway_text
    assert up.hits(limit) == before + 1
    assert grown_bytes(up, before_bytes) < SMALL_GROWTH_BYTES


@pytest.mark.parametrize("size", [0, 1], ids=["empty", "a byte each"])
def test_a_flood_of_continuation_ends_the_connection(up: Watched, size: int) -> None:
    with up.connect() as client:
        client.sync()
        client.send(frame(HEADERS, 0, 1), frame(raw.CONTINUATION, 0, 1, b"\x82" * size) * 10_000)
        assert client.ended() == raw.ENHANCE_YOUR_CALM
    assert up.hits("continuations_max")


@pytest.mark.parametrize(
    "sent",
    [frame(0xFA, 0xFF, 77, b"?" * 8), raw.window_update(1, 1), raw.window_update(0, 1)],
    ids=["of an unknown type", "WINDOW_UPDATE of a stream", "WINDOW_UPDATE"],
)
def test_frames_that_cost_nothing_are_passed_over(up: Watched, sent: bytes, before_bytes: int) -> None:
    with up.connect(greeting=raw.narrow()) as client:
        client.begin(BIDI, WAITS)
        client.send(sent * 20_000)
        client.sync()
    assert grown_bytes(up, before_bytes) < SMALL_GROWTH_BYTES


def test_rapid_reset_ends_the_connection(up: Watched, before_bytes: int) -> None:
    began = up.runtime.counts()[UNARY]
    with up.connect() as client:
        block = client.block(raw.request(UNARY, WAITS))
        for _ in range(200):
            streams = [client.next_stream() for _ in range(100)]
            client.send(*(frame(HEADERS, END_HEADERS, each, block) + rst_stream(each) for each in streams))
        assert client.ended() == raw.ENHANCE_YOUR_CALM
    assert up.hits("resets_burst")
    assert grown_bytes(up, before_bytes) < SMALL_GROWTH_BYTES
    up.comes_to_rest()
    assert up.runtime.counts()[UNARY] - began < 20_000


def test_pings_that_measure_the_link_are_no_flood(up: Watched) -> None:
    """GRPC's clients send one after data that they receive."""
    with up.connect() as client:
        for _ in range(300):
            assert client.answer(client.call(UNARY, b"x", TO_MODEL)).status == Code.OK
            client.sync()
            client.frames.clear()


# Streams and connections.


def test_more_streams_than_announced_are_refused(up: Watched) -> None:
    with up.connect() as client:
        client.sync()
        assert client.settings_told[raw.MAX_CONCURRENT_STREAMS] == STREAMS_MAX
        allowed = [client.begin(BIDI, WAITS) for _ in range(STREAMS_MAX)]
        beyond = [client.begin(BIDI, WAITS) for _ in range(10)]
        assert [client.answer(each).reset for each in beyond] == [raw.REFUSED_STREAM] * 10
        client.send(rst_stream(allowed[0]))
        assert client.answer(client.call(UNARY, b"x", TO_MODEL)).status == Code.OK
    assert up.hits("streams_max") >= 10


def test_more_connections_than_allowed_are_turned_away(up: Watched) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(up.connect()) for _ in range(CONNECTIONS_MAX - 1)]
        for each in held:
            each.sync()
        with up.connect() as beyond:
            assert beyond.ended() == raw.ENHANCE_YOUR_CALM
        assert held[0].answer(held[0].call(UNARY, b"x", TO_MODEL)).status == Code.OK
    up.comes_to_rest()
    with up.connect() as again:
        again.sync()
    assert up.hits("connections_max")


# Time.


@pytest.mark.parametrize(
    "greeting", [b"", raw.PREFACE[:10], raw.PREFACE + raw.settings({})], ids=["nothing", "a part", "no ack"]
)
def test_who_does_not_begin_is_not_waited_for(up: Watched, greeting: bytes) -> None:
    before = up.hits("handshake_s_max")
    with up.connect(greeting=greeting) as client:
        client.acknowledges = False
        # Who has said nothing may not even speak HTTP/2.
        assert client.ended() == (raw.SETTINGS_TIMEOUT if greeting.startswith(raw.PREFACE) else None)
    assert up.hits("handshake_s_max") == before + 1


def test_an_unused_connection_is_closed(up: Watched) -> None:
    with up.connect() as client:
        client.answer(client.call(UNARY, b"x", TO_MODEL))
        assert client.ended() == raw.NO_ERROR
    assert up.hits("idle_s_max")


def test_a_client_that_has_died_is_noticed(up: Watched) -> None:
    with up.connect() as client:
        stream = client.begin(BIDI, [*WAITS, ("echo-call", "of the dead")])
        client.sync()
        client.acknowledges = False
        client.read_until(lambda: client.is_pinged or client.closed)
        assert client.ended() == raw.NO_ERROR
        assert "PING" in client.goaway_text
        assert not client.answer_so_far(stream).is_complete
    assert up.hits("keepalive_timeout_s")
    assert up.runtime.seen("of the dead").outcome == "cancelled"


def test_a_request_that_does_not_come_to_its_end_is_not_waited_for(up: Watched) -> None:
    with up.connect() as client:
        stream = client.begin(INFER)
        client.data(stream, grpc_message(b"x" * 1000)[:500])
        answer = client.answer(stream)
        assert answer.status == Code.CANCELLED
        assert "end" in answer.said
        client.sync()
    assert up.hits("half_open_s_max")


def test_a_reader_that_stops_loses_its_stream(up: Watched) -> None:
    plan = Plan(responses=1000, size=10_000)
    with up.connect(greeting=raw.narrow(1000)) as client:
        stream = client.begin(SERVER_STREAM, [*TO_MODEL, ("echo-plan", str(plan)), ("echo-call", "unread")])
        client.data(stream, grpc_message(b"x"), end=True)
        answer = client.answer(stream)
        assert answer.reset == raw.CANCEL
        assert 0 < len(answer.data) <= 1000
        client.sync()
    assert up.hits("stall_s_max")
    assert up.runtime.seen("unread").outcome == "cancelled"


def send_calls(client: RawClient, block: bytes, *, calls: int) -> None:
    """And read no answer."""
    for _ in range(calls // 20):
        streams = [client.next_stream() for _ in range(20)]
        client.socket.sendall(
            b"".join(frame(HEADERS, END_HEADERS | END_STREAM, each, block) for each in streams)
        )


def test_a_socket_that_is_not_read_is_not_written_to_for_ever(up: Watched, before_bytes: int) -> None:
    """Answers without data have no window that holds them back."""
    with up.connect(receive_buffer_bytes=4096) as client:
        block = client.block(raw.request("mmesh.ModelRuntime/" + "n" * 5000))
        client.sync()
        client.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            send_calls(client, block, calls=20_000)
        assert grown_bytes(up, before_bytes) < SMALL_GROWTH_BYTES
        before = up.hits("stall_s_max")
        wait_until(lambda: up.hits("stall_s_max") > before, lambda: "it is still connected")


# Memory.


def unfinished(client: RawClient, size: int) -> int:
    """A message that lacks its last byte."""
    stream = client.begin(INFER)
    client.upload(stream, grpc_message(b"x" * size)[:-1], end=False)
    return stream


def test_unfinished_messages_make_room_for_others(up: Watched, before_bytes: int) -> None:
    size = 16 * MIB - 1
    with ExitStack() as stack:
        greedy = [stack.enter_context(up.connect()) for _ in range(4)]
        streams = [(client, unfinished(client, size)) for client in greedy for _ in range(2)]
        assert grown_bytes(up, before_bytes) < FULL_GROWTH_BYTES
        for client in greedy:
            client.sync()
        refused = [answer for client, stream in streams if (answer := client.answer_so_far(stream)).ended]
        assert len(refused) >= 6
        assert {answer.status for answer in refused} == {Code.RESOURCE_EXHAUSTED}
        innocent = stack.enter_context(up.connect())
        message = b"y" * (4 * MIB)
        for _ in range(3):
            call = innocent.begin(UNARY, TO_MODEL)
            innocent.upload(call, grpc_message(message))
            assert innocent.answer(call).data == grpc_message(message)
            innocent = stack.enter_context(up.connect())
    assert up.hits("buffered_bytes_max")


def test_unread_answers_make_room_for_others(up: Watched, before_bytes: int) -> None:
    plan = Plan(responses=100, size=100_000)
    with up.connect(greeting=raw.narrow(1000)) as greedy, up.connect() as innocent:
        streams = [greedy.begin(SERVER_STREAM, [*TO_MODEL, ("echo-plan", str(plan))]) for _ in range(90)]
        for stream in streams:
            greedy.data(stream, grpc_message(b"x"), end=True)
        greedy.read_until(lambda: any(greedy.answer_so_far(each).is_complete for each in streams))
        assert grown_bytes(up, before_bytes) < FULL_GROWTH_BYTES
        began_s = time.monotonic()
        for _ in range(10):
            answer = innocent.answer(innocent.call(UNARY, b"y" * 30_000, TO_MODEL))
            assert answer.status == Code.OK
        assert time.monotonic() - began_s < SOON_S
        resets = {greedy.answer_so_far(each).reset for each in streams} - {None}
        assert resets <= {raw.ENHANCE_YOUR_CALM, raw.CANCEL}
    assert up.hits("buffered_bytes_max")


def test_bytes_that_come_one_by_one_take_no_more_memory(up: Watched, before_bytes: int) -> None:
    with up.connect() as client:
        stream = client.begin(INFER)
        client.send(frame(raw.DATA, 0, stream, b"\0" + (10 * MIB).to_bytes(4, "big")))
        for _ in range(10):
            client.send(frame(raw.DATA, 0, stream, b"xy") * 10_000)
        client.sync()
        assert grown_bytes(up, before_bytes) < SMALL_GROWTH_BYTES


@pytest.mark.parametrize("named", ["model", "method", "header"])
def test_names_that_clients_choose_are_not_kept(up: Watched, named: str, before_bytes: int) -> None:
    long = "n" * 7000
    with up.connect() as client:
        for batch in range(30):
            calls = []
            for number in range(90):
                name = f"{batch}-{number}-{long}"
                rpc = f"a.B/{name}" if named == "method" else "a.B/C"
                model = name if named == "model" else "none"
                more = [(f"x-{batch}-{number}", long)] if named == "header" else []
                calls.append(client.begin(rpc, [("mm-model-id", model), *more], end=True))
            assert {client.answer(each).status for each in calls} == {Code.NOT_FOUND}
            client.answers.clear()
    assert grown_bytes(up, before_bytes) < SMALL_GROWTH_BYTES
