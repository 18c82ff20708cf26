from collections.abc import Sequence
from typing import Any

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.http2.frames import ConnectionProblem, ErrorCode, StreamProblem
from adapter.http2.header_blocks import EMPTY_TABLE, FieldMemory, encode_field, encode_fields
from adapter.http2.request_head import (
    BLOCKS_SEEN_MAX,
    FIELD_OVERHEAD_BYTES,
    HEADS_REMEMBERED_MAX,
    HeadersTooBig,
    HeadMemory,
    HeadReader,
    RequestHead,
    check_trailers,
    encode_request,
)
from adapter.wire.headers import Pair

Pairs = list[tuple[bytes, bytes]]

LIST_BYTES_MAX = 2000
BASE: Pairs = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/inference.GRPCInferenceService/ModelInfer"),
    (b":authority", b"localhost:8033"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
]
READ = (
    *("block", "method", "path", "rpc", "is_grpc", "for_runtime", "timeout", "timeout_s", "encoding", "ids"),
    *("content_length", "problem", "for_peer"),
)


def reader(
    *, stateless: bool = True, memory: HeadMemory | None = None, most: int = LIST_BYTES_MAX
) -> HeadReader:
    made = HeadReader(memory or HeadMemory(), list_bytes_max=most)
    made.blocks.stateless = stateless
    return made


def read(pairs: Pairs) -> RequestHead:
    return reader().read(encode_fields(pairs), 1)


def plus(*extra: tuple[bytes, bytes], without: bytes = b"") -> Pairs:
    return [pair for pair in BASE if pair[0] != without] + list(extra)


def outcome(by: HeadReader, block: bytes) -> Any:
    """What reading a block gives, or how it fails."""
    try:
        head = by.read(block, 1)
    except (ConnectionProblem, StreamProblem) as problem:
        return type(problem), problem.code
    except HeadersTooBig as error:
        return str(error)
    return {name: getattr(head, name) for name in READ}


# What a head says.


def test_what_a_request_says_is_known() -> None:
    head = read(plus((b"grpc-timeout", b"1S"), (b"grpc-encoding", b"gzip"), (b"mm-model-id", b"iris")))
    assert head.rpc == "inference.GRPCInferenceService/ModelInfer"
    assert (head.method, head.is_grpc, head.encoding) == (b"POST", True, b"gzip")
    assert head.timeout_s == 1.0
    assert head.timeout == encode_field(b"grpc-timeout", b"1S")
    assert head.ids == (("mm-model-id", "iris"),)


def test_a_runtime_gets_what_is_for_it_as_it_came() -> None:
    sent = plus(
        (b"user-agent", b"grpc-go"),
        (b"x-request-id", b"7"),
        (b"grpc-timeout", b"1S"),
        (b"grpc-encoding", b"gzip"),
        (b"grpc-accept-encoding", b"gzip"),
        (b"grpc-trace-bin", b"AA"),
        (b"mm-vmodel-id", b"iris"),
        (b"tas-model-id", b"iris"),
        (b"mmm", b"1"),
    )
    gone = {b"user-agent", b"grpc-timeout", b"grpc-trace-bin", b"mm-vmodel-id", b"tas-model-id"}
    assert read(sent).for_runtime == encode_fields([pair for pair in sent if pair[0] not in gone])


def test_a_peer_gets_everything_but_the_timeout() -> None:
    sent = plus((b"grpc-timeout", b"1S"), (b"mm-model-id", b"iris"), (b"user-agent", b"x"))
    assert read(sent).for_peer == encode_fields([pair for pair in sent if pair[0] != b"grpc-timeout"])


def test_a_peer_is_not_sent_what_only_instances_may_say() -> None:
    forged = [(b"mm-hops", b"2"), (b"mm-model-record-bin", b"AAE"), (b"mm-refused", b"x"), (b"mm-hops", b"2")]
    head = read([*plus((b"mm-model-id", b"iris")), *forged, (b"x", b"y"), (b"grpc-timeout", b"1S"), *forged])
    assert head.for_peer == encode_fields(plus((b"mm-model-id", b"iris"), (b"x", b"y")))
    assert ("mm-hops", "2") in head.ids
    assert b"mm-" not in head.for_runtime


def test_a_peer_gets_one_timeout_whatever_came() -> None:
    sent = [(b"grpc-timeout", b"1S"), (b"x", b"grpc-timeout"), (b"grpc-timeout", b"1S")]
    assert read(plus(*sent)).for_peer == encode_fields(plus((b"x", b"grpc-timeout")))


@pytest.mark.parametrize("updates", [0, 1, 2])
def test_table_size_updates_are_for_one_connection(updates: int) -> None:
    block = encode_fields(plus((b"grpc-timeout", b"1S"), (b"x", b" ")))
    head = reader().read(b"\x20" * updates + block, 1)
    assert head.for_peer == encode_fields(plus((b"x", b" ")))


def test_all_metadata_can_be_had() -> None:
    sent = plus((b"mm-model-id", b"iris"), (b"x-bin", b"AAE"), (b"broken-bin", b"A"))
    assert read(sent).metadata() == [
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("mm-model-id", "iris"),
        ("x-bin", b"\x00\x01"),
    ]


@pytest.mark.parametrize(
    ("content_type", "is_grpc"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc;charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/grpc-web+proto", False),
        (b"application/json", False),
        (b"", False),
    ],
)
def test_grpc_is_known_by_its_content_type(content_type: bytes, is_grpc: bool) -> None:
    assert read(plus((b"content-type", content_type), without=b"content-type")).is_grpc is is_grpc


def test_a_binary_id_that_is_not_base64_refuses_the_call_and_nothing_else() -> None:
    head = read(plus((b"mm-model-id-bin", b"A")))
    assert head.problem == "mm-model-id-bin: a binary header is not base64"


# What breaks section 8 of RFC 9113.


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param(plus(without=b":method"), id="no method"),
        pytest.param(plus(without=b":scheme"), id="no scheme"),
        pytest.param(plus(without=b":path"), id="no path"),
        pytest.param([(b":path", b""), *plus(without=b":path")], id="an empty path"),
        pytest.param([(b":path", b"a/b"), *plus(without=b":path")], id="a path that is not absolute"),
        pytest.param([BASE[0], *BASE], id="two methods"),
        pytest.param([BASE[2], *BASE], id="two paths"),
        pytest.param([BASE[3], *BASE], id="two authorities"),
        pytest.param([*BASE[4:], *BASE[:4]], id="pseudo-headers behind others"),
        pytest.param([(b":status", b"200"), *BASE], id="a pseudo-header of responses"),
        pytest.param([(b":unknown", b"1"), *BASE], id="an unknown pseudo-header"),
        pytest.param(plus((b"Upper", b"x")), id="a name with capitals"),
        pytest.param(plus((b"connection", b"close")), id="a connection header"),
        pytest.param(plus((b"te", b"gzip"), without=b"te"), id="te, and not trailers"),
        pytest.param(plus((b"content-length", b"x")), id="a length that is no number"),
        pytest.param(plus((b"content-length", b"")), id="a length that is empty"),
        pytest.param(plus((b"content-length", b"-1")), id="a length below 0"),
        pytest.param(plus((b"content-length", b"9" * 5000)), id="a length longer than any number"),
        pytest.param(plus((b"content-length", b"1"), (b"content-length", b"2")), id="two lengths"),
        pytest.param([], id="nothing"),
    ],
)
@pytest.mark.parametrize("stateless", [False, True], ids=["with a table", "without"])
def test_a_malformed_request_is_a_stream_error(pairs: Pairs, stateless: bool) -> None:
    by = reader(stateless=stateless, most=100_000)
    with pytest.raises(StreamProblem) as caught:
        by.read(encode_fields(pairs), 5)
    assert (caught.value.code, caught.value.stream_id) == (ErrorCode.PROTOCOL_ERROR, 5)
    assert by.read(encode_fields(BASE), 7).is_grpc


def test_the_asterisk_is_a_path() -> None:
    assert read([(b":path", b"*"), *plus(without=b":path")]).path == b"*"


def test_a_value_that_its_next_reader_could_not_read_is_a_compression_error() -> None:
    with pytest.raises(ConnectionProblem) as caught:
        reader().read(encode_fields(BASE) + b"\x00\x01a\x81\x00", 1)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR


@pytest.mark.parametrize("name", [b":path", b"connection", b"Upper"])
def test_trailers_hold_no_such_fields(name: bytes) -> None:
    fields = FieldMemory().fields(encode_fields([(b"x", b"y"), (name, b"z")]))
    check_trailers(fields[:1], 3)
    with pytest.raises(StreamProblem) as caught:
        check_trailers(fields, 3)
    assert caught.value.code is ErrorCode.PROTOCOL_ERROR


# How much it may be.


def counted(pairs: Pairs) -> int:
    return sum(len(name) + len(value) + FIELD_OVERHEAD_BYTES for name, value in pairs)


@pytest.mark.parametrize("huffman", [False, True])
@pytest.mark.parametrize("over", [0, 1])
def test_the_header_list_is_counted_as_the_rfc_counts_it(over: int, huffman: bool) -> None:
    room = LIST_BYTES_MAX - counted(plus((b"x", b"")))
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    block = bytes(encoder.encode(plus((b"x", b"a" * (room + over))), huffman=huffman))
    if over:
        with pytest.raises(HeadersTooBig, match=f"counts {LIST_BYTES_MAX + 1} bytes"):
            reader().read(block, 1)
    else:
        assert reader().read(block, 1).is_grpc


@pytest.mark.parametrize("count", [50, 5000], ids=["some", "thousands"])
def test_many_small_fields_are_too_many(count: int) -> None:
    by = reader()
    block = encode_fields(BASE) + b"\x90" * count
    for _ in range(3):
        with pytest.raises(HeadersTooBig):
            by.read(block, 1)
    assert by.read(encode_fields(BASE), 3).is_grpc


# Blocks are mostly alike.

VALUES = st.sampled_from([b"a", b"b", b"trailers", b"1S", b"2S", b"5", b"\x7f" * 130, b"application/grpc"])
EXTRA = st.tuples(
    st.sampled_from(
        [
            b"x",
            b"y",
            b"z-bin",
            b"grpc-timeout",
            b"mm-model-id",
            b"user-agent",
            b"te",
            b"content-length",
            b"Bad",
            b":path",
        ]
    ),
    VALUES,
)
BLOCKS = st.lists(st.tuples(st.integers(0, 6), st.lists(EXTRA, max_size=5)), min_size=1, max_size=8)


@given(BLOCKS, st.booleans(), st.booleans(), st.booleans())
def test_a_block_says_the_same_whatever_came_before(
    blocks: Sequence[tuple[int, Pairs]], huffman: bool, indexed: bool, stateless: bool
) -> None:
    """However much of it is known from the blocks before: with stems, and with what is remembered."""
    encoder, by = hpack.Encoder(), reader(stateless=stateless)
    if stateless:
        encoder.header_table_size = 0
    kind = hpack.HeaderTuple if indexed else hpack.NeverIndexedHeaderTuple
    for kept, extra in blocks:
        pairs = BASE[: 6 - kept // 3] + extra
        block = bytes(encoder.encode([kind(*pair) for pair in pairs], huffman=huffman))
        if stateless:
            assert outcome(by, block) == outcome(reader(), block)
        else:
            said, alone = outcome(by, block), outcome(reader(), encode_fields(pairs))
            same = {
                "is_grpc",
                "method",
                "path",
                "rpc",
                "timeout_s",
                "encoding",
                "ids",
                "content_length",
                "problem",
            }
            if isinstance(said, dict):
                assert {name: said[name] for name in same} == {name: alone[name] for name in same}
            else:
                assert said == alone


@given(st.lists(st.lists(st.binary(max_size=12), max_size=4), min_size=2, max_size=6))
def test_rubbish_behind_a_known_beginning_is_the_same_rubbish(tails: list[list[bytes]]) -> None:
    by, begin = reader(), encode_fields(BASE)
    for tail in tails:
        for block in (begin, begin + b"".join(tail)):
            assert outcome(by, block) == outcome(reader(), block)


def test_a_size_update_behind_a_known_beginning_is_an_error() -> None:
    by, begin = reader(), encode_fields(BASE)
    for value in (b"1", b"2", b"3"):
        by.read(begin + encode_field(b"x", value), 1)
    with pytest.raises(ConnectionProblem) as caught:
        by.read(begin + EMPTY_TABLE + encode_field(b"x", b"4"), 1)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR


def test_a_block_that_comes_again_is_known_by_its_bytes() -> None:
    memory, block = HeadMemory(), encode_fields(BASE)
    first, second, third = (reader(memory=memory).read(block, 1) for _ in range(3))
    assert first is not second
    assert second is third


def test_a_block_that_failed_is_not_remembered() -> None:
    memory, block = HeadMemory(), encode_fields([BASE[0], *BASE])
    for _ in range(3):
        with pytest.raises(StreamProblem):
            reader(memory=memory).read(block, 1)
    assert not memory.heads


def test_what_is_remembered_is_bounded() -> None:
    memory, begin = HeadMemory(), encode_fields(BASE)
    by = reader(memory=memory)
    for number in range(BLOCKS_SEEN_MAX + 100):
        block = begin + encode_field(b"x-%d" % number, b"%d" % number)
        by.read(block, 1)
        by.read(block, 3)
        assert len(memory.heads) <= HEADS_REMEMBERED_MAX
        assert len(memory._seen) <= BLOCKS_SEEN_MAX


# Requests of our own.


@pytest.mark.parametrize("timeout_s", [None, 1.5])
def test_a_request_of_our_own_is_read_as_one_of_a_client(timeout_s: float | None) -> None:
    metadata: list[Pair] = [("mm-model-id", "iris"), ("x-bin", b"\x00")]
    head = reader().read(encode_request("pkg.Service/Method", metadata, timeout_s), 0)
    assert (head.rpc, head.is_grpc, head.timeout_s) == ("pkg.Service/Method", True, timeout_s)
    assert head.ids == (("mm-model-id", "iris"),)
    assert ("x-bin", b"\x00") in head.metadata()
