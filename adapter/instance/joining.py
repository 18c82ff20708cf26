"""Joins what an instance is made of: cache and hands, the mesh as it sees it, and who asks them."""

import asyncio
import random

from adapter.cache.model_cache import ModelCache
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelRecord
from adapter.domain.runtime import LoadedModel
from adapter.instance.aliases import Aliases
from adapter.instance.announcer import Announcer
from adapter.instance.cache_figures import tell_cache
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
from adapter.instance.naming import Naming
from adapter.instance.observers import Observers
from adapter.instance.parts import Edges, LoadEnded, Parts, first_record, prefix_of
from adapter.instance.peer_links import PeerLinks
from adapter.instance.peer_service import PeerService
from adapter.instance.plans import Plans
from adapter.instance.reasons import Reasons
from adapter.instance.request_path import RequestPath
from adapter.instance.resolving import Resolving
from adapter.instance.restoring import Restoring
from adapter.instance.scaler import Scaler
from adapter.instance.sending import Sending
from adapter.instance.settings import InstanceSettings
from adapter.instance.several import Several
from adapter.instance.shadows import Shadows
from adapter.instance.targets import Targets
from adapter.instance.vmodel_moves import VModelMoves
from adapter.instance.vmodels import VModels
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.copy_facts import ScalingRules
from adapter.mesh.demand import Demand
from adapter.registry.model_records import ModelRecords
from adapter.registry.presence import Presence
from adapter.registry.vmodel_records import VModelLedger, VModelRecords
from adapter.telemetry.request_log import RequestLogHeaders


def join(settings: InstanceSettings, edges: Edges, owner: asyncio.TaskGroup) -> Parts:
    """All of an instance; nothing runs yet."""
    return _Joiner(settings, edges, owner).parts()


class _Joiner:
    """Makes one part after the other; each needs some of those before it."""

    def __init__(self, settings: InstanceSettings, edges: Edges, owner: asyncio.TaskGroup) -> None:
        self.settings, self.edges, self.owner = settings, edges, owner
        self.here = InstanceId(settings.instance_id)
        prefix = prefix_of(settings)
        self.state = MeshState(registry=edges.registry, prefix=prefix, here=self.here)
        self.presence = Presence(edges.registry, clock=edges.clock, ttl_s=settings.lease_s)
        self.state.on_own = self.presence.saw
        self.records = ModelRecords(edges.registry, prefix, read_only=settings.kv_read_only)
        self.vmodel_records = VModelRecords(edges.registry, prefix, read_only=settings.kv_read_only)
        self.cache, self.loader = self._cache_and_hands()
        self.announcer = self._announcer()
        self.load_ended: list[LoadEnded] = []
        self.links = PeerLinks(state=self.state, channels=edges.channels)
        self.ways = Wayfinder(
            state=self.state,
            cache=self.cache,
            links=self.links,
            clock=edges.clock,
            draw=random.Random().randrange,  # noqa: S311 - it chooses between equals
            runtime_there=lambda: edges.watch.is_there,
        )
        self.holding = Holding(
            ways=self.ways, presence=self.presence, clock=edges.clock, hold_s=settings.hold_s
        )
        self.crashes = Crashes(
            announcer=self.announcer,
            cache=self.cache,
            loader=self.loader,
            ways=self.ways,
            breaks=lambda: edges.watch.breaks,
        )
        self.reasons = Reasons()
        self.copies = Copies(
            here=self.here,
            ways=self.ways,
            loader=self.loader,
            links=self.links,
            reasons=self.reasons,
            clock=edges.clock,
            told=self.announcer.told,
            tell_now=self.announcer.tell_now,
        )
        self.aliases = Aliases(self.vmodel_records)
        self.demand = self._demand()
        self.observers = self._observers()
        self.sending = self._sending(self.observers)
        self.slots = self.sending.slots
        self.loader.on_change = self._changed
        self.loader.on_loaded = self._loaded
        self.loader.on_failed = self._failed

    def _demand(self) -> Demand:
        settings = self.settings
        rules = ScalingRules(rpm_max=settings.scaleup_rpm, concurrency_pct=settings.concurrency_percent)
        return Demand(self.edges.clock.now_s(), rules=rules, limit_of=self._limit)

    def parts(self) -> Parts:
        settings, edges = self.settings, self.edges
        models = self._models()
        several = Several(models, at_once_max=settings.multi_parallelism)
        doors = Doors(own_port_only=settings.management_apart, client_names=settings.management_names)
        path, sending = self._path(models, several, doors), self.sending
        self.crashes.in_flight = sending.in_flight
        self.loader.on_crash = self.crashes.load_broken_off
        self.scaler = scaler = self._scaler(models, sending)
        ledger = VModelLedger(self.records, self.vmodel_records)
        return Parts(
            state=self.state,
            presence=self.presence,
            announcer=self.announcer,
            links=self.links,
            ways=self.ways,
            holding=self.holding,
            models=models,
            vmodels=self._vmodels(models, ledger),
            path=path,
            doors=doors,
            several=several,
            drain=self._drain(models, sending, scaler),
            leading=self._leading(models, ledger, scaler),
            scaler=scaler,
            explainer=self._explainer(),
            peers=self._peers(models),
            watch=edges.watch,
            metrics=edges.metrics,
            clock=edges.clock,
            owner=self.owner,
            records=self.records,
            vmodel_records=self.vmodel_records,
            cache=self.cache,
            loader=self.loader,
            crashes=self.crashes,
            copies=self.copies,
            config=self._config(),
            load_ended=self.load_ended,
            restoring=self._restoring(models),
        )

    def _vmodels(self, models: Models, ledger: VModelLedger) -> VModels:
        vmodels = VModels(
            records=self.vmodel_records,
            ledger=ledger,
            mesh=models,
            clock=self.edges.clock,
            default_owner=self.settings.default_owner,
            read_only=self.settings.kv_read_only,
        )

        def ruled(model: ModelId, record: ModelRecord) -> None:
            models.on_rules(model, record)  # which is set later, by who looks after the copies

        vmodels.on_rules = ruled
        return vmodels

    def _restoring(self, models: Models) -> Restoring:
        return Restoring(
            owner=self.owner,
            announcer=self.announcer,
            cache=self.cache,
            loader=self.loader,
            models=models,
            copies=self.copies,
            reasons=self.reasons,
            clock=self.edges.clock,
        )

    def _peers(self, models: Models) -> PeerService:
        return PeerService(
            instance=self.here,
            boot=self.announcer.record.boot,
            models=models,
            cache=self.cache,
            loader=self.loader,
            ways=self.ways,
            reasons=self.reasons,
            announcer=self.announcer,
            clock=self.edges.clock,
        )

    def _config(self) -> DynamicConfig:
        return DynamicConfig(
            registry=self.edges.registry,
            prefix=prefix_of(self.settings),
            demand=self.demand,
            observers=self.observers,
            log_level=self.settings.log_level,
        )

    def _models(self) -> Models:
        models = Models(
            records=self.records,
            aliases=self.aliases,
            cache=self.cache,
            loader=self.loader,
            ways=self.ways,
            copies=self.copies,
            clock=self.edges.clock,
            watch=self.edges.watch,
            holding=self.holding,
        )
        self.records.on_change.append(models.heard)
        return models

    def _cache_and_hands(self) -> tuple[ModelCache, Loader]:
        edges, status = self.edges, self.edges.watch.status
        cache = ModelCache(
            capacity_bytes=status.capacity_bytes,
            loading_slots=status.loading_concurrency,
            default_size_bytes=status.default_model_bytes,
            policy=self.settings.eviction,
            failure_expiry_s=self.settings.load_failure_expiry_ms / 1e3,
        )
        tell_cache(edges.metrics, cache, edges.clock)
        loader = Loader(
            cache=cache,
            provisioner=edges.files.provisioner,
            driver=edges.runtime.driver,
            clock=edges.clock,
            owner=self.owner,
            load_timeout_s=status.loading_timeout_s,
            metrics=edges.metrics,
        )
        return cache, loader

    def _announcer(self) -> Announcer:
        return Announcer(
            state=self.state,
            presence=self.presence,
            cache=self.cache,
            clock=self.edges.clock,
            record=first_record(self.settings, self.edges),
        )

    def _sending(self, observers: Observers) -> Sending:
        return Sending(
            cache=self.cache,
            loader=self.loader,
            aliases=self.aliases,
            targets=Targets(runtime_name=self.edges.runtime.name_of, links=self.links),
            links=self.links,
            rates=self.demand.rates,
            observers=observers,
            clock=self.edges.clock,
            inflight_max=self.settings.inflight_max,
        )

    def _path(self, models: Models, several: Several, doors: Doors) -> RequestPath:
        edges, naming, observers, sending = self.edges, Naming(), self.observers, self.sending
        resolving = Resolving(
            models=models,
            aliases=self.aliases,
            loader=self.loader,
            ways=self.ways,
            sending=sending,
            reasons=self.reasons,
            observers=observers,
            watch=edges.watch,
            clock=edges.clock,
            told=self.announcer.told,
            holding=self.holding,
        )
        return RequestPath(
            naming=naming,
            plans=Plans(
                dataplane=edges.dataplane,
                watch=edges.watch,
                doors=doors,
                naming=naming,
                has_peers=self.settings.has_peers,
            ),
            resolving=resolving,
            sending=sending,
            models=models,
            aliases=self.aliases,
            loader=self.loader,
            ways=self.ways,
            watch=edges.watch,
            observers=observers,
            several=several,
            shadows=Shadows(self.owner),
        )

    def _observers(self) -> Observers:
        settings, edges = self.settings, self.edges
        return Observers(
            metrics=edges.metrics.requests,
            payloads=edges.payloads,
            log_headers=RequestLogHeaders.parse(settings.log_request_headers),
            log_each=settings.log_each_invoke,
        )

    def _scaler(self, models: Models, sending: Sending) -> Scaler:
        scaler = Scaler(
            owner=self.owner,
            demand=self.demand,
            in_flight=sending.in_flight,
            models=models,
            cache=self.cache,
            loader=self.loader,
            ways=self.ways,
            copies=self.copies,
            clock=self.edges.clock,
        )
        self.announcer.rpm = scaler.rpm
        if self.settings.hold_s:  # else nobody stops it for being idle, and nobody is to be told
            self.announcer.idle_since_ms = scaler.idle_since_ms
        models.on_forgotten = self._forget
        return scaler

    def _limit(self, model: ModelId) -> int:
        return self.slots.limit(model)

    def _changed(self, model: ModelId) -> None:
        """Something has become of this model here."""
        self.announcer.refresh(model)
        if self.slots.limit(model) and self.ways.held_here(model) is None:
            self.slots.forget(model)

    def _loaded(self, model: ModelId, loaded: LoadedModel) -> None:
        limited = self.edges.watch.status.limit_model_concurrency
        self.slots.set(model, (loaded.concurrency_max or 1) if limited else None)
        for tell in self.load_ended:
            tell(model, False)

    def _failed(self, model: ModelId) -> None:
        for tell in self.load_ended:
            tell(model, True)

    def _forget(self, model: ModelId) -> None:
        """The model is registered no more."""
        self.announcer.forgive(model)
        self.reasons.forget(model)
        self.scaler.forget(model)

    def _drain(self, models: Models, sending: Sending, scaler: Scaler) -> Drain:
        return Drain(
            announcer=self.announcer,
            cache=self.cache,
            models=models,
            copies=self.copies,
            ways=self.ways,
            scaler=scaler,
            in_flight=sending.in_flight,
            clock=self.edges.clock,
            grace_s=self.settings.shutdown_timeout_ms / 1e3,
        )

    def _leading(self, models: Models, ledger: VModelLedger, scaler: Scaler) -> Leading:
        clock = self.edges.clock
        leading = Leading(
            ways=self.ways,
            records=self.records,
            moves=VModelMoves(
                records=self.vmodel_records, models=self.records, ledger=ledger, mesh=models, clock=clock
            ),
            copies=self.copies,
            scaler=scaler,
            clock=clock,
            default_size_bytes=self.edges.watch.status.default_model_bytes,
        )
        self.edges.metrics.watch_mesh(leading.figures)
        return leading

    def _explainer(self) -> Explainer:
        settings = self.settings
        return Explainer(
            records=self.records,
            vmodels=self.vmodel_records,
            cache=self.cache,
            reasons=self.reasons,
            ways=self.ways,
            links=self.links,
            clock=self.edges.clock,
            overhead_bytes=settings.memory_buffer_bytes,
        )
