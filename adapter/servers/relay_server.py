"""The asyncio shell of the relay: sockets, time and tasks around `http2`.

    async with relaying(router) as server:
        runtime = server.upstream("127.0.0.1:8085")
        await server.listen("0.0.0.0:8033")

Sockets are TCP or unix ones, with TLS where a context is given, on both sides. `RelayServer` also offers the
calls that begin in this process (`calls.UnaryCalls`).
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from adapter.aio.clock import Clock
from adapter.domain.errors import AdapterError, Code
from adapter.http2.call import Call
from adapter.http2.client_side import ClientConnection
from adapter.http2.connection import Connection
from adapter.http2.flow import Limits
from adapter.http2.frames import ErrorCode
from adapter.http2.relay import TICK_S, Relay
from adapter.http2.server_side import ServerConnection
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer, Caller, Router
from adapter.servers.grpc_server import CannotListen, this_task_is_cancelled
from adapter.servers.tls import HTTP2, TlsFiles, peer_names
from adapter.wire.grpc_messages import Chunk
from adapter.wire.headers import Pair

log = logging.getLogger(__name__)

UNIX: Final = "unix:"
CONNECT_S_MAX: Final = 2.0
"""How long one try to connect to an upstream may take."""
WRITE_BUFFER_BYTES: Final = 256 * 1024
"""What the socket layer may hold of one connection before its streams wait."""
LINGER_S_MAX: Final = 5.0
"""How long a closed connection may take to send what it still has."""
BACKLOG: Final = 1024


class RelayServer:
    """A relay with its sockets."""

    def __init__(
        self, router: Router, owner: asyncio.TaskGroup, clock: Clock, limits: Limits | None = None
    ) -> None:
        self.relay = Relay(router, limits)
        self._clock = clock
        self._router = router
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._servers: list[asyncio.Server] = []
        self._unix_paths: list[Path] = []
        self.relay.shared.resolve = self._resolve
        self._flush_is_due = False
        self.now()

    def now(self) -> float:
        """Tell the relay the time."""
        self.relay.shared.now_s = now_s = self._loop.time()
        return now_s

    def flush(self) -> None:
        """Send what the last event has caused."""
        self.relay.shared.flush()

    # Clients.

    async def listen(
        self, address: str, *, tls: ssl.SSLContext | None = None, management: bool = False
    ) -> int:
        """Take clients on `host:port` or `unix:path`; gives the port, 0 for a unix socket.

        `management` makes it the door that management methods are asked by. Raises `CannotListen`.
        """
        make = partial(_ClientSocket, self, management=management)
        try:
            if address.startswith(UNIX):
                path = Path(address.removeprefix(UNIX))
                server = await self._loop.create_unix_server(make, str(path), ssl=tls, backlog=BACKLOG)
                self._unix_paths.append(path)
                port = 0
            else:
                host, _, number = address.rpartition(":")
                server = await self._loop.create_server(
                    make, host.strip("[]"), int(number), ssl=tls, backlog=BACKLOG, reuse_port=False
                )
                port = server.sockets[0].getsockname()[1]
        except OSError as error:
            raise CannotListen(
                f"cannot listen on {address}: another program does, or this machine has no such address"
            ) from error
        self._servers.append(server)
        log.info("listening", extra={"address": address, "port": port, "tls": tls is not None})
        return port

    async def drain(self, grace_s: float) -> None:
        """Take no more clients, ask those who are here to go, and wait for what they have begun."""
        for server in self._servers:
            server.close()
        by_s = self.now() + grace_s
        self.relay.drain(by_s)
        self.flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self.relay.clients:
                    await self._clock.sleep(_DRAIN_LOOK_S)

    def close(self) -> None:
        """End everything at once."""
        for server in self._servers:
            server.close()
        self.relay.close()
        self.flush()
        for path in self._unix_paths:
            path.unlink(missing_ok=True)

    # Upstreams.

    def upstream(self, address: str, *, tls: TlsFiles | None = None, name: str = "") -> Upstream:
        """A place where calls can go, at `host:port` or `unix:path`; connections are opened when needed.

        Each is made with the files of `tls` as they are then. Behind a unix socket the certificate is to be
        for `localhost`.
        """
        connect = partial(self._begin_connecting, address, tls)
        return self.relay.upstream(name or address, connect)

    def _begin_connecting(self, address: str, tls: TlsFiles | None, upstream: Upstream) -> None:
        context = None if tls is None else tls.newest
        self._owner.create_task(self._connect(address, context, upstream), name=f"connect to {address}")

    async def _connect(self, address: str, tls: ssl.SSLContext | None, upstream: Upstream) -> None:
        make = partial(_UpstreamSocket, self, upstream)
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                if address.startswith(UNIX):
                    host = None if tls is None else "localhost"
                    path = address.removeprefix(UNIX)
                    await self._loop.create_unix_connection(make, path, ssl=tls, server_hostname=host)
                else:
                    host, _, number = address.rpartition(":")
                    await self._loop.create_connection(make, host.strip("[]"), int(number), ssl=tls)
        except (OSError, TimeoutError) as error:
            reason = "it does not answer" if isinstance(error, TimeoutError) else str(error)
            self.now()
            upstream.not_connected(reason)
            self.flush()

    # Calls that wait, and calls from inside.

    def _resolve(self, call: Call) -> None:
        task = self._owner.create_task(self._resolving(call), name=f"resolve {call.head.rpc}")
        call.cancel_resolving = task.cancel

    async def _resolving(self, call: Call) -> None:
        code, text = Code.DEADLINE_EXCEEDED, "the deadline passed while the model was made ready"
        verdict = None
        try:
            async with asyncio.timeout(call.time_left_s()):
                verdict = await self._router.resolve(call)
        except TimeoutError:
            pass
        except AdapterError as error:
            code, text = error.code, str(error)
        except asyncio.CancelledError:
            if this_task_is_cancelled():
                raise
            code, text = Code.UNAVAILABLE, "what the call waited for was given up; try again"
        except Exception:
            log.exception("a call could not be routed", extra={"method": call.head.rpc})
            code, text = Code.INTERNAL, "an unexpected error; the log of this instance tells more"
        self.now()
        if verdict is None:
            call.unresolved(code, text)
        else:
            call.resolved(verdict)
        self.flush()

    async def unary(
        self,
        method: str,
        message: bytes,
        *,
        metadata: Sequence[Pair] = (),
        timeout_s: float | None = None,
        inner: bool = False,
    ) -> Answer:
        """See `calls.UnaryCalls`; an `inner` call is part of another one, and not counted by itself."""
        landing: asyncio.Future[Answer] = self._loop.create_future()

        def land(answer: Answer) -> None:
            if not landing.done():  # the caller may have been cancelled a moment ago
                landing.set_result(answer)

        self.now()
        call = self.relay.local_call(
            method, message, metadata=metadata, timeout_s=timeout_s, answered=land, inner=inner
        )
        self._flush_soon()
        if landing.done():
            return landing.result()
        try:
            async with asyncio.timeout(timeout_s):
                return await landing
        except TimeoutError:
            return Answer(code=Code.DEADLINE_EXCEEDED, text="the deadline has passed")
        finally:
            if not landing.done() or landing.cancelled():
                self._give_up(call)

    def begin(
        self,
        method: str,
        message: bytes,
        *,
        metadata: Sequence[Pair] = (),
        answered: Callable[[Answer], None],
    ) -> Callable[[], object]:
        """See `calls.UnaryCalls`."""
        self.now()
        call = self.relay.local_call(method, message, metadata=metadata, timeout_s=None, answered=answered)
        self._flush_soon()
        return partial(self._give_up, call)

    def _give_up(self, call: Call) -> None:
        self.now()
        call.request_reset()
        self.flush()

    def _flush_soon(self) -> None:
        """Send at the end of the loop's turn, at once, what all calls from inside have caused in it."""
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flush_is_due = False
        self.flush()

    async def keep_time(self) -> None:
        """Tell the relay, again and again, that time passes; ends when cancelled."""
        while True:
            await self._clock.sleep(TICK_S)
            try:
                self.relay.tick(self.now())
            except Exception:
                log.exception("the relay failed in an unforeseen way")
            self.flush()


_DRAIN_LOOK_S = 0.02


class _Socket(asyncio.Protocol):
    """One socket, and the connection that its bytes belong to."""

    connection: Connection
    transport: asyncio.Transport

    def __init__(self, server: RelayServer) -> None:
        self._server = server
        self._shared = server.relay.shared
        self._time = asyncio.get_running_loop().time
        self.write: Callable[[bytes], object]
        self.writelines: Callable[[list[Chunk]], object]
        self.write = self.writelines = self._no_longer
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.write, self.writelines = self.transport.write, self.transport.writelines
        self._server.now()
        self._join()
        self._shared.flush()

    def _join(self) -> None:
        """There is a connection."""
        raise NotImplementedError

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
        self._server.now()
        self.connection.blocked = False
        self.connection.pump()
        self._shared.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.write = self.writelines = self._no_longer
        self._closing = True
        self._server.now()
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


class _ClientSocket(_Socket):
    """A client that does not read what it is answered is not read either, or its answers would pile up."""

    connection: ServerConnection

    def __init__(self, server: RelayServer, *, management: bool) -> None:
        super().__init__(server)
        self._management = management

    def _join(self) -> None:
        relay = self._server.relay
        handshake: Any = self.transport.get_extra_info("ssl_object")
        names = None if handshake is None else peer_names(handshake)
        caller = Caller(names=names, from_management=self._management)
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


class _UpstreamSocket(_Socket):
    connection: ClientConnection

    def __init__(self, server: RelayServer, upstream: Upstream) -> None:
        super().__init__(server)
        self._upstream = upstream

    def _join(self) -> None:
        self.connection = self._upstream.connected(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._upstream.unblocked()
        self._shared.flush()


@asynccontextmanager
async def relaying(
    router: Router, *, clock: Clock, limits: Limits | None = None, grace_s: float = 0.0
) -> AsyncIterator[RelayServer]:
    """A relay while inside. On leaving, clients are asked to go, and what they have begun has `grace_s`."""
    async with asyncio.TaskGroup() as owner:
        server = RelayServer(router, owner, clock, limits)
        ticking = owner.create_task(server.keep_time(), name="keep the relay's time")
        try:
            yield server
            await server.drain(grace_s)
        finally:
            server.close()
            ticking.cancel()
