"""The doors of an instance, opened in their order and closed in the reverse.

What is ours (management, health, reflection, the mesh's own answers of V2) is a grpc.aio server on a unix
socket in a folder that nobody else may enter; the relay forwards to it as to a runtime, and is all that the
network sees. The other instances come in first, clients when the instance can serve them.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory

from adapter.instance.parts import Parts
from adapter.instance.relay_figures import tell_relay
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.settings import InstanceSettings
from adapter.instance.state_lines import state_lines
from adapter.servers import health, inference, management, peer, reflection
from adapter.servers.grpc_server import CannotListen, ServerOptions, serving
from adapter.servers.health import Health
from adapter.servers.inherited import GRPC, REST
from adapter.servers.listening import UNIX
from adapter.servers.metrics_server import metrics_serving
from adapter.servers.relay_server import RelayServer, relaying
from adapter.servers.rest_gateway import rest_serving, rest_serving_on
from adapter.servers.tls import HTTP1, HTTP2, Tls, TlsFiles
from adapter.storage.threads import in_thread
from adapter.telemetry.metrics_options import MetricsOptions

log = logging.getLogger(__name__)


class Front:
    """The doors of one instance."""

    def __init__(
        self,
        settings: InstanceSettings,
        parts: Parts,
        relay: RelayServer,
        stack: AsyncExitStack,
        handed: Mapping[str, socket],
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._relay = relay
        self._stack = stack
        self._handed = dict(handed)
        self._shared = GRPC in handed
        self.endpoints: dict[str, str] = {}
        """What it listens on, by what it is for."""

    async def open_to_peers(self) -> None:
        """Let the other instances in, and be able to reach them."""
        settings, peers = self._settings, self._settings.peers_tls
        if peers is not None:
            await in_thread(peers.check)
        files = _followed(None if peers is None else peers.server, HTTP2, self._parts)
        tls = None if files is None else files.context

        async def listen(port: int) -> int:
            return await self._relay.listen(f"{settings.host}:{port}", tls=tls, peers=True)

        port = await self._this_or_any(listen, settings.peer_port, named=False)
        self.endpoints["peer"] = f"{settings.advertised_host}:{port}"

    async def open_to_clients(self) -> None:
        """Let clients in."""
        settings, relay = self._settings, self._relay
        files = _followed(settings.tls, HTTP2, self._parts)
        tls = None if files is None else files.context
        handed = self._handed.pop(GRPC) if GRPC in self._handed else None
        port = await relay.listen(handed or f"{settings.host}:{settings.grpc_port}", tls=tls)
        self.endpoints["grpc"] = f"{settings.advertised_host}:{port}"
        if settings.grpc_socket is not None:
            await relay.listen(f"{UNIX}{settings.grpc_socket}", tls=tls)
        if settings.management_port is not None:
            await relay.listen(f"{settings.host}:{settings.management_port}", tls=tls, management=True)
        if settings.management_socket is not None:
            # Who may open the socket's file is who may manage: no certificate is asked for.
            await relay.listen(f"{UNIX}{settings.management_socket}", management=True)
        await self._open_rest()
        await self._serve_metrics()

    def leave(self) -> None:
        """Take no more clients where another instance listens on the same socket, which takes them then."""
        if self._shared:
            self._relay.stop_taking()

    async def _open_rest(self) -> None:
        settings = self._settings
        handed = self._handed.pop(REST) if REST in self._handed else None
        if settings.rest_port is None and handed is None:
            return
        files = _followed(settings.tls, HTTP1, self._parts)
        tls = None if files is None else files.context

        async def listen(port: int) -> int:
            serving = rest_serving(
                self._relay, host=settings.host, port=port, options=settings.rest_options, tls=tls
            )
            return await self._stack.enter_async_context(serving)

        if handed is not None:
            serving = rest_serving_on(handed, self._relay, options=settings.rest_options, tls=tls)
            port = await self._stack.enter_async_context(serving)
        else:
            assert settings.rest_port is not None
            named = "rest_port" in settings.model_fields_set
            port = await self._this_or_any(listen, settings.rest_port, named=named)
        self.endpoints["rest"] = f"{settings.advertised_host}:{port}"

    async def _serve_metrics(self) -> None:
        settings, options = self._settings, MetricsOptions.parse(self._settings.metrics)
        if options.complaint:
            log.warning("metrics are not served", extra={"cause": options.complaint})
        if not options.is_served:
            return
        tls = None
        if options.scheme == "https":
            # Only then, since what it needs takes 13 MiB.
            from adapter.servers.self_signed import self_signed

            tls = self_signed("remesh")
        serving = metrics_serving(
            self._parts.metrics.render,
            host="127.0.0.1" if options.local_only else settings.host,
            port=options.port,
            replaceable=True,
            tls=tls,
            log_scrapes=settings.log_metrics_requests,
        )
        port = await self._stack.enter_async_context(serving)
        if port is not None:
            host = "127.0.0.1" if options.local_only else settings.advertised_host
            self.endpoints["metrics"] = f"{options.scheme}://{host}:{port}/metrics"

    async def _this_or_any(self, listen: Callable[[int], Awaitable[int]], port: int, *, named: bool) -> int:
        """Listen on this port; on any other if it is taken and nobody named it."""
        try:
            return await listen(port)
        except CannotListen:
            if named:
                raise
            # Another instance of this machine may have it.
            return await listen(0)


@asynccontextmanager
async def front(
    settings: InstanceSettings, parts: Parts, handed: Mapping[str, socket]
) -> AsyncIterator[Front]:
    """The doors, to be opened one after the other.

    On leaving, nothing is begun any more, and what is in flight may end.
    """
    grace_s = settings.shutdown_timeout_ms / 1e3
    own_health = Health(lambda service: _is_serving(service, parts.watch))
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="remesh-"))
        own = f"{UNIX}{Path(folder) / 'own.sock'}"
        handlers = (
            *management.management_handlers(parts.models, parts.vmodels, state=lambda: _state(parts)),
            *inference.inference_handlers(parts.models, version=version("remesh")),
            *peer.peer_handlers(parts.peers),
            *peer.mesh_handlers(parts.explainer),
            *own_health.handlers(),
            *reflection.reflection_handlers(),
        )
        options = ServerOptions(
            message_bytes_max=settings.message_bytes_max, headers_bytes_max=4 * settings.headers_bytes_max
        )
        await stack.enter_async_context(serving(own, handlers, options=options))
        relay = await stack.enter_async_context(
            relaying(parts.path, clock=parts.clock, limits=settings.limits, grace_s=grace_s)
        )
        stack.callback(own_health.stop)
        parts.doors.door = relay.upstream(own, name="this instance")
        parts.several.calls = relay
        parts.path.shadows.calls = relay
        tell_relay(parts.metrics, relay.relay.shared.counts)
        runtime_tls = _followed(settings.runtime_tls, HTTP2, parts)
        runtime = relay.upstream(settings.serving_address, tls=runtime_tls, name="the runtime")
        parts.path.join(runtime)
        peers = settings.peers_tls
        peer_tls = _followed(None if peers is None else peers.client, HTTP2, parts)
        parts.links.channels.join(relay, tls=peer_tls)
        parts.links.join(relay, own=runtime, tls=peer_tls)
        yield Front(settings, parts, relay, stack, handed)


def _state(parts: Parts) -> tuple[str, ...]:
    return tuple(state_lines(parts.cache, parts.state, now_s=parts.clock.now_s()))


def _followed(tls: Tls | None, alpn: Sequence[str], parts: Parts) -> TlsFiles | None:
    """The files, which are read again whenever they change. Raises `BadTls`."""
    if tls is None:
        return None
    files = TlsFiles(tls, alpn=alpn)
    parts.owner.create_task(files.follow(), name=f"follow {files!r}")
    return files


def _is_serving(service: str, watch: RuntimeWatch) -> bool | None:
    known = {"", management.SERVICE, inference.SERVICE, health.SERVICE, peer.MESH_SERVICE}
    offered = {method.partition("/")[0] for method in watch.status.methods}
    return watch.is_there if service in known | offered else None
