"""Relay servers that reach each other in memory: each address leads to the peers' door of one of them."""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Final

from adapter.http2.connection import Connection
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Caller
from adapter.servers.relay_server import RelayServer
from adapter.wire.grpc_messages import Chunk

PEER: Final = Caller(from_peer=True)


class Wire:
    """One end of a connection: an `Outlet` whose bytes come out at the other end."""

    connection: Connection
    other: "Wire"

    def __init__(self, server: RelayServer, wires: "Wires", name: str) -> None:
        self.name = name
        """Of the instance at this end."""
        self._server = server
        self._wires = wires
        self._over = False

    def write(self, data: bytes) -> None:
        if not self._over:
            asyncio.get_running_loop().call_soon(self.other.receive, bytes(data))

    def writelines(self, parts: list[Chunk]) -> None:
        self.write(b"".join(parts))

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(self.lose, "it was closed")
        loop.call_soon(self.other.lose, "it was closed")

    def receive(self, data: bytes) -> None:
        if not self._over and not self._wires.frozen & {self.name, self.other.name}:
            self._server.now()
            self.connection.receive(data)
            self._server.flush()

    def lose(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._wires.ends.discard(self)
            self._server.now()
            self.connection.lost(reason)
            self._server.flush()


@dataclass(slots=True)
class Wires:
    """The network between them."""

    doors: dict[str, tuple[str, RelayServer]] = field(default_factory=dict)
    """By address: whose it is."""
    ends: set[Wire] = field(default_factory=set)
    frozen: set[str] = field(default_factory=set)
    """Those who neither hear nor are heard, and do not know it."""

    def open(self, address: str, name: str, server: RelayServer) -> None:
        """From now on this instance is reached there."""
        self.doors[address] = (name, server)

    def cut(self, name: str) -> None:
        """Nobody is at that instance any more."""
        self.doors = {address: door for address, door in self.doors.items() if door[0] != name}
        for end in list(self.ends):
            if name in {end.name, end.other.name}:
                end.lose("the connection was reset")

    def connect(self, caller: str, server: RelayServer, address: str, upstream: Upstream) -> None:
        """Open a connection, if somebody is there."""
        server.now()
        door = self.doors.get(address)
        if door is None:
            upstream.not_connected("connection refused")
            server.flush()
            return
        name, answering = door
        near, far = Wire(server, self, caller), Wire(answering, self, name)
        near.other, far.other = far, near
        self.ends |= {near, far}
        answering.now()
        far.connection = answering.relay.client(far, caller=PEER)
        near.connection = upstream.connected(near)
        server.flush()
        answering.flush()


class WiredRelay(RelayServer):
    """A relay server whose peers are reached by wires."""

    wires: Wires
    instance: str

    async def _connect(self, address: str, tls: ssl.SSLContext | None, upstream: Upstream) -> None:
        assert tls is None
        self.wires.connect(self.instance, self, address, upstream)
