"""The controller of a local mesh: the same as on Kubernetes, over a folder and processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from adapter.aio.clock import Clock
from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster.event_recorder import EventRecorder
from adapter.controller.config_work import USER_CONFIG
from adapter.controller.doors import Doors
from adapter.controller.manager import Manager, Options, managing
from adapter.controller.meshes import MeshChannels, Way
from adapter.controller.reading_config import config_in
from adapter.controller.world import FOLLOWED, Scope, World
from adapter.domain.errors import RegistryUnavailable
from adapter.domain.kinds import CLAIM, CONFIG_MAP, Key
from adapter.registry.etcd import EtcdRegistry
from adapter.registry.etcd_options import BadEtcdOptions, read_etcd_options
from adapter.registry.registry import Registry
from adapter.up.declared_mesh import DeclaredMesh
from adapter.up.local_fleet import LocalFleet

COMPONENT: Final = "remesh-up"
KV_PREFIX: Final = "tas-runtime"
"""`MM_KVSTORE_PREFIX` of the instances, unless it is set."""


@asynccontextmanager
async def looked_after(declared: DeclaredMesh) -> AsyncIterator[Manager]:
    """While inside, what is declared comes to run, is registered, and has a status.

    Raises `BadManifest` for a `model-serving-config` that cannot be used at the start.
    """
    plan, cluster, fleet = declared.mesh.plan, declared.cluster, declared.fleet
    key = Key(kind=CONFIG_MAP, name=USER_CONFIG, namespace=plan.namespace)
    config = config_in(await cluster.get(key), defaults=declared.config)
    recorder = EventRecorder(cluster, declared.clock, component=COMPONENT, instance=plan.name)
    doors = Doors(
        cluster=cluster,
        fleet=fleet,
        meshes=MeshChannels(lambda namespace: Way(addresses=fleet.addresses(namespace))),
        recorder=recorder,
        clock=declared.clock,
        served=lambda _config, namespace: fleet.served(namespace),
    )
    prefix = f"/{plan.environ.get('MM_KVSTORE_PREFIX') or KV_PREFIX}/{fleet.service_name}/"
    opened = partial(_registry, fleet=fleet, prefix=prefix, clock=declared.clock)
    world = World(
        Scope(namespace=plan.namespace, every_mode=True, etcd_secret="", kinds=FOLLOWED - {CLAIM}), config
    )
    async with cancelled_at_the_end() as owner:
        owner.create_task(recorder.run(), name="write events")
        options = Options(defaults=declared.config)
        async with managing(world, doors, opened=opened, options=options) as manager:
            manager.leads.set()
            owner.create_task(_wake(fleet, manager), name="hear who calls while nothing runs")
            yield manager
        await recorder.written()


async def _wake(fleet: LocalFleet, manager: Manager) -> None:
    """Have what sleeps started when somebody calls and nobody is there who could hold the call."""
    async for namespace in fleet.knocks:
        manager.called(namespace)


@asynccontextmanager
async def _registry(
    namespace: str, *, fleet: LocalFleet, prefix: str, clock: Clock
) -> AsyncIterator[tuple[Registry, str]]:
    """Of the mesh of this namespace. Raises `RegistryUnavailable`."""
    try:
        options = read_etcd_options(fleet.kv_store(namespace))
    except BadEtcdOptions as error:
        raise RegistryUnavailable(str(error)) from error
    async with EtcdRegistry.connect(options, clock) as registry:
        yield registry, prefix
