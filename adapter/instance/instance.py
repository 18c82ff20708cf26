"""What starts in which order, and stops in the reverse (reference: ModelMesh core 7.1).

Probes answer first. Files are swept, the runtime is waited for until it is READY and so empty, the cache is
made as big as the runtime says. Then the instance takes its place in the mesh: peers may come in, its id is
claimed, the tables of the mesh are read; and only then are the ports for clients opened. SIGTERM and
/prestop have what is needed loaded elsewhere first; then the ports are closed, calls in flight may end, and
the lease is given back.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from socket import socket

from adapter.aio.clock import LoopClock
from adapter.aio.giving_up import given_up_when
from adapter.aio.groups import cancelled_at_the_end
from adapter.domain.errors import AdapterError, InvalidRequest, RegistryUnavailable
from adapter.domain.ids import InstanceId
from adapter.http2 import call
from adapter.instance.assembly import Files, Runtime, the_files, the_runtime
from adapter.instance.constraints_file import ConstraintsFile
from adapter.instance.dataplane_file import DataplaneFile
from adapter.instance.front import Front, front
from adapter.instance.housekeeping import keep_house
from adapter.instance.joining import join
from adapter.instance.mesh_figures import tell_mesh, tell_registry
from adapter.instance.mesh_state import INSTANCES
from adapter.instance.parts import Edges, Parts
from adapter.instance.readiness import Readiness
from adapter.instance.registry_door import the_registry
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.settings import InstanceSettings
from adapter.instance.spi import SpiService
from adapter.instance.static_models import read_static_models, register_static_models
from adapter.peers.channels import PeerChannels
from adapter.registry.encoding import decode_instance, encode_instance
from adapter.registry.presence import KeyTaken
from adapter.registry.registry import Entry
from adapter.servers.grpc_server import serving
from adapter.servers.inherited import handed_over, opened
from adapter.servers.model_runtime import model_runtime_handlers
from adapter.servers.payload_processors import PayloadProcessors
from adapter.telemetry.metrics import Metrics
from adapter.telemetry.metrics_options import BadMetricsOptions, InfoMetric, MetricsOptions
from adapter.wire.dataplane import DEFAULT_DATAPLANE, DataplaneConfig

log = logging.getLogger(__name__)

TABLES_S_MAX = 120.0
"""How long the tables of the mesh may take to be read at start (reference: ModelMesh core 3.11)."""
HELLO_S_MAX = 5.0
"""How long another instance of the same id may take to say that it lives (reference: ModelMesh core 3.11)."""


async def run_instance(settings: InstanceSettings, *, variables: Mapping[str, str]) -> None:
    """Serve until SIGTERM or SIGINT. Raises an `AdapterError` when it cannot start.

    `variables` are the environment's: `MM_INFO_METRICS` names some of them.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    info = _info_metric(settings, variables)
    async with AsyncExitStack() as stack:
        # Its runtime may be long in coming; who is asked to end meanwhile does not wait for that.
        async with given_up_when(stop):
            readiness = None
            if not settings.spi_only:
                readiness = Readiness(stop)
                await readiness.open(settings, stack)
            runtime = await stack.enter_async_context(the_runtime(settings))
            files = await stack.enter_async_context(the_files(settings))
            if readiness is None:
                await stack.enter_async_context(_serving_spi(settings, runtime, files))
            else:
                handed = opened(handed_over(variables, pid=os.getpid()))
                serving = _serving_mesh(settings, runtime, files, info, readiness, handed)
                await stack.enter_async_context(serving)
        await stop.wait()
        log.info("stopping")


@asynccontextmanager
async def _serving_spi(settings: InstanceSettings, runtime: Runtime, files: Files) -> AsyncIterator[None]:
    """Only `mmesh.ModelRuntime`, on localhost as a foreign mesh expects it."""
    service = SpiService(
        driver=runtime.driver,
        provisioner=files.provisioner,
        purge=files.purge,
        size_multiplier=settings.size_multiplier,
        default_model_bytes=settings.default_model_bytes,
        predict=runtime.predict,
    )
    address = f"127.0.0.1:{settings.spi_port}"
    async with serving(address, model_runtime_handlers(service), grace_s=settings.shutdown_timeout_ms / 1e3):
        yield


@asynccontextmanager
async def _serving_mesh(
    settings: InstanceSettings,
    runtime: Runtime,
    files: Files,
    info: InfoMetric | None,
    readiness: Readiness,
    handed: Mapping[str, socket],
) -> AsyncIterator[None]:
    """Inference and management at the doors, with the cache and the registry behind them."""
    file = None if settings.dataplane_config_path is None else DataplaneFile(settings.dataplane_config_path)
    dataplane = await _dataplane(settings, file)
    await files.purge()
    async with AsyncExitStack() as stack:
        edges = await _edges(settings, runtime, files, info, dataplane, stack)
        owner = await stack.enter_async_context(cancelled_at_the_end())
        parts = join(settings, edges, owner)
        tell_mesh(parts)
        readiness.watch(parts)
        if file is not None:
            owner.create_task(file.follow(parts.path.use), name="follow the data plane's file")
        owner.create_task(edges.payloads.run(), name="payload processors")
        async with front(settings, parts, handed) as doors:
            await _take_place(settings, parts, doors)
            await doors.open_to_clients()
            _tell_ready(settings, parts, {**doors.endpoints, **readiness.endpoints})
            readiness.serve(parts)
            yield
            readiness.leaving()
            doors.leave()
            await parts.drain.leave()
        await parts.presence.close()


async def _edges(
    settings: InstanceSettings,
    runtime: Runtime,
    files: Files,
    info: InfoMetric | None,
    dataplane: DataplaneConfig,
    stack: AsyncExitStack,
) -> Edges:
    """The registry connected, and the runtime ready."""
    clock = LoopClock()
    payloads = PayloadProcessors.parse(
        settings.payload_processors.get_secret_value(),
        clock=clock,
        capacity=settings.payload_processors_capacity,
    )
    metrics = _metrics(settings, dataplane, payloads, info)
    watch = RuntimeWatch(driver=runtime.driver, channel=runtime.channel, clock=clock)
    registry = await stack.enter_async_context(the_registry(settings, clock))
    tell_registry(metrics, registry)
    status = await watch.wait_ready(timeout_s=settings.runtime_start_s_max)
    log.info("runtime is ready", extra={"capacity_bytes": status.capacity_bytes, "version": status.version})
    return Edges(
        runtime=runtime,
        files=files,
        registry=registry,
        channels=PeerChannels(),
        watch=watch,
        clock=clock,
        payloads=payloads,
        metrics=metrics,
        dataplane=dataplane,
    )


def _tell_ready(settings: InstanceSettings, parts: Parts, endpoints: Mapping[str, str]) -> None:
    parts.announcer.announce(endpoints=endpoints)
    log.info(
        "instance is ready",
        extra={
            "instance": settings.instance_id,
            "location": settings.location,
            "endpoints": dict(endpoints),
            "compiled": not call.__file__.endswith(".py"),
        },
    )


async def _take_place(settings: InstanceSettings, parts: Parts, doors: Front) -> None:
    """Become one of the mesh. Raises `RegistryUnavailable`, or `InvalidRequest` for an id that is taken."""
    await parts.config.check_enabled()
    if settings.has_peers:
        await doors.open_to_peers()
    parts.owner.create_task(parts.presence.run(), name="keep the lease")
    parts.state.follow_in(parts.owner)
    for records in (parts.records, parts.vmodel_records):
        parts.owner.create_task(records.follow(), name=f"follow {records!r}")
    record = parts.announcer.placed_at(doors.endpoints.get("peer", ""))
    key = parts.state.key(INSTANCES, parts.state.here)
    try:
        await parts.presence.claim(
            key, encode_instance(record), outdated=lambda entry: _is_dead(parts, entry)
        )
        async with asyncio.timeout(TABLES_S_MAX):
            await parts.state.seen()
    except KeyTaken as error:
        raise InvalidRequest(
            f"another instance of this mesh has the id {settings.instance_id} and is alive ({error}); "
            "give this one another name (WKUBE_POD_NAME)"
        ) from error
    except TimeoutError as error:
        raise RegistryUnavailable(
            f"the tables of the mesh could not be read within {TABLES_S_MAX:g} s; see KV_STORE"
        ) from error
    parts.announcer.stand()
    keep_house(settings, parts)
    if settings.type_constraints_path is not None:
        file = ConstraintsFile(settings.type_constraints_path)
        parts.ways.constraints = await file.read()
        parts.owner.create_task(file.follow(parts.ways.use), name="follow the type constraints' file")
    else:
        parts.ways.constraints = settings.told_constraints()
    models = read_static_models(settings.static_models, settings.static_models_path)
    if not settings.kv_read_only:
        await register_static_models(models, parts.models, parts.vmodels, now_ms=parts.clock.epoch_ms())


async def _is_dead(parts: Parts, entry: Entry) -> bool:
    """Whether who wrote this record under our id is gone: nobody answers there, or somebody else."""
    record = decode_instance(entry.key, entry.value)
    if record is None or not record.address:
        return True
    here = InstanceId(parts.state.here)
    try:
        instance, boot = await parts.links.channels.hello(record.address, timeout_s=HELLO_S_MAX)
    except AdapterError:
        return True
    return (instance, boot) != (here, record.boot)


def _info_metric(settings: InstanceSettings, variables: Mapping[str, str]) -> InfoMetric | None:
    """What `MM_INFO_METRICS` asks for. Raises `InvalidRequest` naming it."""
    try:
        return InfoMetric.parse(settings.info_metrics, variables)
    except BadMetricsOptions as error:
        raise InvalidRequest(str(error)) from error


def _metrics(
    settings: InstanceSettings,
    dataplane: DataplaneConfig,
    payloads: PayloadProcessors,
    info: InfoMetric | None,
) -> Metrics:
    told = MetricsOptions.parse(settings.metrics)
    known = frozenset({*DEFAULT_DATAPLANE.methods, *dataplane.methods})
    try:
        metrics = Metrics(per_model=told.per_model, fq_names=told.fq_names, known_methods=known, info=info)
    except BadMetricsOptions as error:
        raise InvalidRequest(str(error)) from error
    metrics.expose("remesh_payloads_total", lambda: list(payloads.figures()))
    return metrics


async def _dataplane(settings: InstanceSettings, file: DataplaneFile | None) -> DataplaneConfig:
    """The data plane's configuration. Raises `InvalidRequest` naming the variable."""
    if file is not None:
        return await file.read()
    if settings.dataplane_config is None:
        return DEFAULT_DATAPLANE
    return DataplaneConfig.parse(settings.dataplane_config)
