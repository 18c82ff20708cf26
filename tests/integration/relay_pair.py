"""A relay before several runtimes that all have every model: what an instance will be when it has a mesh.

It takes turns, and sends again what one has lost to another.

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
from adapter.domain.errors import Code
from adapter.http2.call import Call
from adapter.http2.flow import Limits
from adapter.http2.request_head import RequestHead
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer, Caller, Plan, Target
from adapter.servers.relay_server import relaying


class TakesTurns:
    """The `Router`."""

    def __init__(self) -> None:
        self.upstreams: list[Upstream] = []
        self._turns = count()

    def plan(self, head: RequestHead, caller: Caller) -> Plan:
        return Plan()

    def route(self, call: Call) -> Target:
        left = [upstream for upstream in self.upstreams if upstream not in call.tried] or self.upstreams
        return Target(left[next(self._turns) % len(left)])

    def resolve(self, call: Call) -> Coroutine[Any, Any, Target | Answer]:
        raise AssertionError("every call can be routed at once")

    def released(self, target: Target) -> None:
        """Nothing is kept loaded."""

    def copy_lost(self, target: Target) -> None:
        """Nothing was."""

    def answered(self, call: Call, code: Code) -> None:
        """Nobody counts."""


async def main() -> None:
    parser = argparse.ArgumentParser(description="A relay before several runtimes.")
    parser.add_argument("listen")
    parser.add_argument("upstreams", nargs="+")
    parser.add_argument("--keepalive-s", type=float, default=Limits().keepalive_s)
    asked = parser.parse_args()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    router = TakesTurns()
    limits = Limits(keepalive_s=asked.keepalive_s, keepalive_timeout_s=asked.keepalive_s)
    async with relaying(router, clock=LoopClock(), limits=limits) as server:
        router.upstreams = [server.upstream(address) for address in asked.upstreams]
        await server.listen(asked.listen)
        await ended.wait()


if __name__ == "__main__":
    uvloop.run(main())
