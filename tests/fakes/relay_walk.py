"""A random walk: clients, a relay and runtimes do what they may in any order, from a seed.

After every step the relay's books are looked at; `h2` complains of what RFC 9113 forbids; and what each side
gets must be what the other one sent.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from adapter.domain.errors import Code, RuntimeUnavailable
from adapter.http2.call import Call
from adapter.http2.flow import Limits
from adapter.http2.relay import Relay
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer, Plan, Target
from adapter.wire.grpc_messages import prefix
from tests.fakes.relay_books import check_books, check_rest
from tests.fakes.relay_h2 import H2Peer, Headers, Side
from tests.fakes.relay_outlet import FakeOutlet
from tests.fakes.relay_router import FakeRouter, Verdict

BY_HEADERS, BY_MESSAGE = "walk.Walk/ByHeaders", "walk.Walk/ByMessage"
CLIENTS_MAX: Final = 3
CALLS_MAX: Final = 12
"""Open at once, of one client."""
SETTLING_MAX: Final = 5000
"""Rounds until everything has come to its end."""


@dataclass(slots=True)
class Walked:
    """What is known of one call."""

    client: H2Peer
    asked: Side
    verdict: str
    rewritten: bytes | None = field(repr=False)
    """What its first message becomes."""
    first: int
    """How long the first message is, with its prefix."""
    disturbed: bool = False
    """It may fail: somebody cancelled, or broke, or let time pass."""
    tries: list[tuple[H2Peer, Side]] = field(default_factory=list)
    answered: bool = False
    """The router answered it."""

    @property
    def expected(self) -> bytes:
        """What the runtime is to get."""
        if self.rewritten is None:
            return self.asked.planned
        return prefix(len(self.rewritten)) + self.rewritten + self.asked.planned[self.first :]


class Walk:
    """One walk."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        pick = self.random.choice
        self.limits = Limits(
            window_bytes=pick([65_535, 100_000, 1 << 20]),
            connection_window_bytes=pick([65_535, 200_000, 8 << 20]),
            frame_bytes_max=pick([16_384, 65_536]),
            upstream_connections_max=pick([1, 3]),
            stall_s_max=1e9,
            half_open_s_max=1e9,
            settings_burst=100_000,
            resets_burst=100_000,
            pings_burst=100_000,
            empty_frames_burst=100_000,
        )
        self.router = FakeRouter()
        self.router.verdict = self._verdict
        self.router.plans = {BY_MESSAGE: Plan(message_first=True)}
        self.relay = Relay(self.router, self.limits)
        self.shared = self.relay.shared
        self.shared.now_s = 1000.0
        self.shared.resolve = self._begin_wait
        self.router.upstream = self.relay.upstream("runtime", self._connect)
        self.connecting: list[Upstream] = []
        self.clients: list[H2Peer] = []
        self.runtimes: list[H2Peer] = []
        self.calls: list[Walked] = []
        self.strangers: list[tuple[H2Peer, Side]] = []
        """Tries of calls that nobody knows."""
        self.steps = 0
        self.refused = False
        """A connection was not to be had: calls soon after that are not even tried."""
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

    # The relay's surroundings.

    def _connect(self, upstream: Upstream) -> None:
        self.connecting.append(upstream)

    def _begin_wait(self, call: Call) -> None:
        call.cancel_resolving = lambda: self.router.waiting.remove(call)
        self.router.waiting.append(call)

    def _walked(self, headers: Iterable[tuple[str, Any]]) -> Walked | None:
        """Which call this is; None: somebody has changed its name."""
        name = str(dict(headers).get("x-call", ""))
        known = name.isdigit() and name.isascii() and int(name[:9]) < len(self.calls)
        return self.calls[int(name)] if known else None

    def _verdict(self, call: Call) -> Verdict:
        walked = self._walked(call.head.metadata())
        if walked is not None and walked.verdict == "refuse":
            return RuntimeUnavailable("refused")
        return None if walked is not None and walked.verdict == "miss" else self._target(call)

    def _target(self, call: Call) -> Target:
        walked = self._walked(call.head.metadata())
        rewrites = walked is not None and call.plan.message_first
        return self.router.target(message=walked.rewritten if walked and rewrites else None)

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

    def _flush(self) -> None:
        self.shared.flush()
        for peer in [*self.clients, *self.runtimes]:
            peer.look()
            if peer.outlet.closed and not peer.coming:
                peer.gone = True

    def check(self) -> None:
        check_books(self.relay, self.router, [runtime.connection for runtime in self.runtimes])
        for walked in self.calls[-40:]:
            self._check_bytes(walked)

    def _trusts(self, walked: Walked) -> bool:
        """Whether all who took part in the call keep the rules."""
        return not (walked.client.mangled or any(runtime.mangled for runtime in self.runtimes))

    def _check_bytes(self, walked: Walked) -> None:
        if not self._trusts(walked):
            return
        asked = walked.asked
        for _, side in walked.tries:
            assert walked.expected.startswith(bytes(side.data)), (
                f"seed {self.seed}: the runtime got other bytes"
            )
            if side.ended_in:
                assert asked.ended_out
                assert len(side.data) == len(walked.expected)
        if walked.answered:
            return
        if asked.data:
            came = bytes(asked.data)
            from_one = any(side.planned.startswith(came) for _, side in walked.tries)
            assert from_one, f"seed {self.seed}: other bytes came back"

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
        rewritten = (
            self.random.randbytes(self._size()) if rpc == BY_MESSAGE and self.random.random() < 0.5 else None
        )
        leaving = any(runtime.leaving and not runtime.gone for runtime in self.runtimes)
        verdict = self.random.choice(["hit", "hit", "hit", "miss", "miss", "refuse"])
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
        runtime = H2Peer(upstream.connected(outlet), outlet, client=False, window=window)
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
        if fate < 0.06:
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
        self.router.upstream.unblocked()

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
        self.relay.tick(self.shared.now_s)

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
        for peer in self._peers():
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
        self._flush()
        self.check()
        return moved

    def _check_end(self, walked: Walked) -> None:
        asked, about = walked.asked, f"seed {self.seed}, call {self.calls.index(walked)}: {walked}"
        if not self._trusts(walked) or walked.client.gone or asked.reset_by_us:
            return
        assert asked.is_over or asked.ended_in or asked.reset is not None, about
        last: dict[str, Any] = asked.headers[-1] if asked.headers else {}
        if walked.disturbed or (self.refused and "cannot be reached" in last.get("grpc-message", "")):
            return
        if walked.verdict == "refuse":
            assert last["grpc-status"] == str(int(Code.UNAVAILABLE)), about
        elif walked.answered:
            assert bytes(asked.data) == prefix(8) + b"answered", about
        else:
            assert last.get("grpc-status") == "0", about
            assert bytes(asked.data) in {side.planned for _, side in walked.tries}, about


_RESPONSE: Headers = [(":status", "200"), ("content-type", "application/grpc")]
_SETTINGS = [
    (SettingCodes.INITIAL_WINDOW_SIZE, [0, 1, 100, 10_000, 65_535, 1 << 20]),
    (SettingCodes.MAX_FRAME_SIZE, [16_384, 20_000, 1 << 20]),
    (SettingCodes.HEADER_TABLE_SIZE, [0, 100, 4096, 65_536]),
]
