"""What is wrong on port 8033 gets the answer that RFC 9113 or gRPC has for it, and disturbs nobody else.

h2spec goes through the RFC (`test_relay_h2spec`); here it is what attackers and broken clients send, with a
well-behaved client beside them that must not notice, and an instance that must be as it was before. Messages
of gRPC are in `test_relay_bad_messages`.
"""

from collections.abc import Iterator

import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from adapter.domain.errors import Code
from tests.integration import raw_http2 as raw
from tests.integration.echo_runtime import Plan
from tests.integration.raw_http2 import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    Pair,
    RawClient,
    frame,
    grpc_message,
    literal,
)
from tests.integration.watched import (
    BIDI,
    INFER,
    MIB,
    TO_MODEL,
    UNARY,
    Watched,
    resident_bytes,
    watched,
)

GROWTH_BYTES_MAX = 10 * MIB
TIMES = 100


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("bad-input") / "up") as running:
        yield running


@pytest.fixture(autouse=True)
def nobody_is_disturbed(up: Watched) -> Iterator[None]:
    up.witness.forget()
    yield
    up.comes_to_rest()
    up.witness.was_not_disturbed()
    assert "unforeseen" not in up.door.process.said


def call_block(client: RawClient, *more: Pair) -> bytes:
    return client.block(raw.request(UNARY, [*TO_MODEL, *more]))


# What is no HTTP/2.


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(bytes(range(256)) * 4, id="garbage"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200, id="a TLS handshake"),
        pytest.param(PREFACE[:-1] + b"X", id="nearly the preface"),
        pytest.param(PREFACE + b"\xff" * 100, id="garbage after the preface"),
    ],
)
def test_what_is_no_http2_is_refused(up: Watched, sent: bytes) -> None:
    with up.connect(greeting=sent) as client:
        assert client.ended() in {raw.PROTOCOL_ERROR, raw.FRAME_SIZE_ERROR}


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_who_speaks_http1_is_told_so(up: Watched, method: str) -> None:
    with up.connect(greeting=f"{method} /v2/models/echo HTTP/1.1\r\nHost: x\r\n\r\n".encode()) as client:
        answer = client.everything()
    assert answer.startswith(b"HTTP/1.1 400 ")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"HTTP/2" in body


# The rules for the connection.


HUFFMAN_OF_EOS = b"\x84\xff\xff\xff\xff"
HUFFMAN_OF_WRONG_PADDING = b"\x81\x00"

BROKEN_CONNECTIONS = {
    "a frame longer than announced": (frame(0, 0, 1, length=2**24 - 1), raw.FRAME_SIZE_ERROR),
    "DATA on a stream that was never open": (frame(raw.DATA, 0, 1, b"x"), raw.PROTOCOL_ERROR),
    "HEADERS on stream 0": (frame(HEADERS, END_HEADERS, 0, b"\x82"), raw.PROTOCOL_ERROR),
    "HEADERS on a stream of ours": (frame(HEADERS, END_HEADERS, 2, b"\x82"), raw.PROTOCOL_ERROR),
    "padding longer than the frame": (frame(HEADERS, END_HEADERS | 8, 1, b"\xff\x82"), raw.PROTOCOL_ERROR),
    "a priority that is cut off": (frame(HEADERS, END_HEADERS | 32, 1, b"\0"), raw.FRAME_SIZE_ERROR),
    "CONTINUATION of nothing": (frame(raw.CONTINUATION, END_HEADERS, 1, b""), raw.PROTOCOL_ERROR),
    "HEADERS that are not continued": (
        frame(HEADERS, 0, 1, b"\x82") + frame(raw.PING, 0, 0, bytes(8)),
        raw.PROTOCOL_ERROR,
    ),
    "RST_STREAM of a stream that was never open": (raw.rst_stream(1), raw.PROTOCOL_ERROR),
    "RST_STREAM of a wrong length": (frame(raw.RST_STREAM, 0, 1, b"\0"), raw.FRAME_SIZE_ERROR),
    "SETTINGS of a wrong length": (frame(raw.SETTINGS, 0, 0, b"\0" * 5), raw.FRAME_SIZE_ERROR),
    "an acknowledgement that holds something": (frame(raw.SETTINGS, ACK, 0, b"\0" * 6), raw.FRAME_SIZE_ERROR),
    "SETTINGS of a stream": (frame(raw.SETTINGS, 0, 1), raw.PROTOCOL_ERROR),
    "a frame size that is not allowed": (raw.settings({raw.MAX_FRAME_SIZE: 1}), raw.PROTOCOL_ERROR),
    "a window that is not allowed": (
        raw.settings({raw.INITIAL_WINDOW_SIZE: 2**31}),
        raw.FLOW_CONTROL_ERROR,
    ),
    "PUSH_PROMISE": (frame(raw.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2\x82"), raw.PROTOCOL_ERROR),
    "PING of a wrong length": (frame(raw.PING, 0, 0, b"\0" * 7), raw.FRAME_SIZE_ERROR),
    "GOAWAY that is cut off": (frame(raw.GOAWAY, 0, 0, b"\0" * 7), raw.FRAME_SIZE_ERROR),
    "a window that overflows": (raw.window_update(0, raw.WINDOW_MAX) * 2, raw.FLOW_CONTROL_ERROR),
    "a window of nothing more": (raw.window_update(0, 0), raw.PROTOCOL_ERROR),
}


@pytest.mark.parametrize("name", BROKEN_CONNECTIONS)
def test_who_breaks_the_rules_of_the_connection_loses_it(up: Watched, name: str) -> None:
    sent, code = BROKEN_CONNECTIONS[name]
    before = up.figure("remesh_relay_connection_errors_total", code=raw.NAMES[code])
    with up.connect() as client:
        client.sync()
        client.send(sent)
        assert client.ended() == code, client.goaway_text
    assert up.figure("remesh_relay_connection_errors_total", code=raw.NAMES[code]) == before + 1


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\xff\x80\x80\x80\x80\x80\x80\x80\x01", id="an integer that never ends"),
        pytest.param(b"\x80", id="index 0"),
        pytest.param(b"\xbe", id="an entry of a table that is empty"),
        pytest.param(b"\x00\x05abc", id="a string that is cut off"),
        pytest.param(b"\x00\x7f\xff\xff\xff\xff\x07abc", id="a string of 32 GiB"),
        pytest.param(b"\x82\x20", id="a table size update in the middle"),
        pytest.param(b"\x3f\xff\xff\xff\x0f", id="a table of 256 MiB"),
        pytest.param(literal(b"x-a", b"")[:-1] + HUFFMAN_OF_EOS, id="Huffman's end of string"),
        pytest.param(literal(b"x-a", b"")[:-1] + HUFFMAN_OF_WRONG_PADDING, id="Huffman's padding"),
        pytest.param(b"\x00" + HUFFMAN_OF_EOS + b"\x00", id="Huffman's end of string in a name"),
    ],
)
def test_header_blocks_that_cannot_be_read_end_the_connection(up: Watched, block: bytes) -> None:
    with up.connect() as client:
        client.answer(client.call(UNARY, b"x", TO_MODEL))  # from here on there is no dynamic table
        client.send(frame(HEADERS, END_HEADERS, client.next_stream(), call_block(client) + block))
        assert client.ended() == raw.COMPRESSION_ERROR, client.goaway_text


@pytest.mark.parametrize(
    "value", [HUFFMAN_OF_EOS, HUFFMAN_OF_WRONG_PADDING], ids=["end of string", "padding"]
)
def test_a_bad_value_of_a_known_name_does_not_reach_the_runtime(up: Watched, value: bytes) -> None:
    """The runtime would end the connection that carries everybody's calls."""
    with up.connect() as victim, up.connect() as client:
        stream = victim.begin(BIDI, TO_MODEL)
        victim.data(stream, grpc_message(b"before"))
        victim.read_until(lambda: victim.answer_so_far(stream).data == grpc_message(b"before"))
        for good in (b"ok", b"fine"):
            blocks = call_block(client) + literal(b"x-known", good)
            known = client.next_stream()
            client.send(frame(HEADERS, END_HEADERS, known, blocks))
            client.data(known, grpc_message(b"x"), end=True)
            assert client.answer(known).status == Code.OK
        bad = call_block(client) + literal(b"x-known", b"")[:-1] + value
        client.send(frame(HEADERS, END_HEADERS, client.next_stream(), bad))
        assert client.ended() == raw.COMPRESSION_ERROR
        victim.data(stream, grpc_message(b"after"), end=True)
        assert victim.answer(stream).status == Code.OK


def test_a_stream_id_is_not_used_twice(up: Watched) -> None:
    with up.connect() as client:
        stream = client.call(UNARY, b"x", TO_MODEL)
        client.answer(stream)
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, call_block(client)))
        assert client.ended() == raw.STREAM_CLOSED


def test_a_stream_id_does_not_go_back(up: Watched) -> None:
    with up.connect() as client:
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 9, call_block(client)))
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 7, call_block(client)))
        assert client.ended() in {raw.PROTOCOL_ERROR, raw.STREAM_CLOSED}


# The rules for one stream.


def fields(client: RawClient, *pairs: tuple[bytes, bytes], without: str = "") -> bytes:
    kept = [pair for pair in raw.request(UNARY, TO_MODEL) if pair[0] != without]
    return client.block(kept) + b"".join(literal(*pair) for pair in pairs)


def huffman(value: bytes) -> bytes:
    """A value in Huffman's code, as a field has it after its name."""
    code = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(value)
    return bytes([0x80 | len(code)]) + code


BROKEN_STREAMS: dict[str, tuple[list[tuple[bytes, bytes]], str]] = {
    "no path": ([], ":path"),
    "no method": ([], ":method"),
    "no scheme": ([], ":scheme"),
    "a path twice": ([(b":path", b"/a.B/C")], ""),
    "a pseudo-header field of responses": ([(b":status", b"200")], ""),
    "a name in upper case": ([(b"X-Name", b"x")], ""),
    "a name with a space": ([(b"x name", b"x")], ""),
    "a name with a NUL": ([(b"x\0name", b"x")], ""),
    "a name with a colon": ([(b"x:name", b"x")], ""),
    "a name beyond ASCII": ([(b"x-\xc3\xa9", b"x")], ""),
    "no name": ([(b"", b"x")], ""),
    "a value with a line's end": ([(b"x-name", b"x\r\ny: z")], ""),
    "a value with a NUL": ([(b"x-name", b"x\0y")], ""),
    "a connection's field": ([(b"connection", b"close")], ""),
    "te of something else": ([(b"te", b"gzip")], ""),
    "a length that is none": ([(b"content-length", b"x")], ""),
}


@pytest.mark.parametrize("name", BROKEN_STREAMS)
def test_a_malformed_request_loses_its_stream_alone(up: Watched, name: str) -> None:
    pairs, without = BROKEN_STREAMS[name]
    with up.connect() as client:
        client.answer(client.call(UNARY, b"x", TO_MODEL))
        stream = client.next_stream()
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, fields(client, *pairs, without=without)))
        assert client.answer(stream).reset == raw.PROTOCOL_ERROR
        assert client.answer(client.call(UNARY, b"y", TO_MODEL)).data == grpc_message(b"y")


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"\0", b"ab\n"])
def test_what_no_value_may_hold_is_found_in_huffmans_code(up: Watched, value: bytes) -> None:
    with up.connect() as client:
        client.answer(client.call(UNARY, b"x", TO_MODEL))
        stream = client.next_stream()
        block = call_block(client) + literal(b"x-name", b"")[:-1] + huffman(value)
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, block))
        assert client.answer(stream).reset == raw.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("told", "sent"), [("3", b"four"), ("7", b"three")], ids=["more than told", "less than told"]
)
def test_a_content_length_is_kept(up: Watched, told: str, sent: bytes) -> None:
    with up.connect() as client:
        stream = client.begin(UNARY, [*TO_MODEL, ("content-length", told)])
        client.data(stream, sent, end=True)
        assert client.answer(stream).reset == raw.PROTOCOL_ERROR
        client.sync()


def test_data_after_the_end_of_a_stream_are_refused(up: Watched) -> None:
    with up.connect() as client:
        stream = client.call(UNARY, b"x", [*TO_MODEL, ("echo-plan", str(Plan(delay_ms=300)))])
        client.data(stream, b"more")
        assert client.answer(stream).reset == raw.STREAM_CLOSED
        client.sync()


def test_more_data_than_the_window_are_refused(up: Watched) -> None:
    """The runtime does not read; what lies on the way to it, and the window, are full at some time."""
    never_reads = [*TO_MODEL, ("echo-plan", str(Plan(delay_ms=60_000)))]
    with up.connect() as client:
        stream = client.begin(BIDI, never_reads)
        for _ in range(24):
            client.data(stream, grpc_message(b"x" * MIB))
        client.read_until(lambda: client.closed or client.answer_so_far(stream).is_complete)
        reset = client.answer_so_far(stream).reset
    assert raw.FLOW_CONTROL_ERROR in {client.goaway, reset}


# Header bombs.


def test_a_header_list_over_the_limit_is_refused_and_the_connection_lives(up: Watched) -> None:
    with up.connect() as client:
        answer = client.answer(client.begin(UNARY, [*TO_MODEL, ("x-long", "x" * 9000)], end=True))
        assert answer.status == Code.RESOURCE_EXHAUSTED
        assert client.answer(client.call(UNARY, b"x", TO_MODEL)).status == Code.OK
    assert up.hits("header_list_bytes_max")


def test_a_block_of_nothing_but_static_entries_is_weighed_by_what_it_stands_for(up: Watched) -> None:
    with up.connect() as client:
        client.sync()
        stream = client.next_stream()
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, call_block(client) + b"\x90" * 60_000))
        assert client.answer(stream).status == Code.RESOURCE_EXHAUSTED


def test_a_bomb_of_the_dynamic_table_ends_the_connection(up: Watched) -> None:
    """Entries of 4 KB, each named by one byte, before our SETTINGS can have been heard."""
    filled = b"\x40" + literal(b"x-bomb", b"b" * 4000)[1:]
    with up.connect() as client:
        block = call_block(client) + filled + b"\xbe" * 16_000
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
        assert client.ended() == raw.COMPRESSION_ERROR


def test_headers_without_end_end_the_connection(up: Watched) -> None:
    part = literal(b"x-part", b"x" * 16_000)
    with up.connect() as client:
        client.send(frame(HEADERS, 0, 1, part))
        for _ in range(10):
            client.send(frame(raw.CONTINUATION, 0, 1, part))
        assert client.ended() == raw.ENHANCE_YOUR_CALM
    assert up.hits("header_block_bytes_max")


# What ends in the middle.


@pytest.mark.parametrize("part", [1, 9, 13, -3], ids=["a byte", "a header", "a bit more", "nearly all"])
def test_who_goes_in_the_middle_of_a_frame_leaves_nothing_behind(up: Watched, part: int) -> None:
    for _ in range(TIMES):
        with up.connect() as client:
            stream = client.begin(INFER)
            client.send(frame(raw.DATA, END_STREAM, stream, grpc_message(b"x" * 1000))[:part])


def test_who_goes_in_the_middle_of_a_call_leaves_nothing_behind(up: Watched) -> None:
    before = up.runtime.counts()
    waits = [*TO_MODEL, ("echo-plan", str(Plan(delay_ms=60_000)))]
    with up.connect() as client:
        for _ in range(TIMES):
            client.call(UNARY, b"x", waits)
        client.sync()
    up.comes_to_rest()
    assert (up.runtime.counts() - before)["cancelled"] <= TIMES


def test_nothing_has_leaked(up: Watched) -> None:
    """All of the above once more, and the memory stays where it is."""
    pid = up.door.process.child.pid
    before_bytes = resident_bytes(pid)
    for sent, _ in BROKEN_CONNECTIONS.values():
        for _ in range(5):
            with up.connect() as client:
                client.call(UNARY, b"x" * 10_000, TO_MODEL)
                client.send(sent, frame(raw.PING, 0, 0, b"the last"))
                client.read_until(lambda: client.closed or client.has_answered_ping)
    up.comes_to_rest()
    assert resident_bytes(pid) - before_bytes < GROWTH_BYTES_MAX
