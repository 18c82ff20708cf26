"""The doors of an instance, opened in their order and closed in the reverse.

What is ours (management, health, reflection, the mesh's own answers of V2) is a grpc.aio server on a unix
socket in a folder that nobody else may enter; the relay forwards to it as to a runtime, and is all that the
network sees.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from adapter.aio.clock import Clock
from adapter.instance.doors import Doors
from adapter.instance.models import Models
from adapter.instance.relay_figures import tell_relay
from adapter.instance.request_path import RequestPath
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.settings import InstanceSettings
from adapter.instance.several import Several
from adapter.servers import health, inference, management, reflection
from adapter.servers.grpc_server import CannotListen, ServerOptions, serving
from adapter.servers.health import Health
from adapter.servers.metrics_server import metrics_serving
from adapter.servers.relay_server import UNIX, RelayServer, relaying
from adapter.servers.rest_gateway import rest_serving
from adapter.servers.tls import HTTP1, HTTP2, Tls, TlsFiles
from adapter.telemetry.metrics import Metrics
from adapter.telemetry.metrics_options import MetricsOptions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """Who answers behind the doors."""

    models: Models
    path: RequestPath
    doors: Doors
    several: Several
    watch: RuntimeWatch
    metrics: Metrics
    clock: Clock
    owner: asyncio.TaskGroup


@asynccontextmanager
async def doors_open(settings: InstanceSettings, behind: Behind) -> AsyncIterator[None]:
    """Serve while inside. On leaving, nothing is begun any more, and what is in flight may end."""
    grace_s = settings.shutdown_timeout_ms / 1e3
    own_health = Health(lambda service: _is_serving(service, behind.watch))
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="remesh-"))
        own = f"{UNIX}{Path(folder) / 'own.sock'}"
        handlers = (
            *management.management_handlers(behind.models),
            *inference.inference_handlers(behind.models, version=version("remesh")),
            *own_health.handlers(),
            *reflection.reflection_handlers(),
        )
        options = ServerOptions(
            message_bytes_max=settings.message_bytes_max, headers_bytes_max=4 * settings.headers_bytes_max
        )
        await stack.enter_async_context(serving(own, handlers, options=options))
        relay = await stack.enter_async_context(
            relaying(behind.path, clock=behind.clock, limits=settings.limits, grace_s=grace_s)
        )
        stack.callback(own_health.stop)
        behind.doors.door = relay.upstream(own, name="this instance")
        behind.several.calls = relay
        tell_relay(behind.metrics, relay.relay.shared.counts)
        runtime_tls = _followed(settings.runtime_tls, HTTP2, behind.owner)
        behind.path.join(relay.upstream(settings.serving_address, tls=runtime_tls, name="the runtime"))
        await _listen(settings, relay, behind.owner)
        await _listen_rest(settings, relay, behind.owner, stack)
        await _serve_metrics(settings, behind.metrics, stack)
        yield


def _followed(tls: Tls | None, alpn: Sequence[str], owner: asyncio.TaskGroup) -> TlsFiles | None:
    """The files, which are read again whenever they change. Raises `BadTls`."""
    if tls is None:
        return None
    files = TlsFiles(tls, alpn=alpn)
    owner.create_task(files.follow(), name=f"follow {files!r}")
    return files


async def _listen(settings: InstanceSettings, relay: RelayServer, owner: asyncio.TaskGroup) -> None:
    files = _followed(settings.tls, HTTP2, owner)
    tls = None if files is None else files.context
    await relay.listen(f"{settings.host}:{settings.grpc_port}", tls=tls)
    if settings.grpc_socket is not None:
        await relay.listen(f"{UNIX}{settings.grpc_socket}", tls=tls)
    if settings.management_port is not None:
        await relay.listen(f"{settings.host}:{settings.management_port}", tls=tls, management=True)
    if settings.management_socket is not None:
        # Who may open the socket's file is who may manage: no certificate is asked for.
        await relay.listen(f"{UNIX}{settings.management_socket}", management=True)


async def _listen_rest(
    settings: InstanceSettings, relay: RelayServer, owner: asyncio.TaskGroup, stack: AsyncExitStack
) -> None:
    if settings.rest_port is None:
        return
    files = _followed(settings.tls, HTTP1, owner)
    tls = None if files is None else files.context

    async def listen(port: int) -> None:
        await stack.enter_async_context(
            rest_serving(relay, host=settings.host, port=port, options=settings.rest_options, tls=tls)
        )

    try:
        await listen(settings.rest_port)
    except CannotListen:
        if "rest_port" in settings.model_fields_set:
            raise
        # Nobody has named the port: another instance of this machine may have it.
        await listen(0)


async def _serve_metrics(settings: InstanceSettings, metrics: Metrics, stack: AsyncExitStack) -> None:
    options = MetricsOptions.parse(settings.metrics)
    if options.complaint:
        log.warning("metrics are not served", extra={"cause": options.complaint})
    if not options.is_served:
        return
    tls = None
    if options.scheme == "https":
        # Only then, since what it needs takes 13 MiB.
        from adapter.servers.self_signed import self_signed

        tls = self_signed("remesh")
    await stack.enter_async_context(
        metrics_serving(
            metrics.render,
            host="127.0.0.1" if options.local_only else settings.host,
            port=options.port,
            tls=tls,
            log_scrapes=settings.log_metrics_requests,
        )
    )


def _is_serving(service: str, watch: RuntimeWatch) -> bool | None:
    known = {"", management.SERVICE, inference.SERVICE, health.SERVICE}
    offered = {method.partition("/")[0] for method in watch.status.methods}
    return watch.is_there if service in known | offered else None
