from collections.abc import Callable

import hpack
import pytest
from hpack.hpack import encode_integer
from hypothesis import example, given
from hypothesis import strategies as st

from adapter.http2.frames import ConnectionProblem, ErrorCode
from adapter.http2.header_blocks import (
    EMPTY_TABLE,
    FIELD_REMEMBERED_BYTES_MAX,
    FIELDS_REMEMBERED_MAX,
    BlockReader,
    FieldMemory,
    encode_field,
    encode_fields,
    is_plain,
    split,
    value_of,
)

Pairs = list[tuple[bytes, bytes]]

NAMES = st.one_of(
    st.sampled_from([b":method", b":path", b"content-type", b"te", b"grpc-timeout", b"accept-encoding"]),
    st.binary(min_size=1, max_size=30),
)
VALUES = st.one_of(
    st.sampled_from([b"", b"POST", b"/", b"trailers", b"gzip, deflate"]),
    st.binary(max_size=40),
    st.binary(min_size=120, max_size=300),
)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


def encoded(pairs: Pairs, *, huffman: bool, sensitive: bool = False, table: int = 0) -> bytes:
    """What a peer makes of the pairs, once it knows the size of the table."""
    encoder = hpack.Encoder()
    encoder.header_table_size = table
    kind = hpack.NeverIndexedHeaderTuple if sensitive else hpack.HeaderTuple
    return bytes(encoder.encode([kind(*pair) for pair in pairs], huffman=huffman))


def said(pairs: Pairs) -> Pairs:
    """As another library reads our block."""
    return [
        (bytes(name), bytes(value)) for name, value in hpack.Decoder().decode(encode_fields(pairs), raw=True)
    ]


@given(PAIRS, st.booleans(), st.booleans())
def test_a_block_is_cut_into_the_fields_that_were_encoded(
    pairs: Pairs, huffman: bool, sensitive: bool
) -> None:
    block = encoded(pairs, huffman=huffman, sensitive=sensitive)
    fields = FieldMemory().fields(block)
    assert [(field.name, field.value) for field in fields] == pairs
    assert b"".join(field.raw for field in fields) == block.removeprefix(EMPTY_TABLE)


@given(PAIRS, st.booleans(), st.booleans())
def test_where_a_value_begins_is_known(pairs: Pairs, huffman: bool, sensitive: bool) -> None:
    for (raw, value_at), (_, value) in zip(
        split(encoded(pairs, huffman=huffman, sensitive=sensitive)), pairs, strict=True
    ):
        if raw[0] < 0x80:
            assert value_of(raw, value_at) == value
        else:
            assert value_at == len(raw) == 1


@given(PAIRS)
def test_what_we_encode_is_what_others_read(pairs: Pairs) -> None:
    assert said(pairs) == pairs


@given(PAIRS, PAIRS, st.booleans())
def test_before_the_settings_are_applied_a_table_is_followed(
    first: Pairs, second: Pairs, huffman: bool
) -> None:
    encoder, reader, memory = hpack.Encoder(), BlockReader(), FieldMemory()
    for pairs in (first, second, first):
        plain = reader.plain(bytes(encoder.encode(pairs, huffman=huffman)))
        assert [(name, value) for name, value, _ in memory.fields(plain)] == pairs
    assert not reader.stateless
    reader.settings_acknowledged()
    encoder.header_table_size = 0
    block = bytes(encoder.encode(second, huffman=huffman))
    if second:
        assert [(name, value) for name, value, _ in memory.fields(reader.plain(block))] == second
        assert reader.stateless


@given(st.binary(max_size=40), st.booleans())
@example(b"\x0f\x80\x00", True)
@example(b"\x7f\x80", True)
@example(b"\x00\x7f\xff\xff\xff\xff\xff\x7f", True)
def test_rubbish_is_a_compression_error_and_nothing_else(rubbish: bytes, stateless: bool) -> None:
    reader = BlockReader()
    reader.stateless = stateless
    problem: ConnectionProblem | None = None
    try:
        FieldMemory().fields(reader.plain(rubbish))
    except ConnectionProblem as raised:
        problem = raised
    assert problem is None or problem.code is ErrorCode.COMPRESSION_ERROR


@given(st.binary(max_size=40))
def test_what_is_read_without_a_table_is_read_alike_by_another_library(block: bytes) -> None:
    decoder = hpack.Decoder()
    decoder.max_allowed_table_size = decoder.header_table_size = 0
    try:
        theirs: object = [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    except hpack.HPACKError:
        theirs = None
    try:
        ours: object = [(name, value) for name, value, _ in FieldMemory().fields(block)]
    except ConnectionProblem:
        ours = None
    assert ours == theirs or (ours is None and _has_long_integer(block))


def _has_long_integer(block: bytes) -> bool:
    """Integers of more than five bytes are refused by us, whatever they say."""
    return any(all(byte > 0x7F for byte in block[at : at + 5]) for at in range(len(block) - 4))


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\x80", id="index 0"),
        pytest.param(b"\xbe", id="the first entry of a table that is empty"),
        pytest.param(b"\xff\x00", id="an index of two bytes"),
        pytest.param(b"\x0f\x2f\x00", id="a name of the empty table"),
        pytest.param(b"\x7f\x00\x00", id="an incremental name of the empty table"),
        pytest.param(b"\x7f\x80", id="an incremental name whose index is cut off"),
        pytest.param(b"\x0f\x80\x00", id="a name whose index has more bytes than it needs, and no value"),
        pytest.param(b"\x00\x01", id="cut off in a name"),
        pytest.param(b"\x00\x01a", id="cut off before a value"),
        pytest.param(b"\x00\x01a\x05b", id="cut off in a value"),
        pytest.param(b"\x00\x01a\x7f", id="cut off in a length"),
        pytest.param(b"\x00\x01a\x7f\x80\x80\x80\x80\x80\x01", id="a length of too many bytes"),
        pytest.param(b"\x82\x20", id="a size update behind a field"),
        pytest.param(b"\x3f\xe1\x1f", id="a size update to 4096"),
        pytest.param(b"\x21\x82", id="a size update to 1"),
        pytest.param(b"\x00\x01a\x81\x00", id="Huffman, padded with zeros"),
        pytest.param(b"\x00\x01a\x82\x1f\xff", id="Huffman, padded with more than 7 bits"),
        pytest.param(b"\x00\x01a\x84\xff\xff\xff\xff", id="Huffman with EOS in it"),
    ],
)
@pytest.mark.parametrize(
    "begin", [b"", EMPTY_TABLE, b"\x82"], ids=["alone", "after an update", "after a field"]
)
def test_a_broken_block_is_a_compression_error(block: bytes, begin: bytes) -> None:
    with pytest.raises(ConnectionProblem) as caught:
        FieldMemory().fields(begin + block)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR


@pytest.mark.parametrize("block", [b"\x0f\x80\x00\x01x", b"\x1f\x80\x80\x00\x01x"])
def test_an_index_may_have_more_bytes_than_it_needs(block: bytes) -> None:
    (field,) = FieldMemory().fields(block)
    assert (field.name, field.value) == (b"accept-charset", b"x")


@pytest.mark.parametrize("huffman", [False, True])
@pytest.mark.parametrize("index", range(1, 62))
def test_every_entry_of_the_static_table_may_be_named(index: int, huffman: bool) -> None:
    entry = hpack.table.HeaderTable.STATIC_TABLE[index - 1]
    assert [field[:2] for field in FieldMemory().fields(bytes((0x80 | index,)))] == [entry]
    value = b"\x81\x1f" if huffman else b"\x01a"
    for bits, pattern in ((6, 0x40), (4, 0x00), (4, 0x10)):
        literal = encode_integer(index, bits)
        literal[0] |= pattern
        ((name, said_value, _),) = FieldMemory().fields(bytes(literal) + value)
        assert (name, said_value) == (entry[0], b"a")


def test_a_peer_that_goes_on_to_use_a_table_is_understood() -> None:
    encoder, reader, memory = hpack.Encoder(), BlockReader(), FieldMemory()
    reader.plain(bytes(encoder.encode([(b"a", b"b")])))
    reader.settings_acknowledged()
    block = bytes(encoder.encode([(b"a", b"b")]))
    assert block == b"\xbe"
    assert memory.fields(reader.plain(block))[0][:2] == (b"a", b"b")
    assert not reader.stateless


def test_a_peer_that_never_had_a_table_need_not_empty_it() -> None:
    reader = BlockReader()
    block = encoded([(b"a", b"b")], huffman=False, sensitive=True).removeprefix(EMPTY_TABLE)
    assert reader.plain(block) is block
    reader.settings_acknowledged()
    assert reader.plain(block) is block


@pytest.mark.parametrize(
    ("block", "plain"),
    [
        pytest.param(b"\x82\x04\x01/\x00\x01a\x01b\x1f\x10\x01x", True, id="static and literal fields"),
        pytest.param(b"", False, id="nothing"),
        pytest.param(b"\x20\x82", False, id="a size update"),
        pytest.param(b"\x40\x01a\x01b", False, id="an addition"),
        pytest.param(b"\x82\xbe", False, id="an entry of the table"),
        pytest.param(b"\x0f\x2f\x01b", False, id="a name in the table"),
        pytest.param(b"\x40\x01a\x01b\x7f\x00\x01c", False, id="a name that the block itself adds"),
    ],
)
def test_a_block_without_a_table_is_known_by_its_bytes(block: bytes, plain: bool) -> None:
    assert is_plain(block) is plain


def test_a_header_bomb_ends_the_connection_before_it_is_decoded() -> None:
    encoder, reader = hpack.Encoder(), BlockReader()
    reader.plain(bytes(encoder.encode([(b"bomb", b"x" * 3900)])))
    with pytest.raises(ConnectionProblem) as caught:
        reader.plain(b"\xbe" * 16_000)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR


@pytest.mark.parametrize(
    ("make", "most"),
    [
        pytest.param(lambda n: encode_field(b"n", b"%d" % n), FIELDS_REMEMBERED_MAX, id="many"),
        pytest.param(
            lambda n: encode_field(b"n", b"%d" % n + bytes(FIELD_REMEMBERED_BYTES_MAX)), 0, id="long ones"
        ),
    ],
)
def test_what_is_remembered_is_bounded(make: Callable[[int], bytes], most: int) -> None:
    memory = FieldMemory()
    for number in range(FIELDS_REMEMBERED_MAX + 10):
        assert memory.field(make(number)).value.startswith(b"%d" % number)
        assert len(memory._fields) <= most
