"""The way to etcd: one endpoint is used at a time, and the next one when it fails.

The channels are gRPC's; which of them is used is decided here, since gRPC takes no list of names, and does
not leave an endpoint that is frozen. A user's token is fetched when it is first needed, and again whenever
etcd says that it has expired.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeVar

import grpc

from adapter.aio.clock import Clock
from adapter.domain.errors import RegistryUnavailable
from adapter.registry.etcd_errors import MOVES_ON, Fault, fault_of, our_error
from adapter.registry.etcd_options import EtcdOptions, EtcdTls
from adapter.stubs.etcd import rpc_pb2 as rpc
from adapter.stubs.etcd.rpc_pb2_grpc import AuthStub, KVStub, LeaseStub, WatchStub

log = logging.getLogger(__name__)

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

CALL_S_MAX: Final = 5.0
"""One call, with all its tries."""
TRY_S_MAX: Final = 2.5
"""One try, where there is another endpoint to turn to."""
ELECTION_S: Final = 0.2
"""Between two tries while etcd elects a leader."""
TOKENS_MAX: Final = 2
"""So many times a call renews its token before it gives up."""
MESSAGE_BYTES_MAX: Final = 256 * 1024 * 1024

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # An endpoint that is back is found within a second; gRPC's own back-off grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.min_reconnect_backoff_ms", 2_000),  # by its name; it is what one attempt to connect may take
    # A watch on an endpoint that is frozen, or cut off, ends after 15 s. etcd allows a ping every 5 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.client_idle_timeout_ms", 2**31 - 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.use_local_subchannel_pool", 1),
)

Metadata = tuple[tuple[str, str], ...]

_WITH_A_LEADER: Final[Metadata] = (("hasleader", "true"),)
"""A member that is cut off from the others says so, and does not answer with what was."""


class Line:
    """The connection to one endpoint, made when it is first used."""

    def __init__(self, endpoint: str, tls: EtcdTls | None) -> None:
        self.endpoint = endpoint
        self.channel = _open(endpoint, tls)
        self.kv = KVStub(self.channel)
        self.watch = WatchStub(self.channel)
        self.lease = LeaseStub(self.channel)
        self.auth = AuthStub(self.channel)


def _open(endpoint: str, tls: EtcdTls | None) -> grpc.aio.Channel:
    if tls is None:
        return grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
    options: list[tuple[str, str | int]] = [*_OPTIONS]
    if tls.override_authority:
        options.append(("grpc.ssl_target_name_override", tls.override_authority))
        options.append(("grpc.default_authority", tls.override_authority))
    credentials = grpc.ssl_channel_credentials(
        root_certificates=tls.authority,
        private_key=tls.client_key,
        certificate_chain=tls.client_certificate,
    )
    return grpc.aio.secure_channel(endpoint, credentials, options=options)


Rpc = Callable[[Line], "grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT]"]


class Endpoints:
    """Makes calls, to whichever endpoint answers."""

    def __init__(self, options: EtcdOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._lines = [Line(endpoint, options.tls) for endpoint in options.endpoints]
        self._at = 0
        self._metadata: Metadata | None = None if options.userid else _WITH_A_LEADER
        self._renewing = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Endpoints {self.names}>"

    @property
    def names(self) -> str:
        """All of them, for messages."""
        return ", ".join(self._options.endpoints)

    @property
    def _try_s(self) -> float:
        return CALL_S_MAX if len(self._lines) == 1 else TRY_S_MAX

    async def close(self) -> None:
        for line in self._lines:
            await line.channel.close()

    async def unary(
        self, call: "Rpc[RequestT, ResponseT]", request: RequestT, *, deed: str, writes: bool = False
    ) -> ResponseT:
        """One call, within `CALL_S_MAX`; tried on other endpoints, unless it may have been done.

        Raises `RegistryUnavailable`, `LeaseLost`, `InvalidRequest`, `RevisionGone`.
        """
        ends_s = self._clock.now_s() + CALL_S_MAX
        tries_left, tokens_left = len(self._lines) + 1, TOKENS_MAX
        while True:
            line, metadata = await self.line()
            timeout_s = min(self._try_s, max(ends_s - self._clock.now_s(), 0.1))
            try:
                return await call(line)(request, timeout=timeout_s, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                fault = fault_of(error)
                ours = self.blame(error, line, metadata, deed=deed, writes=writes)
                tries_left -= fault is not Fault.ELECTING
                tokens_left -= fault is Fault.TOKEN
                if self._clock.now_s() >= ends_s or not (tries_left and tokens_left):
                    raise ours from error
                if not self._may_repeat(fault, writes=writes):
                    raise ours from error
            if fault is Fault.ELECTING:
                await self._clock.sleep(ELECTION_S)

    def _may_repeat(self, fault: Fault, *, writes: bool) -> bool:
        match fault:
            case Fault.TOKEN:
                return bool(self._options.userid)
            case Fault.ELECTING:
                return True
            case Fault.UNSENT:
                return len(self._lines) > 1
            case Fault.LOST:
                return not writes
            case _:
                return False

    async def line(self) -> tuple[Line, Metadata]:
        """The connection to use now, and what to send along. Raises `RegistryUnavailable`."""
        if self._metadata is None:
            await self._renew()
        assert self._metadata is not None
        return self._lines[self._at], self._metadata

    def blame(
        self, error: grpc.aio.AioRpcError, line: Line, metadata: Metadata, *, deed: str, writes: bool = False
    ) -> Exception:
        """The error in our words. The next call does better if it can: elsewhere, or with a new token."""
        fault = fault_of(error)
        if fault in MOVES_ON:
            self.leave(line)
        elif fault is Fault.TOKEN:
            self.forget(metadata)
        return our_error(error, deed=deed, endpoint=line.endpoint, writes=writes)

    def forget(self, metadata: Metadata) -> None:
        """This token is no good any more."""
        if self._options.userid and self._metadata is metadata:
            self._metadata = None

    def leave(self, line: Line) -> None:
        """Turn to the next endpoint, unless somebody has done so already."""
        if len(self._lines) > 1 and self._lines[self._at] is line:
            self._at = (self._at + 1) % len(self._lines)
            log.warning(
                "another endpoint of etcd is used now",
                extra={"left": line.endpoint, "used": self._lines[self._at].endpoint},
            )

    async def _renew(self) -> None:
        """Fetch a token, once for all who wait for one. Raises `RegistryUnavailable`."""
        async with self._renewing:
            for _ in self._lines:
                if self._metadata is not None:
                    return
                line = self._lines[self._at]
                try:
                    self._metadata = await self._authenticated(line)
                except grpc.aio.AioRpcError as error:
                    ours = self.blame(error, line, (), deed=f"logging in as {self._options.userid}")
                    if fault_of(error) not in MOVES_ON or line is self._lines[self._at]:
                        raise _unavailable(ours) from error
            if self._metadata is None:
                raise RegistryUnavailable(f"no endpoint of the registry can be reached: {self.names}")

    async def _authenticated(self, line: Line) -> Metadata:
        who = rpc.AuthenticateRequest(name=self._options.userid, password=self._options.password)
        try:
            token = (await line.auth.Authenticate(who, timeout=self._try_s)).token
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            # It asks nobody who they are, as yet; should it begin to, we shall be told.
            log.info("etcd wants no password", extra={"endpoint": line.endpoint})
            return _WITH_A_LEADER
        return (*_WITH_A_LEADER, ("token", token))


def _unavailable(error: Exception) -> RegistryUnavailable:
    """A wrong password is not the fault of whoever happened to make the first call."""
    return error if isinstance(error, RegistryUnavailable) else RegistryUnavailable(str(error))
