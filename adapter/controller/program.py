"""`remesh controller`: the manager over a Kubernetes cluster, with its doors, from start to end.

Every replica serves the webhooks and follows the cluster; of several only the leader acts. One that loses its
lease ends, and is started again by whoever started it.
"""

import asyncio
import base64
import logging
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

from adapter.aio.clock import Clock, LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster.cluster import ClusterRefused, ClusterUnavailable
from adapter.cluster.event_recorder import EventRecorder
from adapter.cluster.kubernetes import KubernetesCluster
from adapter.cluster.kubernetes_api import Account
from adapter.cluster.leader_election import ElectionTimes, LeaderElection
from adapter.controller.config import ControllerConfig
from adapter.controller.config_work import USER_CONFIG
from adapter.controller.doors import Doors
from adapter.controller.etcd_secret import is_ours, read_etcd_secret
from adapter.controller.kubernetes_fleet import KubernetesFleet
from adapter.controller.manager import Manager, Options, managing
from adapter.controller.meshes import MeshChannels, Way
from adapter.controller.reading_config import config_in, read_config
from adapter.controller.settings import ControllerSettings, listening_at
from adapter.controller.watches import missing_watches
from adapter.controller.webhooks.decide import Facts
from adapter.controller.webhooks.serving import WebhookOptions, serve_webhooks
from adapter.controller.world import FOLLOWED, Scope, World
from adapter.domain.errors import RegistryUnavailable
from adapter.domain.kinds import CONFIG_MAP, Key, Manifest
from adapter.peers.mesh_client import ChannelTls
from adapter.registry.etcd import EtcdRegistry
from adapter.registry.etcd_options import BadEtcdOptions, read_etcd_connection
from adapter.registry.registry import Registry
from adapter.servers.listening import bound
from adapter.servers.metrics_server import metrics_serving
from adapter.servers.probes import health_serving
from adapter.telemetry.controller_metrics import ControllerMetrics

log = logging.getLogger(__name__)

T = TypeVar("T")

COMPONENT: Final = "modelmesh-controller"
KV_PREFIX: Final = "mm"
"""`MM_KVSTORE_PREFIX` of every instance (reference: serving controller 3.4)."""
READABLE_LOOK_S: Final = 1.0


async def run_controller(settings: ControllerSettings) -> None:
    """Until SIGTERM or SIGINT. Raises `AdapterError` for what keeps it from starting."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        clock = LoopClock()
        account = Account.found(
            kubeconfig=Path(settings.kubeconfig) if settings.kubeconfig else None, context=settings.context
        )
        connected = KubernetesCluster.connected(account, manager=COMPONENT, clock=clock)
        cluster = await stack.enter_async_context(connected)
        owner = await stack.enter_async_context(cancelled_at_the_end())
        program = _Program(settings, cluster, clock, owner)
        await program.serve_health(stack)
        config = await program.first_config()
        manager = await stack.enter_async_context(program.managing(config))
        await program.serve_more(stack, manager)
        leading = owner.create_task(program.lead(manager), name="lead")
        stopping = owner.create_task(stop.wait(), name="wait for the end")
        await asyncio.wait({leading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        await program.recorder.written()
        if leading.done() and not leading.cancelled() and (error := leading.exception()) is not None:
            raise error


class _Program:
    """One controller's parts."""

    def __init__(
        self,
        settings: ControllerSettings,
        cluster: KubernetesCluster,
        clock: Clock,
        owner: asyncio.TaskGroup,
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._clock = clock
        self._owner = owner
        self._world: World | None = None
        self._ready = False
        instance = settings.pod_name or f"{COMPONENT}-{secrets.token_hex(3)}"
        self._identity = f"{instance}_{secrets.token_hex(4)}"
        self.recorder = EventRecorder(cluster, clock, component=COMPONENT, instance=instance)
        self._election = LeaderElection(
            cluster=cluster,
            clock=clock,
            namespace=settings.own_namespace,
            identity=self._identity,
            times=ElectionTimes(
                lease_s=settings.lease_s, renew_s=settings.renew_deadline_s, retry_s=settings.retry_s
            ),
        )

    # Its doors.

    async def serve_health(self, stack: AsyncExitStack) -> None:
        """`/healthz` and `/readyz`. Raises `CannotListen`."""
        if (at := listening_at(self._settings.probe_address)) is not None:
            host, port = at
            await stack.enter_async_context(
                health_serving(is_ready=lambda: self._ready, host=host, port=port)
            )

    async def serve_more(self, stack: AsyncExitStack, manager: Manager) -> None:
        """Metrics and webhooks. Raises `CannotListen`."""
        settings = self._settings
        if (at := listening_at(settings.metrics_address)) is not None:
            host, port = at
            metrics = ControllerMetrics(lambda name: self._figure(manager, name))
            await stack.enter_async_context(metrics_serving(metrics.render, host=host, port=port))
        if settings.webhook_port:
            serving = serve_webhooks(
                self._cluster,
                bound(settings.webhook_host, settings.webhook_port),
                lambda: _facts(manager.world),
                options=WebhookOptions(
                    namespace=settings.own_namespace,
                    url=settings.webhook_url,
                    namespace_scope=settings.namespace_scope,
                ),
                clock=self._clock,
            )
            self._owner.create_task(serving, name="webhooks")
        self._ready = True

    def _figure(self, manager: Manager, name: str) -> float:
        figures = {
            "remesh_controller_leading": float(manager.leads.is_set()),
            "remesh_controller_looks_total": float(manager.looks),
            "remesh_controller_failures_total": float(manager.failures),
            "remesh_controller_queue_length": float(len(manager.queue)),
            "remesh_controller_models": float(sum(map(len, manager.world.models.values()))),
            "remesh_controller_events_dropped_total": float(self.recorder.dropped),
        }
        return figures[name]

    # The manager.

    async def first_config(self) -> ControllerConfig:
        """What holds at the start. Raises `BadManifest`: with another name it would be a new, empty mesh."""
        there = await self._answered(lambda: self._cluster.get(self._config_key))
        return config_in(there, defaults=self._defaults())

    async def _answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the API server says, as soon as it is there."""
        while True:
            try:
                return await ask()
            except ClusterUnavailable as error:
                log.warning("the API server is waited for", extra={"error": str(error)})
                await self._clock.sleep(READABLE_LOOK_S)

    def _defaults(self) -> ControllerConfig:
        file = self._settings.config_defaults
        try:
            content = file.read_text() if file.is_file() else ""
        except OSError as error:
            raise ClusterRefused(f"{file} cannot be read: {error.strerror}") from error
        return read_config(content) if content else ControllerConfig()

    @property
    def _config_key(self) -> Key:
        return Key(kind=CONFIG_MAP, name=USER_CONFIG, namespace=self._settings.own_namespace)

    @asynccontextmanager
    async def managing(self, config: ControllerConfig) -> AsyncIterator[Manager]:
        """The manager, which does nothing until it leads."""
        settings = self._settings
        kinds = FOLLOWED - await self._answered(lambda: missing_watches(self._cluster, settings))
        scope = Scope(
            namespace=settings.own_namespace,
            cluster_wide=not settings.namespace_scope,
            etcd_secret=config.etcd_secret_name or settings.etcd_secret_name,
            kinds=kinds,
        )
        world = self._world = World(scope, config)
        self._owner.create_task(self.recorder.run(), name="write events")
        fleet = KubernetesFleet(
            self._cluster,
            owner=self._owner,
            clock=self._clock,
            namespace=None if scope.cluster_wide else scope.namespace,
            etcd_secret=scope.etcd_secret,
        )
        doors = Doors(
            cluster=self._cluster,
            fleet=fleet,
            meshes=MeshChannels(lambda namespace: self._way(world, fleet, namespace)),
            recorder=self.recorder,
            clock=self._clock,
        )
        options = Options(workers=settings.workers, resync_s=settings.resync_s, defaults=self._defaults())
        async with managing(world, doors, opened=self._registry, options=options) as manager:
            yield manager

    async def lead(self, manager: Manager) -> None:
        """Act, for as long as this one leads. Raises `LeadershipLost`."""

        async def act() -> None:
            manager.leads.set()
            await asyncio.Event().wait()

        if self._settings.leader_election:
            await self._election.run(act)
        else:
            await act()

    @staticmethod
    def _way(world: World, fleet: KubernetesFleet, namespace: str) -> Way:
        config = world.config
        addresses = (config.endpoint,) if config.endpoint else fleet.addresses(namespace)
        if not config.tls.secret_name:
            return Way(addresses=addresses)
        secret = world.secret(namespace, config.tls.secret_name) or {}
        certificate = _entry(secret, "tls.crt")
        # A chain of one's own is trusted, and so is who signed it, if the Secret says who that is.
        roots = b"\n".join(filter(None, (_entry(secret, "ca.crt"), certificate)))
        tls = ChannelTls(
            roots=roots or None,
            key=_entry(secret, "tls.key") or None,
            certificates=certificate or None,
            authority=f"{config.service_name}.{namespace}",
        )
        return Way(addresses=addresses, tls=tls)

    @asynccontextmanager
    async def _registry(self, namespace: str) -> AsyncIterator[tuple[Registry, str]]:
        """The registry of the mesh of this namespace. Raises `RegistryUnavailable`."""
        world = self._world
        assert world is not None
        try:
            options = read_etcd_connection(_connection(world, namespace).decode())
        except BadEtcdOptions as error:
            raise RegistryUnavailable(f"the secret {world.scope.etcd_secret}: {error}") from error
        async with EtcdRegistry.connect(options, self._clock) as registry:
            yield registry, f"/{KV_PREFIX}/{world.config.service_name}/"


def _connection(world: World, namespace: str) -> bytes:
    """Where its registry is, complete. Raises `RegistryUnavailable` or `BadManifest`."""
    scope = world.scope
    own = world.secret(namespace, scope.etcd_secret)
    if own is not None and (namespace == scope.namespace or not is_ours(own)):
        return read_etcd_secret(own).inlined()
    secret = world.secret(scope.namespace, scope.etcd_secret)
    if secret is None:
        raise RegistryUnavailable(
            f"there is no secret {scope.etcd_secret} in {scope.namespace}; create it with an etcd_connection"
        )
    return read_etcd_secret(secret).of_namespace(namespace, home=scope.namespace).inlined()


def _entry(secret: Manifest, name: str) -> bytes:
    return base64.b64decode((secret.get("data") or {}).get(name) or "")


def _facts(world: World) -> Facts:
    specs = [seen.spec for objects in (world.runtimes, world.cluster_runtimes) for seen in objects]
    return Facts(
        config=world.config,
        runtimes=[spec for spec in specs if spec is not None],
        has_mesh=world.is_enabled,
    )
