"""What an instance is made of, and what it is made from."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from adapter.aio.clock import Clock
from adapter.cache.model_cache import ModelCache
from adapter.domain.ids import ModelId
from adapter.domain.records import InstanceRecord
from adapter.instance.announcer import Announcer
from adapter.instance.assembly import Files, Runtime
from adapter.instance.copies import Copies
from adapter.instance.crashes import Crashes
from adapter.instance.doors import Doors
from adapter.instance.drain import Drain
from adapter.instance.dynamic_config import DynamicConfig
from adapter.instance.explainer import Explainer
from adapter.instance.holding import Holding
from adapter.instance.leading import Leading
from adapter.instance.loader import Loader
from adapter.instance.mesh_state import MeshState
from adapter.instance.models import Models
from adapter.instance.peer_links import PeerLinks
from adapter.instance.peer_service import PeerService
from adapter.instance.request_path import RequestPath
from adapter.instance.restoring import Restoring
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.scaler import Scaler
from adapter.instance.settings import InstanceSettings
from adapter.instance.several import Several
from adapter.instance.vmodels import VModels
from adapter.instance.wayfinder import Wayfinder
from adapter.peers.channels import PeerChannels
from adapter.registry.model_records import ModelRecords
from adapter.registry.presence import Presence
from adapter.registry.registry import Registry
from adapter.registry.vmodel_records import VModelRecords
from adapter.servers.payload_processors import PayloadProcessors
from adapter.telemetry.metrics import Metrics
from adapter.wire.dataplane import DataplaneConfig

LoadEnded = Callable[[ModelId, bool], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """What an instance is joined from."""

    runtime: Runtime
    files: Files
    registry: Registry
    channels: PeerChannels
    watch: RuntimeWatch
    clock: Clock
    payloads: PayloadProcessors
    metrics: Metrics
    dataplane: DataplaneConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """An instance, before its doors are open."""

    state: MeshState
    presence: Presence
    announcer: Announcer
    links: PeerLinks
    ways: Wayfinder
    holding: Holding
    models: Models
    vmodels: VModels
    path: RequestPath
    doors: Doors
    several: Several
    drain: Drain
    leading: Leading
    scaler: Scaler
    explainer: Explainer
    peers: PeerService
    watch: RuntimeWatch
    metrics: Metrics
    clock: Clock
    owner: asyncio.TaskGroup
    records: ModelRecords
    vmodel_records: VModelRecords
    cache: ModelCache
    loader: Loader
    crashes: Crashes
    copies: Copies
    config: DynamicConfig
    load_ended: list[LoadEnded]
    """Told of each load that has ended here, and whether it failed."""
    restoring: Restoring


def prefix_of(settings: InstanceSettings) -> str:
    """Before all keys of this mesh (reference: ModelMesh core 3.2)."""
    return f"/{settings.kv_prefix}/{settings.service_name}/"


def first_record(settings: InstanceSettings, edges: Edges) -> InstanceRecord:
    """What this instance tells of itself before it has a place."""
    status = edges.watch.status
    return InstanceRecord(
        boot=uuid.uuid4().hex,
        address="",
        started_ms=edges.clock.epoch_ms(),
        version=settings.service_version,
        location=settings.location or settings.advertised_host,
        zone=settings.zone,
        labels=settings.label_set,
        capacity_bytes=status.capacity_bytes,
        loading_slots=status.loading_concurrency,
    )
