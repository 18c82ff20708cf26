"""The world of a random walk: a relay, whom it is joined with, and what is known of every call."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from adapter.domain.errors import Code, RuntimeUnavailable
from adapter.http2.call import Call
from adapter.http2.flow import PEER_PATIENCE, Limits
from adapter.http2.relay import Relay
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Plan, Target
from adapter.wire.grpc_messages import prefix
from tests.fakes.relay_books import check_books
from tests.fakes.relay_h2 import H2Peer, Side
from tests.fakes.relay_router import FakeRouter, Verdict

BY_HEADERS, BY_MESSAGE = "walk.Walk/ByHeaders", "walk.Walk/ByMessage"
INSTANCES = ("one instance", "another instance")
"""Where calls are forwarded to."""


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
    def is_unary(self) -> bool:
        """It has one message, so that it can be sent again until it is answered."""
        return self.first == len(self.asked.planned)

    @property
    def expected(self) -> bytes:
        """What the runtime is to get."""
        if self.rewritten is None:
            return self.asked.planned
        return prefix(len(self.rewritten)) + self.rewritten + self.asked.planned[self.first :]


class World:
    """What a seed makes, and what must hold of it."""

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
        # Some answers have several messages all the same.
        self.router.plans = {BY_MESSAGE: Plan(message_first=True), BY_HEADERS: Plan(unary=True)}
        self.relay = Relay(self.router, self.limits)
        self.shared = self.relay.shared
        self.shared.now_s = 1000.0
        self.shared.resolve = self._begin_wait
        self.router.upstream = self.relay.upstream("runtime", self._connect)
        self.instances = {
            name: self.relay.upstream(name, self._connect, peer=PEER_PATIENCE) for name in INSTANCES
        }
        self.connecting: list[Upstream] = []
        self.clients: list[H2Peer] = []
        self.runtimes: list[H2Peer] = []
        self.calls: list[Walked] = []
        self.strangers: list[tuple[H2Peer, Side]] = []
        """Tries of calls that nobody knows."""
        self.steps = 0
        self.refused = False
        """A connection was not to be had: calls soon after that are not even tried."""

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
        if walked is not None and walked.verdict == "forward":
            return self._forwarded(call)
        return None if walked is not None and walked.verdict == "miss" else self._target(call)

    def _forwarded(self, call: Call) -> Target:
        left = [upstream for name, upstream in self.instances.items() if name not in (call.excluded or {})]
        if not left:
            return self.router.target()
        target = Target(self.random.choice(left), model="m")
        target.to_peer = True
        return self.router.pin(target)

    def _target(self, call: Call) -> Target:
        walked = self._walked(call.head.metadata())
        rewrites = walked is not None and call.plan.message_first
        return self.router.target(message=walked.rewritten if walked and rewrites else None)

    # What must hold.

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

    def _check_end(self, walked: Walked) -> None:
        asked, about = walked.asked, f"seed {self.seed}, call {self.calls.index(walked)}: {walked}"
        assert not any("mm-refused" in headers for headers in asked.headers), about
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
