"""A random walk: clients, a relay and runtimes do what they may in any order, from a seed.

After every step the relay's books are looked at; `h2` complains of what RFC 9113 forbids; and what each side
gets must be what the other one sent.
"""

from collections.abc import Callable
from typing import Final

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from adapter.domain.errors import Code
from adapter.http2.verdicts import Answer
from adapter.wire.grpc_messages import prefix
from tests.fakes.relay_books import check_rest
from tests.fakes.relay_h2 import H2Peer, Headers, Side
from tests.fakes.relay_outlet import FakeOutlet
from tests.fakes.relay_world import BY_HEADERS, BY_MESSAGE, INSTANCES, Walked, World

CLIENTS_MAX: Final = 3
CALLS_MAX: Final = 12
"""Open at once, of one client."""
SETTLING_MAX: Final = 5000
"""Rounds until everything has come to its end."""


class Walk(World):
    """One walk."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._deeds: list[tuple[int, Callable[[], None]]] = [
            (2, self._new_client),
            (10, self._open_call),
            (20, self._send),
            (6, self._end_request),
            (1, self._cancel),
            (20, self._answer),
            (12, self._take),
            (40, self._arrive),
            (40, self._hear),
            (2, self._change_settings),
            (3, self._block),
            (4, self._unblock),
            (5, self._resolve),
            (5, self._open_connection),
            (1, self._lose),
            (1, self._go_away),
            (1, self._pass_time),
        ]

    # Steps.

    def walk(self, steps: int) -> None:
        """Take so many steps, then let everything come to its end."""
        weights, deeds = zip(*self._deeds, strict=True)
        self.step(self._new_client)
        for deed in self.random.choices(deeds, weights, k=steps):
            self.step(deed)
        self.settle()

    def step(self, deed: Callable[[], None]) -> None:
        deed()
        self.steps += 1
        self._flush()
        self.check()

    def _some(self, sides: list[tuple[H2Peer, Side]]) -> tuple[H2Peer, Side] | None:
        return self.random.choice(sides) if sides else None

    def _peers(self) -> list[H2Peer]:
        return [peer for peer in [*self.clients, *self.runtimes] if not peer.gone]

    def _asking(self) -> list[tuple[H2Peer, Side]]:
        return [(w.client, w.asked) for w in self.calls if w.asked.may_send and not w.client.gone]

    def _size(self) -> int:
        return self.random.choice([0, 1, 4, 5, 6, 100, 1000, 5000, 16_384, 100_000])

    # What clients do.

    def _new_client(self) -> None:
        if len([client for client in self.clients if not client.gone]) < CLIENTS_MAX:
            outlet = FakeOutlet()
            window = self.random.choice([0, 10, 1000, 65_535, 1 << 20])
            self.clients.append(H2Peer(self.relay.client(outlet), outlet, client=True, window=window))

    def _open_call(self) -> None:
        clients = [each for each in self.clients if not each.gone]
        if not clients:
            return
        client = self.random.choice(clients)
        if len([w for w in self.calls if w.client is client and not w.asked.is_over]) >= CALLS_MAX:
            return
        rpc = self.random.choice([BY_HEADERS, BY_MESSAGE])
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", f"/{rpc}"),
            (":authority", "relay"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            *self.random.choices(
                [("x-a", "1"), ("x-b", "2"), ("user-agent", "walk")], k=self.random.randint(0, 2)
            ),
            ("x-call", str(len(self.calls))),
        ]
        short = self.random.random() < 0.05
        if short:
            headers.append(("grpc-timeout", "1S"))
        side = client.open(headers, end=False)
        if side is None:
            return
        messages = [self.random.randbytes(self._size()) for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        side.planned = b"".join(prefix(len(message)) + message for message in messages)
        side.end = self.random.random() < 0.7
        leaving = any(runtime.leaving and not runtime.gone for runtime in self.runtimes)
        verdict = self.random.choice(["hit", "hit", "hit", "miss", "miss", "forward", "forward", "refuse"])
        rewrites = rpc == BY_MESSAGE and verdict != "forward" and self.random.random() < 0.5
        rewritten = self.random.randbytes(self._size()) if rewrites else None
        self.calls.append(
            Walked(client, side, verdict, rewritten, first=len(messages[0]) + 5, disturbed=short or leaving)
        )

    def _send(self) -> None:
        if found := self._some(self._asking()):
            peer, side = found
            peer.send(side, self._size())

    def _end_request(self) -> None:
        for walked in self.random.sample(self.calls, min(3, len(self.calls))):
            walked.asked.end = True

    def _cancel(self) -> None:
        if found := self._some(self._asking()):
            peer, side = found
            peer.reset(side)
            for walked in self.calls:
                walked.disturbed = walked.disturbed or walked.asked is side

    # What runtimes do.

    def _open_connection(self) -> None:
        if not self.connecting:
            return
        upstream = self.connecting.pop(0)
        if self.random.random() < 0.1:
            self._disturb_all()
            self.refused = True
            upstream.not_connected("nobody is there")
            return
        outlet = FakeOutlet()
        window = self.random.choice([0, 10, 1000, 65_535, 1 << 20])
        connection = upstream.connected(outlet)
        runtime = H2Peer(connection, outlet, client=False, window=window, name=upstream.name)
        if self.random.random() < 0.3:
            runtime.streams_max = self.random.choice([1, 3])
        self.runtimes.append(runtime)

    def _accept(self) -> None:
        for runtime in self.runtimes:
            for side in runtime.new:
                walked = self._walked(side.headers[0].items())
                if walked is None:
                    self.strangers.append((runtime, side))
                else:
                    walked.tries.append((runtime, side))
            runtime.new.clear()

    def _serving(self) -> list[tuple[H2Peer, Side]]:
        self._accept()
        tries = [*self.strangers, *(t for w in self.calls for t in w.tries)]
        return [(peer, side) for peer, side in tries if side.may_send and not peer.gone]

    def _answer(self) -> None:
        if not (found := self._some(self._serving())):
            return
        peer, side = found
        if side.planned or side.end:
            peer.send(side, self._size())
            return
        fate = self.random.random()
        if peer.name in INSTANCES and fate < 0.3:
            self._refuse(peer, side)
        elif fate < 0.06:
            self._disturb(side)
            peer.reset(
                side,
                self.random.choice([ErrorCodes.REFUSED_STREAM, ErrorCodes.CANCEL, ErrorCodes.INTERNAL_ERROR]),
            )
        elif fate < 0.2:
            code = self.random.choice([Code.NOT_FOUND, Code.UNAVAILABLE, Code.INTERNAL, Code.OK])
            if code is not Code.OK:
                self._disturb(side)
            peer.begin_answer(side, [*_RESPONSE, ("grpc-status", str(int(code)))], end=True)
        elif fate < 0.3:
            self._disturb(side)
            peer.begin_answer(side, _RESPONSE)
            side.end, side.trailers = True, [("grpc-status", str(int(Code.NOT_FOUND)))]
        else:
            self._answer_well(peer, side)

    def _refuse(self, peer: H2Peer, side: Side) -> None:
        """An instance will not answer; that costs only calls of which more was sent than is sent again."""
        if not all(walked.is_unary for walked in self.calls if any(each is side for _, each in walked.tries)):
            self._disturb(side)
        refusal = [("grpc-status", str(int(Code.UNAVAILABLE))), ("mm-refused", "full")]
        peer.begin_answer(side, [*_RESPONSE, *refusal], end=True)

    def _answer_well(self, peer: H2Peer, side: Side) -> None:
        peer.begin_answer(side, _RESPONSE)
        messages = [self.random.randbytes(self._size()) for _ in range(self.random.choice([0, 1, 1, 1, 4]))]
        side.planned = b"".join(prefix(len(message)) + message for message in messages)
        side.end, side.trailers = True, [("grpc-status", "0"), ("x-end", "1")]

    def _disturb(self, side: Side) -> None:
        for walked in self.calls:
            if any(each is side for _, each in walked.tries):
                walked.disturbed = True

    def _disturb_all(self) -> None:
        for walked in self.calls:
            walked.disturbed = True

    # What anybody does.

    def _take(self) -> None:
        peers = self._peers()
        sides = [(peer, side) for peer in peers for side in peer.sides.values() if side.untaken]
        if found := self._some(sides):
            peer, side = found
            peer.take(side, self._size())

    def _arrive(self) -> None:
        if peers := [peer for peer in self._peers() if peer.unsent]:
            self._send_off(
                self.random.choice(peers), self.random.choice([1, 9, 10, 50, 500, 1 << 20, 1 << 20])
            )

    def _send_off(self, peer: H2Peer, size: int) -> None:
        peer.arrive(size)

    def _hear(self) -> None:
        if peers := [peer for peer in self._peers() if peer.coming]:
            self._hear_one(
                self.random.choice(peers), self.random.choice([1, 9, 10, 50, 500, 1 << 20, 1 << 20])
            )

    def _hear_one(self, peer: H2Peer, size: int) -> None:
        peer.hear(size)

    def _change_settings(self) -> None:
        if peers := self._peers():
            setting, values = self.random.choice(_SETTINGS)
            self.random.choice(peers).set(setting, self.random.choice(values))

    def _block(self) -> None:
        if peers := self._peers():
            self.random.choice(peers).connection.blocked = True

    def _unblock(self) -> None:
        if peers := [peer for peer in self._peers() if peer.connection.blocked]:
            self._unblock_one(self.random.choice(peers))

    def _unblock_one(self, peer: H2Peer) -> None:
        peer.connection.blocked = False
        peer.connection.pump()
        for upstream in self.relay.upstreams:
            upstream.unblocked()

    def _resolve(self) -> None:
        if not self.router.waiting:
            return
        call = self.router.waiting.pop(self.random.randrange(len(self.router.waiting)))
        walked, fate = self._walked(call.head.metadata()), self.random.random()
        if walked is None or fate < 0.7:
            call.resolved(self._target(call))
        elif fate < 0.85:
            walked.answered = True
            call.resolved(Answer(message=b"answered"))
        else:
            walked.disturbed = True
            call.unresolved(Code.INTERNAL, "it failed")

    def _lose(self) -> None:
        if (peers := self._peers()) and self.random.random() < 0.3:
            peer = self.random.choice(peers)
            self._disturb_all()
            self.refused = self.refused or peer in self.runtimes  # it may have been about to greet
            peer.gone = True
            peer.connection.outlet = FakeOutlet()
            peer.connection.lost("lost")

    def _go_away(self) -> None:
        runtimes = [runtime for runtime in self.runtimes if not runtime.gone]
        if runtimes and self.random.random() < 0.5:
            self._disturb_all()
            self.random.choice(runtimes).go_away()

    def _pass_time(self) -> None:
        self.shared.now_s += 0.5
        there = [runtime.connection for runtime in self.runtimes if not runtime.connection.finished]
        self.relay.tick(self.shared.now_s)
        if any(connection.finished for connection in there):  # an instance was silent for too long
            self._disturb_all()
            self.refused = True

    # The end.

    def settle(self) -> None:
        """Everybody does what is left to do."""
        for _ in range(SETTLING_MAX):
            if not self._settle_once():
                break
        else:
            raise AssertionError(f"seed {self.seed}: it does not come to an end")
        assert not self.connecting
        check_rest(self.relay, self.router, [runtime.connection for runtime in self.runtimes])
        for walked in self.calls:
            self._check_end(walked)

    def _settle_once(self) -> bool:
        moved = False
        for walked in self.calls:
            walked.asked.end = True
        for peer, side in [*self._asking(), *self._serving()]:
            if peer in self.runtimes and not side.planned and not side.end:
                self._answer_well(peer, side)
                moved = True
            moved = peer.send(side, 1 << 20) or moved
        while self.connecting:
            self.step(self._open_connection)
            moved = True
        while self.router.waiting:
            self.step(self._resolve)
            moved = True
        moved = any([self._deliver(peer) for peer in self._peers()]) or moved  # noqa: C419 - to all of them
        self._flush()
        self.check()
        return moved

    def _deliver(self, peer: H2Peer) -> bool:
        """All that is on its way to and from this peer arrives; gives whether there was anything."""
        moved = False
        if peer.connection.blocked:
            self._unblock_one(peer)
        for side in peer.sides.values():
            moved = peer.take(side, 1 << 20) or moved
            moved = peer.widen(side) or moved
        self._flush()
        while peer.coming and not peer.gone:
            self._hear_one(peer, 1 << 20)
            moved = True
        while peer.unsent and not peer.gone:
            self._send_off(peer, 1 << 20)
            self._flush()
            moved = True
        return moved


_RESPONSE: Headers = [(":status", "200"), ("content-type", "application/grpc")]
_SETTINGS = [
    (SettingCodes.INITIAL_WINDOW_SIZE, [0, 1, 100, 10_000, 65_535, 1 << 20]),
    (SettingCodes.MAX_FRAME_SIZE, [16_384, 20_000, 1 << 20]),
    (SettingCodes.HEADER_TABLE_SIZE, [0, 100, 4096, 65_536]),
]
