"""What hostile peers do, as `hypothesis` draws it: frames that are nearly in order, and rubbish."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hpack
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fakes.relay_peers import RPC, FakeClient, FramePeer, frame_bytes, framed
from tests.fakes.relay_play import Play

BY_MESSAGE = "fuzz.Fuzz/ByMessage"

Deed = Callable[[Play, FramePeer], None]
Script = list[bytes | Deed]

# What a hostile peer sends.

_FIELDS = st.tuples(
    st.sampled_from(
        [
            ":method",
            ":path",
            ":scheme",
            ":status",
            "te",
            "content-type",
            "content-length",
            "grpc-timeout",
            "grpc-status",
            "grpc-encoding",
            "mm-model-id",
            "mm-model-id-bin",
            "connection",
            "X",
            "x",
            "",
            "x-\n",
        ]
    ),
    st.sampled_from(
        ["", "POST", "200", "/", "trailers", "application/grpc", "1S", "5", "A", "x\n", "z" * 200, "9" * 5000]
    ),
)
_REQUEST = [
    *[(":method", "POST"), (":scheme", "http"), (":authority", "x"), ("te", "trailers")],
    ("content-type", "application/grpc"),
]
_RESPONSE = [(":status", "200"), ("content-type", "application/grpc")]


def _encoded(fields: list[tuple[str, str]], table: int, *, huffman: bool, secret: bool) -> bytes:
    encoder = hpack.Encoder()
    encoder.header_table_size = table
    kind: Any = hpack.NeverIndexedHeaderTuple if secret else hpack.HeaderTuple
    return bytes(encoder.encode([kind(*pair) for pair in fields], huffman=huffman))


_PATHS = st.sampled_from([f"/{RPC}", f"/{BY_MESSAGE}", "/", "*", "x", f"/{RPC}", f"/{BY_MESSAGE}"])
_REQUESTS = st.builds(
    lambda path, more: [*_REQUEST[:3], (":path", path), *_REQUEST[3:], *more],
    _PATHS,
    st.lists(_FIELDS, max_size=2),
)
_RESPONSES = st.builds(lambda more: [*_RESPONSE, *more], st.lists(_FIELDS, max_size=2))
_LISTS = st.one_of(_REQUESTS, _RESPONSES, st.lists(_FIELDS, max_size=5))
_ODD_FIELDS = [
    b"\x0f\x80\x00",  # the index of a name in more bytes than it needs, and no value
    b"\x7f\x80",  # an index that is cut off
    b"\x10\x01x\x81\x00",  # Huffman's code with zeros for padding
    b"\x10\x01x\x84\xff\xff\xff\xff",  # and with its end in it
    b"\x00\x81\x00\x00",  # in a name
    b"\x10\x01x\x7f\xff\xff\xff\xff\x7f",  # a length without end
    b"\x20\x82",  # a size update amid fields
    b"\x3f\xe1\x1f",
    b"\xbe\xc0",  # entries of a table that is empty
    b"\x40\x01x\x01y\xbe",  # an entry that the block itself adds
    b"\x90" * 3000,
    b"\x10\x01x\x03a\nb",  # what no value may hold
    b"\x0f\x0d\x7f\x89\x26" + b"9" * 5000,  # a content-length that is longer than any number
]
_TAILED = st.builds(
    lambda block, tail: block + tail,
    st.builds(
        _encoded,
        st.one_of(_REQUESTS, _RESPONSES),
        st.just(0),
        huffman=st.booleans(),
        secret=st.just(value=True),
    ),
    st.one_of(st.sampled_from(_ODD_FIELDS), st.binary(max_size=6)),
)
_BLOCKS = st.one_of(
    st.builds(_encoded, _LISTS, st.sampled_from([0, 0, 4096]), huffman=st.booleans(), secret=st.booleans()),
    _TAILED,
    st.binary(max_size=30),
)
_BODIES = st.one_of(
    st.builds(framed, st.binary(max_size=40)),
    st.builds(lambda size: framed(bytes(size)), st.sampled_from([100, 16_000, 19_990, 20_001])),
    st.builds(lambda size: framed(bytes(size))[:-1], st.sampled_from([1, 100, 5000])),
    st.binary(max_size=12),
)
_STREAMS = st.sampled_from([1, 1, 3, 3, 5, 5, 7, 9, 0, 2, 4, 2**31 - 1, 2**31 + 1])
_NUMBERS = st.sampled_from([0, 1, 2, 100, 16_384, 65_535, 2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1])
_SETTINGS = st.lists(
    st.builds(
        lambda number, value: number.to_bytes(2, "big") + value.to_bytes(4, "big"),
        st.integers(0, 9),
        _NUMBERS,
    ),
    max_size=4,
).map(b"".join)
_WORDS = _NUMBERS.map(lambda number: number.to_bytes(4, "big"))
_PAYLOADS: list[SearchStrategy[bytes]] = [
    _BODIES,
    _BLOCKS,
    st.one_of(st.binary(min_size=5, max_size=5), st.binary(max_size=7)),
    _WORDS,
    _SETTINGS,
    st.binary(max_size=12),
    st.one_of(st.binary(min_size=8, max_size=8), st.sampled_from([b"remesh:d", b"remesh:k"])),
    st.builds(lambda last, code: last + code, _WORDS, _WORDS),
    _WORDS,
    _BLOCKS,
    st.binary(max_size=9),
]


@st.composite
def _frames(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from([0, 0, 0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 9, 10]))
    payload = draw(_PAYLOADS[kind] if draw(st.integers(0, 9)) else st.binary(max_size=20))
    flags = draw(st.sampled_from([0, 1, 4, 5, 4, 5, 0x24, 0x25, 0x8, 0xC, 0x2D, 0xFF]))
    if flags & 0x20 and kind == 1:
        payload = draw(st.sampled_from([b"\0\0\0\0\x10", b"\0\0\0\x01\x10"])) + payload
    if flags & 0x08 and kind in {0, 1}:
        padding = draw(st.sampled_from([0, 1, 3, 200]))
        payload = bytes((padding,)) + payload + bytes(min(padding, 3))
    stream_id = draw(_STREAMS) if kind not in {4, 6, 7} or not draw(st.integers(0, 9)) else 0
    length = None if draw(st.integers(0, 30)) else draw(st.sampled_from([0, 3, 70_000, 2**24 - 1]))
    return frame_bytes(kind, flags, stream_id, payload, length=length)


# Frames that are in order, but for what they hold.


@dataclass(frozen=True)
class Opening:
    """HEADERS: of a new stream, if a client sends it, and perhaps with data."""

    flags: int
    stream_id: int
    block: bytes
    body: bytes | None

    def __call__(self, play: Play, peer: FramePeer) -> None:
        stream_id = peer.next_id() if isinstance(peer, FakeClient) else self.stream_id
        peer.send(frame_bytes(1, self.flags, stream_id, self.block))
        if self.body is not None:
            peer.send(frame_bytes(0, self.flags & 1, stream_id, self.body))


_ODD_STREAMS = st.sampled_from([1, 3, 5, 7, 9])
_OPENINGS = st.builds(
    Opening,
    st.sampled_from([4, 4, 5]),
    _ODD_STREAMS,
    st.one_of(_TAILED, st.builds(_encoded, _LISTS, st.just(0), huffman=st.booleans(), secret=st.booleans())),
    st.one_of(st.none(), _BODIES),
)
_DATA = st.builds(
    lambda flags, stream_id, body: frame_bytes(0, flags, stream_id, body),
    st.integers(0, 1),
    _ODD_STREAMS,
    _BODIES,
)


# What else happens meanwhile.


def serve(play: Play, peer: FramePeer) -> None:
    """Runtimes that keep the rules answer what they were asked."""
    for runtime in play.runtimes:
        if runtime is not peer and not runtime.outlet.closed:
            for asked in runtime.calls:
                if asked.reset is None and not runtime.is_answered(asked.id):
                    runtime.answer(asked.id)


def _pass_time(play: Play, _peer: FramePeer) -> None:
    play.pass_s(0.5)


def _resolve(play: Play, _peer: FramePeer) -> None:
    if play.router.waiting:
        play.resolve()


def _miss(play: Play, _peer: FramePeer) -> None:
    play.router.verdict = play.router.miss


def hit(play: Play, _peer: FramePeer) -> None:
    play.router.verdict = play.router.hit


def _block(play: Play, peer: FramePeer) -> None:
    play.block(peer)


def _unblock(play: Play, peer: FramePeer) -> None:
    play.unblock(peer)


_DEEDS: list[Deed] = [serve, _pass_time, _resolve, _miss, hit, _block, _unblock]
_ITEMS = [
    *[_OPENINGS] * 5,
    *[_DATA] * 3,
    *[_frames()] * 3,
    *[st.sampled_from(_DEEDS)] * 3,
    st.binary(max_size=40),
]
SCRIPTS = st.lists(st.sampled_from(_ITEMS).flatmap(lambda item: item), min_size=1, max_size=14)
CUTS = st.sampled_from([0, 0, 1, 7, 30])
"""How large the pieces are that bytes arrive in; 0: as they were sent."""
