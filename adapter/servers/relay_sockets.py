"""The sockets of the relay: bytes that come to `http2`, and bytes that go."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, cast

from adapter.http2.client_side import ClientConnection
from adapter.http2.connection import Connection
from adapter.http2.frames import ErrorCode
from adapter.http2.relay import Relay
from adapter.http2.server_side import ServerConnection
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Caller
from adapter.servers.tls import HTTP2, peer_names
from adapter.wire.grpc_messages import Chunk

log = logging.getLogger(__name__)

WRITE_BUFFER_BYTES: Final = 256 * 1024
"""What the socket layer may hold of one connection before its streams wait."""
LINGER_S_MAX: Final = 5.0
"""How long a closed connection may take to send what it still has."""


class RelaySocket(asyncio.Protocol):
    """One socket, and the connection that its bytes belong to."""

    connection: Connection
    transport: asyncio.Transport

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._shared = relay.shared
        self._time = asyncio.get_running_loop().time
        self.write: Callable[[bytes], object]
        self.writelines: Callable[[list[Chunk]], object]
        self.write = self.writelines = self._no_longer
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.write, self.writelines = self.transport.write, self.transport.writelines
        self._now()
        self._join()
        self._shared.flush()

    def _join(self) -> None:
        """There is a connection."""
        raise NotImplementedError

    def _now(self) -> None:
        """Tell the relay the time."""
        self._shared.now_s = self._time()

    def data_received(self, data: bytes) -> None:
        shared = self._shared
        shared.now_s = self._time()
        try:
            self.connection.receive(data)
        except Exception:
            log.exception("a connection failed in an unforeseen way")
            self.connection.fail(ErrorCode.INTERNAL_ERROR, "an unexpected error")
        shared.flush()

    def pause_writing(self) -> None:
        self.connection.blocked = True

    def resume_writing(self) -> None:
        self._now()
        self.connection.blocked = False
        self.connection.pump()
        self._shared.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.write = self.writelines = self._no_longer
        self._closing = True
        self._now()
        self.connection.lost(str(exc) if exc else "it was closed")
        self._shared.flush()

    def close(self) -> None:
        """Close once what was written has gone out, or after a while."""
        if not self._closing:
            self._closing = True
            self.transport.close()
            asyncio.get_running_loop().call_later(LINGER_S_MAX, self.transport.abort)

    @staticmethod
    def _no_longer(data: object) -> None:
        """The socket is closed; what was still to be said is lost."""


class ClientSocket(RelaySocket):
    """A client that does not read what it is answered is not read either, or its answers would pile up."""

    connection: ServerConnection

    def __init__(self, relay: Relay, *, management: bool, peers: bool) -> None:
        super().__init__(relay)
        self._management = management
        self._peers = peers

    def _join(self) -> None:
        relay = self._relay
        handshake: Any = self.transport.get_extra_info("ssl_object")
        names = None if handshake is None else peer_names(handshake)
        caller = Caller(names=names, from_management=self._management, from_peer=self._peers)
        self.connection = relay.client(self, caller=caller)
        if handshake is not None and handshake.selected_alpn_protocol() not in {*HTTP2, None}:
            self.connection.fail(ErrorCode.PROTOCOL_ERROR, "TLS was agreed upon for another protocol than h2")
        elif len(relay.clients) > relay.shared.limits.connections_max:
            relay.shared.counts.note(relay.shared.counts.limits_hit, "connections_max")
            self.connection.fail(ErrorCode.ENHANCE_YOUR_CALM, "too many connections")

    def pause_writing(self) -> None:
        super().pause_writing()
        self.connection.blocked_since_s = self._shared.now_s
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.connection.blocked_since_s = None
        self.transport.resume_reading()
        super().resume_writing()


class UpstreamSocket(RelaySocket):
    """A connection to a runtime, to another instance, or to a door of ours."""

    connection: ClientConnection

    def __init__(self, relay: Relay, upstream: Upstream) -> None:
        super().__init__(relay)
        self._upstream = upstream

    def _join(self) -> None:
        self.connection = self._upstream.connected(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._upstream.unblocked()
        self._shared.flush()
