"""Hostile peers: frames that mean nothing, and valid traffic with bytes changed on the way.

Whatever comes, the relay answers with GOAWAY or RST_STREAM, its books are right, and those who keep the rules
are served. What it sends on is read by `hpack` and `h2`, so rubbish that is passed on is found too.
"""

import random
from typing import Final

import hpack
from h2.exceptions import H2Error
from hyperframe.exceptions import HyperframeError
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from adapter.domain.errors import Code
from adapter.http2.flow import Limits
from adapter.http2.verdicts import Plan
from tests.fakes.relay_h2 import H2Peer
from tests.fakes.relay_outlet import FakeOutlet
from tests.fakes.relay_peers import RPC, FakeClient, FakeRuntime, FramePeer, Seen, frame_bytes
from tests.fakes.relay_play import Play
from tests.fakes.relay_scripts import BY_MESSAGE, CUTS, SCRIPTS, Script, hit, serve
from tests.fakes.relay_walk import Walk

EXAMPLES: Final = 400
"""Scripts of a batch."""
WALKS: Final = 40
"""Mangled walks of a batch."""
STEPS: Final = 250
PIECES_MAX: Final = 100

LIMITS: Final = Limits(message_bytes_max=20_000, header_list_bytes_max=6000, buffered_bytes_max=200_000)


def _perform(play: Play, peer: FramePeer, script: Script, cut: int) -> None:
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
    hit(play, hostile)
    if not hostile.outlet.closed:
        play.lose(hostile)
    while play.router.waiting:
        play.resolve()
    serve(play, hostile)
    assert beside.code is Code.OK
    again = client.call()
    serve(play, hostile)
    assert again.code is Code.OK
    play.check_rest()


def hostile_client(script: Script, cut: int, *, greets: bool) -> None:
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


def hostile_runtime(script: Script, cut: int) -> None:
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
    @given(SCRIPTS, CUTS, st.sampled_from([True] * 9 + [False]))
    def clients(script: Script, cut: int, greets: bool) -> None:
        hostile_client(script, cut, greets=greets)

    @seed(number)
    @_SETTINGS_OF_TEST
    @given(SCRIPTS, CUTS)
    def runtimes(script: Script, cut: int) -> None:
        hostile_runtime(script, cut)

    clients()
    runtimes()
    for walk in range(number * WALKS, (number + 1) * WALKS):
        (MangledWalk if walk % 3 else Walk)(walk).walk(STEPS)
    return 2 * EXAMPLES + WALKS
