"""What starts in which order, and stops in the reverse (reference: ModelMesh core 7.1).

Files are swept, the runtime is waited for until it is READY and so empty, the cache is made as big as the
runtime says, and only then is the port opened. SIGTERM closes the port, lets calls in flight end, and gives
up what is being loaded.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from adapter.aio.clock import Clock, LoopClock
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import InvalidRequest
from adapter.domain.ids import InstanceId
from adapter.http2 import call
from adapter.instance.assembly import Files, Runtime, the_files, the_runtime
from adapter.instance.cache_figures import tell_cache
from adapter.instance.dataplane_file import DataplaneFile
from adapter.instance.doors import Doors
from adapter.instance.front import Behind, doors_open
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.observers import Observers
from adapter.instance.request_path import RequestPath
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.settings import InstanceSettings
from adapter.instance.several import Several
from adapter.instance.spi import SpiService
from adapter.registry.embedded import EmbeddedRegistry
from adapter.registry.model_records import ModelRecords
from adapter.servers.grpc_server import serving
from adapter.servers.model_runtime import model_runtime_handlers
from adapter.servers.payload_processors import PayloadProcessors
from adapter.telemetry.metrics import Metrics
from adapter.telemetry.metrics_options import BadMetricsOptions, InfoMetric, MetricsOptions
from adapter.telemetry.request_log import RequestLogHeaders
from adapter.wire.dataplane import DEFAULT_DATAPLANE, DataplaneConfig

log = logging.getLogger(__name__)


class _Stopped(Exception):
    """Ends a task group: what still runs in it is cancelled."""


async def run_instance(settings: InstanceSettings, *, variables: Mapping[str, str]) -> None:
    """Serve until SIGTERM or SIGINT. Raises an `AdapterError` when it cannot start.

    `variables` are the environment's: `MM_INFO_METRICS` names some of them.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    info = _info_metric(settings, variables)
    async with (
        the_runtime(settings) as runtime,
        the_files(settings) as files,
        _serving(settings, runtime, files, info),
    ):
        await stop.wait()
        log.info("stopping")


def _serving(
    settings: InstanceSettings, runtime: Runtime, files: Files, info: InfoMetric | None
) -> AbstractAsyncContextManager[None]:
    if settings.spi_only:
        return _serve_spi(settings, runtime, files)
    return _serve_mesh(settings, runtime, files, info)


@asynccontextmanager
async def _serve_spi(settings: InstanceSettings, runtime: Runtime, files: Files) -> AsyncIterator[None]:
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
async def _serve_mesh(
    settings: InstanceSettings, runtime: Runtime, files: Files, info: InfoMetric | None
) -> AsyncIterator[None]:
    """Inference and management at the doors, with the cache and the registry behind them."""
    clock = LoopClock()
    file = None if settings.dataplane_config_path is None else DataplaneFile(settings.dataplane_config_path)
    dataplane = await _dataplane(settings, file)
    payloads = PayloadProcessors.parse(
        settings.payload_processors.get_secret_value(),
        clock=clock,
        capacity=settings.payload_processors_capacity,
    )
    metrics = _metrics(settings, dataplane, payloads, info)
    await files.purge()
    async with EmbeddedRegistry.open(settings.registry_path) as registry:
        edges = _Edges(
            runtime=runtime,
            files=files,
            records=ModelRecords(registry, f"{settings.kv_prefix}/{settings.service_name}/"),
            watch=RuntimeWatch(driver=runtime.driver, channel=runtime.channel, clock=clock),
            clock=clock,
            payloads=payloads,
            metrics=metrics,
        )
        status = await edges.watch.wait_ready(timeout_s=settings.runtime_start_s_max)
        log.info(
            "runtime is ready", extra={"capacity_bytes": status.capacity_bytes, "version": status.version}
        )
        async with _cancelled_at_the_end() as owner:
            behind = _joined(settings, edges, dataplane, owner)
            if file is not None:
                owner.create_task(file.follow(behind.path.use), name="follow the data plane's file")
            owner.create_task(payloads.run(), name="payload processors")
            async with doors_open(settings, behind):
                log.info(
                    "instance is ready",
                    extra={
                        "instance": settings.instance_id,
                        "location": settings.location,
                        "compiled": not call.__file__.endswith(".py"),
                    },
                )
                yield


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edges:
    """What an instance of a mesh is joined from."""

    runtime: Runtime
    files: Files
    records: ModelRecords
    watch: RuntimeWatch
    clock: Clock
    payloads: PayloadProcessors
    metrics: Metrics


def _cache_and_hands(
    settings: InstanceSettings, edges: _Edges, owner: asyncio.TaskGroup
) -> tuple[ModelCache, Loader]:
    status = edges.watch.status
    cache = ModelCache(
        capacity_bytes=status.capacity_bytes,
        loading_slots=status.loading_concurrency,
        default_size_bytes=status.default_model_bytes,
        policy=settings.eviction,
        failure_expiry_s=settings.load_failure_expiry_ms / 1e3,
    )
    tell_cache(edges.metrics, cache, edges.clock)
    loader = Loader(
        cache=cache,
        provisioner=edges.files.provisioner,
        driver=edges.runtime.driver,
        clock=edges.clock,
        owner=owner,
        load_timeout_s=status.loading_timeout_s,
        metrics=edges.metrics,
    )
    owner.create_task(loader.keep_time(), name="keep time")
    keeping = edges.watch.keep(on_reset=loader.runtime_reset, start_s_max=settings.runtime_start_s_max)
    owner.create_task(keeping, name="watch the runtime")
    return cache, loader


def _joined(
    settings: InstanceSettings, edges: _Edges, dataplane: DataplaneConfig, owner: asyncio.TaskGroup
) -> Behind:
    """The cache, its hands, and those who ask it; what runs in the background is the owner's."""
    clock, watch, metrics = edges.clock, edges.watch, edges.metrics
    cache, loader = _cache_and_hands(settings, edges, owner)
    models = Models(
        instance=InstanceId(settings.instance_id),
        records=edges.records,
        cache=cache,
        loader=loader,
        clock=clock,
        watch=watch,
    )
    several = Several(models, at_once_max=settings.multi_parallelism)
    doors = Doors(own_port_only=settings.management_apart, client_names=settings.management_names)
    path = RequestPath(
        models=models,
        cache=cache,
        loader=loader,
        clock=clock,
        dataplane=dataplane,
        watch=watch,
        runtime_name=edges.runtime.name_of,
        doors=doors,
        observers=_observers(settings, metrics, edges.payloads),
        several=several,
    )
    return Behind(
        models=models,
        path=path,
        doors=doors,
        several=several,
        watch=watch,
        metrics=metrics,
        clock=clock,
        owner=owner,
    )


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


def _observers(settings: InstanceSettings, metrics: Metrics, payloads: PayloadProcessors) -> Observers:
    return Observers(
        metrics=metrics.requests,
        payloads=payloads,
        log_headers=RequestLogHeaders.parse(settings.log_request_headers),
        log_each=settings.log_each_invoke,
    )


@asynccontextmanager
async def _cancelled_at_the_end() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose tasks are cancelled, rather than waited for, when the block is left."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
            raise _Stopped  # noqa: TRY301 - the group is to see it
    except* _Stopped:
        pass


async def _dataplane(settings: InstanceSettings, file: DataplaneFile | None) -> DataplaneConfig:
    """The data plane's configuration. Raises `InvalidRequest` naming the variable."""
    if file is not None:
        return await file.read()
    if settings.dataplane_config is None:
        return DEFAULT_DATAPLANE
    return DataplaneConfig.parse(settings.dataplane_config)
