"""Hostile peers: frames that mean nothing, and valid traffic with bytes changed on the way.

Whatever comes, the relay answers with GOAWAY or RST_STREAM, its books are right, and those who keep the rules are
served. What it sends on is read by `hpack` and `h2`, so rubbish that is passed on is found too.
"""

import random
from collections.abc import Callable
from typing import Any, Final

import hpack
from h2.exceptions import H2Error
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from hyperframe.exceptions import HyperframeError

from adapter.domain.errors import Code
from adapter.http2.flow import Limits
from adapter.http2.verdicts import Plan
from tests.fakes.relay_h2 import H2Peer
from tests.fakes.relay_outlet import FakeOutlet
from tests.fakes.relay_peers import RPC, FakeClient, FakeRuntime, FramePeer, Seen, frame_bytes, framed
from tests.fakes.relay_play import Play
from tests.fakes.relay_walk import Walk

EXAMPLES: Final = 400
"""Scripts of a batch."""
WALKS: Final = 40
"""Mangled walks of a batch."""
STEPS: Final = 250
PIECES_MAX: Final = 100

BY_MESSAGE = "fuzz.Fuzz/ByMessage"
LIMITS: Final = Limits(message_bytes_max=20_000, header_list_bytes_max=6000, buffered_bytes_max=200_000)

Deed = Callable[[Play, FramePeer], None]

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
        ]
        + ["grpc-encoding", "mm-model-id", "mm-model-id-bin", "connection", "X", "x", "", "x-\n"]
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
    lambda path, more: [*_REQUEST[:3], (":path", path), *_REQUEST[3:], *more], _PATHS, st.lists(_FIELDS, max_size=2)
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
]
_TAILED = st.builds(
    lambda block, tail: block + tail,
    st.builds(_encoded, st.one_of(_REQUESTS, _RESPONSES), st.just(0), huffman=st.booleans(), secret=st.just(value=True)),
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
_ODD_STREAMS = st.sampled_from([1, 3, 5, 7, 9])
_OPENINGS = st.builds(
    lambda flags, stream_id, block: frame_bytes(1, flags, stream_id, block),
    st.sampled_from([4, 4, 5]),
    _ODD_STREAMS,
    st.one_of(_TAILED, st.builds(_encoded, _LISTS, st.just(0), huffman=st.booleans(), secret=st.booleans())),
)
_DATA = st.builds(
    lambda flags, stream_id, body: frame_bytes(0, flags, stream_id, body), st.integers(0, 1), _ODD_STREAMS, _BODIES
)


# What else happens meanwhile.


def _serve(play: Play, peer: FramePeer) -> None:
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


def _hit(play: Play, _peer: FramePeer) -> None:
    play.router.verdict = play.router.hit


def _block(play: Play, peer: FramePeer) -> None:
    play.block(peer)


def _unblock(play: Play, peer: FramePeer) -> None:
    play.unblock(peer)


_DEEDS: list[Deed] = [_serve, _pass_time, _resolve, _miss, _hit, _block, _unblock]
_SCRIPTS = st.lists(
    st.one_of(_frames(), _frames(), _OPENINGS, _DATA, st.binary(max_size=40), st.sampled_from(_DEEDS)),
    min_size=1,
    max_size=14,
)
_CUTS = st.sampled_from([0, 0, 1, 7, 30])
"""How large the pieces are that bytes arrive in; 0: as they were sent."""


def _perform(play: Play, peer: FramePeer, script: list[bytes | Deed], cut: int) -> None:
    for item in script:
        if callable(item):
            item(play, peer)
        else:
            step = max(cut or len(item), len(item) // PIECES_MAX, 1)
            for at in range(0, len(item), step):
                peer.send(item[at : at + step])
        play.check()
        assert peer.connection.finished == peer.outlet.closed


def _end(play: Play, beside: Seen, client: FakeClient, hostile: FramePeer) -> None:
    """Who keeps the rules is served to the end."""
    _hit(play, hostile)
    if not hostile.outlet.closed:
        play.lose(hostile)
    while play.router.waiting:
        play.resolve()
    _serve(play, hostile)
    assert beside.code is Code.OK
    again = client.call()
    _serve(play, hostile)
    assert again.code is Code.OK
    play.check_rest()


def hostile_client(script: list[bytes | Deed], cut: int, *, greets: bool) -> None:
    """A client that breaks every rule, beside one that keeps them."""
    play = Play(LIMITS)
    play.router.plans[BY_MESSAGE] = Plan(message_first=True)
    good = play.client()
    beside = good.call(extra=[("x", "a name that is known")])
    bad = play.client() if greets else play.stranger()
    _perform(play, bad, script, cut)
    assert not good.goaways
    assert len(play.runtimes) == 1, "a client has cost us the connection to the runtime"
    _end(play, beside, good, bad)


def hostile_runtime(script: list[bytes | Deed], cut: int) -> None:
    """A runtime that breaks every rule; once it is gone, another one serves."""
    play = Play(LIMITS)
    play.router.plans[BY_MESSAGE] = Plan(message_first=True)
    good = play.client()
    for rpc in (RPC, BY_MESSAGE):
        good.call(rpc=rpc)
    good.begin()
    bad: FakeRuntime = play.runtime
    _perform(play, bad, script, cut)
    assert not good.goaways
    for seen in list(good.streams.values()):
        if seen.reset is None and not seen.ended:
            good.reset(seen.id)
    beside = good.call()
    _end(play, beside, good, bad)


# Valid traffic, changed on the way.


class MangledWalk(Walk):
    """A walk where the bytes of one peer, or of one runtime, do not arrive as they were sent."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._of_clients = self.random.random() < 0.7
        self._often = self.random.choice([0.01, 0.05, 0.3])

    def _send_off(self, peer: H2Peer, size: int) -> None:
        if (peer in self.clients) is self._of_clients and (peer is self.clients[0] or not self._of_clients):
            if self.random.random() < self._often and peer.unsent:
                if not peer.mangled:
                    peer.mangled = True
                    if not self._of_clients:
                        self._disturb_all()
                peer.unsent = bytearray(mangled(bytes(peer.unsent), self.random))
            if peer.mangled and not self._of_clients:
                self._disturb_all()
        super()._send_off(peer, size)

    def _hear_one(self, peer: H2Peer, size: int) -> None:
        if not peer.mangled:
            super()._hear_one(peer, size)
            return
        try:
            peer.hear(size)
        except (H2Error, HyperframeError, hpack.HPACKError, KeyError, AssertionError):
            self._give_up(peer)

    def _give_up(self, peer: H2Peer) -> None:
        """What it sees makes no sense to a peer whose words were twisted: it leaves."""
        peer.gone = True
        if not peer.connection.finished:
            peer.connection.outlet = FakeOutlet()
            peer.connection.lost("lost")

    def settle(self) -> None:
        for peer in self._peers():
            if peer.mangled:
                if peer in self.runtimes:
                    self._disturb_all()
                self._give_up(peer)
        self._often = 0.0
        super().settle()


def mangled(data: bytes, by: random.Random) -> bytes:
    """These bytes with a few changes."""
    made = bytearray(data)
    for _ in range(by.choice([1, 1, 2, 5])):
        at = by.randrange(len(made) + 1)
        match by.randrange(6):
            case 0:
                made[at:at] = by.randbytes(by.choice([1, 2, 9]))
            case 1:
                del made[at : at + by.choice([1, 2, 9, 100])]
            case 2:
                made[at : at + 1] = by.randbytes(1)
            case 3 if at < len(made):
                made[at] ^= 1 << by.randrange(8)
            case 4:
                piece = made[at : at + by.choice([9, 20, 100])]
                made[at:at] = piece
            case _:
                made[at:at] = frame_bytes(
                    by.randrange(11), by.randrange(256), by.randrange(8), by.randbytes(by.randrange(10))
                )
    return bytes(made)


# Batches.

_SETTINGS_OF_TEST = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def batch(number: int) -> int:
    """One batch, of this number; gives how many cases were tried."""

    @seed(number)
    @_SETTINGS_OF_TEST
    @given(_SCRIPTS, _CUTS, st.booleans())
    def clients(script: list[bytes | Deed], cut: int, greets: bool) -> None:
        hostile_client(script, cut, greets=greets)

    @seed(number)
    @_SETTINGS_OF_TEST
    @given(_SCRIPTS, _CUTS)
    def runtimes(script: list[bytes | Deed], cut: int) -> None:
        hostile_runtime(script, cut)

    clients()
    runtimes()
    for walk in range(number * WALKS, (number + 1) * WALKS):
        (MangledWalk if walk % 3 else Walk)(walk).walk(STEPS)
    return 2 * EXAMPLES + WALKS
