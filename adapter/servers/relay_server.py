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
from typing import Final

from adapter.aio.clock import Clock
from adapter.domain.errors import AdapterError, Code
from adapter.http2.call import Call
from adapter.http2.flow import PEER_PATIENCE, Limits
from adapter.http2.relay import TICK_S, Relay
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer, Refusal, Router, refusal_of
from adapter.servers.grpc_server import this_task_is_cancelled
from adapter.servers.listening import UNIX, Listening, Where, listening
from adapter.servers.relay_sockets import ClientSocket, UpstreamSocket
from adapter.servers.tls import TlsFiles
from adapter.wire.headers import Pair

__all__ = ["UNIX", "RelayServer", "relaying"]

log = logging.getLogger(__name__)

CONNECT_S_MAX: Final = 2.0
"""How long one try to connect to an upstream may take."""


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
        self._doors: list[Listening] = []
        self._peers_doors: list[Listening] = []
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
        self,
        where: Where,
        *,
        tls: ssl.SSLContext | None = None,
        management: bool = False,
        peers: bool = False,
    ) -> int:
        """Take clients on `host:port`, `unix:path` or a socket that was handed over; gives the port.

        `management` makes it the door that management methods are asked by, `peers` the one of the other
        instances. Raises `CannotListen`.
        """
        make = partial(ClientSocket, self.relay, management=management, peers=peers)
        door = await listening(make, where, tls=tls)
        (self._peers_doors if peers else self._doors).append(door)
        return door.port

    def stop_taking(self) -> None:
        """Take no more clients; those who are here stay, and other instances are taken as before."""
        for door in self._doors:
            door.stop()

    async def drain(self, grace_s: float) -> None:
        """Take nobody any more, ask those who are here to go, and wait for what they have begun."""
        for door in [*self._doors, *self._peers_doors]:
            door.stop()
        by_s = self.now() + grace_s
        self.relay.drain(by_s)
        self.flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self.relay.clients:
                    await self._clock.sleep(_DRAIN_LOOK_S)

    def close(self) -> None:
        """End everything at once."""
        for door in [*self._doors, *self._peers_doors]:
            door.forget()
        self.relay.close()
        self.flush()

    # Upstreams.

    def upstream(self, address: str, *, tls: TlsFiles | None = None, name: str = "") -> Upstream:
        """A place where calls can go, at `host:port` or `unix:path`; connections are opened when needed.

        Each is made with the files of `tls` as they are then. Behind a unix socket the certificate is to be
        for `localhost`.
        """
        connect = partial(self._begin_connecting, address, tls)
        return self.relay.upstream(name or address, connect)

    def peer(self, address: str, *, tls: TlsFiles | None = None, name: str = "") -> Upstream:
        """Another instance, at `host:port`; one that does not answer is left soon (`PEER_PATIENCE`)."""
        connect = partial(self._begin_connecting, address, tls)
        return self.relay.upstream(name or address, connect, peer=PEER_PATIENCE)

    def drop(self, upstream: Upstream) -> None:
        """No call goes there any more; what it has begun to answer may end."""
        self.now()
        self.relay.drop_upstream(upstream)
        self.flush()

    def _begin_connecting(self, address: str, tls: TlsFiles | None, upstream: Upstream) -> None:
        context = None if tls is None else tls.newest
        self._owner.create_task(self._connect(address, context, upstream), name=f"connect to {address}")

    async def _connect(self, address: str, tls: ssl.SSLContext | None, upstream: Upstream) -> None:
        make = partial(UpstreamSocket, self.relay, upstream)
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
        refusal = Refusal(Code.DEADLINE_EXCEEDED, "the deadline passed while the model was made ready")
        verdict = None
        try:
            async with asyncio.timeout(call.time_left_s()):
                verdict = await self._router.resolve(call)
        except TimeoutError:
            pass
        except AdapterError as error:
            refusal = refusal_of(error)
        except asyncio.CancelledError:
            if this_task_is_cancelled():
                raise
            refusal = Refusal(Code.UNAVAILABLE, "what the call waited for was given up; try again")
        except Exception:
            log.exception("a call could not be routed", extra={"method": call.head.rpc})
            refusal = Refusal(Code.INTERNAL, "an unexpected error; the log of this instance tells more")
        self.now()
        if verdict is None:
            call.unresolved(refusal.code, refusal.text, refusal.word)
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
        begin = partial(
            self.relay.local_call, method, message, metadata=metadata, timeout_s=timeout_s, inner=inner
        )
        return await self._answer(begin, timeout_s)

    async def ask(
        self, upstream: Upstream, method: str, message: bytes, *, timeout_s: float | None
    ) -> Answer:
        """Call this upstream itself, once: what another instance is asked, which is no inference.

        Never raises for what became of the call; cancelling the caller cancels the call.
        """
        begin = partial(self.relay.ask, upstream, method, message, timeout_s=timeout_s)
        return await self._answer(begin, timeout_s)

    async def _answer(self, begin: Callable[..., Call], timeout_s: float | None) -> Answer:
        landing: asyncio.Future[Answer] = self._loop.create_future()

        def land(answer: Answer) -> None:
            if not landing.done():  # the caller may have been cancelled a moment ago
                landing.set_result(answer)

        self.now()
        call = begin(answered=land)
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
