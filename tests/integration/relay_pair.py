"""A relay before several runtimes, or instances, that all have every model.

It takes turns, and sends again what one has lost to another. With `--peers` those behind it are instances:
relays like this one, that listen as such with `--for-peers`, and refuse each n-th call with `--refuse-every`.

    python -m tests.integration.relay_pair 127.0.0.1:8033 127.0.0.1:8085 127.0.0.1:8086
"""

import argparse
import asyncio
import signal
from collections.abc import Coroutine
from itertools import count
from typing import Any

import uvloop

from adapter.aio.clock import LoopClock
from adapter.domain.errors import CacheBusy, Code, RuntimeUnavailable
from adapter.http2.call import Call
from adapter.http2.flow import Limits
from adapter.http2.metadata import metadata_fields
from adapter.http2.request_head import RequestHead
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer, Caller, PeerRefusal, Plan, Target
from adapter.servers.relay_server import relaying
from adapter.wire.headers import HOP_MARK

_HOP = metadata_fields([HOP_MARK])


class TakesTurns:
    """The `Router`."""

    def __init__(self, *, to_peers: bool = False, refuse_every: int = 0) -> None:
        self.upstreams: list[Upstream] = []
        self._to_peers = to_peers
        self._refuse_every = refuse_every
        self._turns = count()

    def plan(self, head: RequestHead, caller: Caller) -> Plan:
        return Plan(unary=head.rpc.endswith("/Unary"))

    def route(self, call: Call) -> Target:
        turn = next(self._turns)
        if self._to_peers:
            return self._to_peer(call, turn)
        if self._refuse_every and turn % self._refuse_every == 0:
            raise PeerRefusal("full", CacheBusy("no room"))
        left = [upstream for upstream in self.upstreams if upstream not in call.tried] or self.upstreams
        return Target(left[turn % len(left)])

    def _to_peer(self, call: Call, turn: int) -> Target:
        excluded = call.excluded or {}
        left = [each for each in self.upstreams if each.name not in excluded and not each.is_down]
        if not left:
            raise RuntimeUnavailable("no instance is left to answer")
        target = Target(left[turn % len(left)], fields=_HOP)
        target.to_peer = True
        return target

    def resolve(self, call: Call) -> Coroutine[Any, Any, Target | Answer]:
        raise AssertionError("every call can be routed at once")

    def released(self, target: Target) -> None:
        """Nothing is kept loaded."""

    def copy_lost(self, target: Target) -> None:
        """Nothing was."""

    def peer_refused(self, call: Call, target: Target, word: str, text: str) -> None:
        self._exclude(call, target, text)

    def peer_lost(self, call: Call, target: Target, reason: str) -> None:
        self._exclude(call, target, reason)

    @staticmethod
    def _exclude(call: Call, target: Target, reason: str) -> None:
        call.excluded = {**(call.excluded or {}), target.upstream.name: reason}

    def answered(self, call: Call, code: Code) -> None:
        """Nobody counts."""


async def main() -> None:
    parser = argparse.ArgumentParser(description="A relay before several runtimes.")
    parser.add_argument("listen")
    parser.add_argument("upstreams", nargs="+")
    parser.add_argument("--keepalive-s", type=float, default=Limits().keepalive_s)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--for-peers", action="store_true")
    parser.add_argument("--refuse-every", type=int, default=0)
    asked = parser.parse_args()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    router = TakesTurns(to_peers=asked.peers, refuse_every=asked.refuse_every)
    limits = Limits(keepalive_s=asked.keepalive_s, keepalive_timeout_s=asked.keepalive_s)
    async with relaying(router, clock=LoopClock(), limits=limits) as server:
        reach = server.peer if asked.peers else server.upstream
        router.upstreams = [reach(address) for address in asked.upstreams]
        await server.listen(asked.listen, peers=asked.for_peers)
        await ended.wait()


if __name__ == "__main__":
    uvloop.run(main())
