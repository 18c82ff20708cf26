"""What is behind an upstream of a relay server, in memory: it answers each call once that is whole."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import grpc
from hyperframe.frame import PingFrame

from adapter.domain.errors import Code
from adapter.http2.upstream import Upstream
from adapter.servers.relay_server import RelayServer
from tests.fakes.relay_outlet import FakeOutlet
from tests.fakes.relay_peers import FakeRuntime, Seen


class WakingOutlet(FakeOutlet):
    """Has its reader look, soon after something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.wake: Callable[[], object] = lambda: None

    def write(self, data: bytes) -> None:
        super().write(data)
        asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        self.wake()


class Behind:
    """Takes connections while it is `up`; what it does with calls is for a subclass to say."""

    def __init__(self, server: RelayServer, name: str) -> None:
        self.up = True
        self.upstream = server.relay.upstream(name, self._connect)
        self._server = server
        self._peers: list[FakeRuntime] = []

    def go_down(self) -> None:
        """As after `kill -9`."""
        self.up = False
        self._server.now()
        for peer in self._peers:
            peer.connection.lost("the connection was reset")
        self._peers.clear()
        self._server.flush()

    def called(self, peer: FakeRuntime, seen: Seen) -> None:
        """A call is there, with all of its message."""
        raise NotImplementedError

    def _connect(self, upstream: Upstream) -> None:
        asyncio.get_running_loop().call_soon(self._connected, upstream)

    def _connected(self, upstream: Upstream) -> None:
        server = self._server
        server.now()
        if not self.up:
            upstream.not_connected("connection refused")
            server.flush()
            return
        outlet = WakingOutlet()
        peer = FakeRuntime(outlet, server.flush)
        peer.connection = upstream.connected(outlet)
        server.flush()
        peer.look()
        peer.greet()
        self._peers.append(peer)
        outlet.wake = partial(self._look, peer, set())
        outlet.wake()

    def _look(self, peer: FakeRuntime, known: set[int]) -> None:
        if peer not in self._peers:
            return
        self._server.now()
        peer.look()
        while peer.pings:
            peer.send(PingFrame(0, peer.pings.pop(0), flags=["ACK"]))
        for seen in peer.calls:
            if seen.ended and seen.id not in known:
                known.add(seen.id)
                self.called(peer, seen)


class AnsweringRuntime(Behind):
    """Gives each message back, unless it is told to fail or to hold its answers."""

    def __init__(self, server: RelayServer) -> None:
        super().__init__(server, "runtime")
        self.asked: list[Seen] = []
        self.failures: list[tuple[Code, str]] = []
        """What the next calls are answered, one each."""
        self.holds = False
        """Calls are not answered, until `answer_all`."""
        self._held: list[tuple[FakeRuntime, Seen]] = []

    def called(self, peer: FakeRuntime, seen: Seen) -> None:
        self.asked.append(seen)
        if self.failures:
            peer.fail(seen.id, *self.failures.pop(0))
        elif self.holds:
            self._held.append((peer, seen))
        else:
            peer.answer(seen.id, seen.data[5:])

    def answer_all(self) -> None:
        self.holds = False
        for peer, seen in self._held:
            if seen.reset is None and peer in self._peers:
                peer.answer(seen.id, seen.data[5:])
        self._held.clear()

    @property
    def headers(self) -> dict[str, str]:
        """Of the last call."""
        return self.asked[-1].blocks[0]

    @property
    def message(self) -> bytes:
        return self.asked[-1].data[5:]

    @property
    def models(self) -> list[str]:
        """Of all calls, in their order."""
        return [seen.blocks[0].get("mm-model-id", "") for seen in self.asked]


class _Details(NamedTuple):
    method: str
    invocation_metadata: Sequence[tuple[str, str]] = ()


class _Aborted(Exception):
    """A handler has ended its call with a status."""


@dataclass(frozen=True, slots=True)
class _Context:
    """As much of a `grpc.aio.ServicerContext` as our handlers use."""

    async def abort(self, code: grpc.StatusCode, details: str = "") -> None:
        raise _Aborted(Code(code.value[0]), details)

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        return ()

    def time_remaining(self) -> float | None:
        return None


class HandlingDoor(Behind):
    """Has the handlers of a grpc.aio server answer."""

    def __init__(
        self,
        server: RelayServer,
        handlers: Sequence[grpc.GenericRpcHandler],
        owner: asyncio.TaskGroup,
    ) -> None:
        super().__init__(server, "this instance")
        self.asked: list[str] = []
        """The methods that were called, in their order."""
        self._handlers = handlers
        self._owner = owner

    def called(self, peer: FakeRuntime, seen: Seen) -> None:
        self.asked.append(seen.blocks[0][":path"].removeprefix("/"))
        self._owner.create_task(self._answer(peer, seen))

    async def _answer(self, peer: FakeRuntime, seen: Seen) -> None:
        details: Any = _Details(seen.blocks[0][":path"])
        handler: Any = next(filter(None, (each.service(details) for each in self._handlers)))
        code, text, message = Code.OK, "", b""
        try:
            response = await handler.unary_unary(handler.request_deserializer(seen.data[5:]), _Context())
            message = handler.response_serializer(response)
        except _Aborted as aborted:
            code, text = aborted.args
        if seen.reset is not None or peer not in self._peers:
            return
        self._server.now()
        if code is Code.OK:
            peer.answer(seen.id, message)
        else:
            peer.fail(seen.id, code, text)
