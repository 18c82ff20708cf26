"""A local mesh with a folder of manifests: the objects that they declare, and the fleet that runs them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

from adapter.aio.clock import Clock, LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster.local import LocalCluster
from adapter.cluster.local_folder import ManifestFolder
from adapter.cluster.local_state import StateFolder
from adapter.cluster.local_text import documents
from adapter.controller.config import ControllerConfig
from adapter.domain.kinds import Manifest
from adapter.up.local_fleet import LocalFleet, LocalSite, storage_folder
from adapter.up.local_mesh import LocalMesh
from adapter.up.local_runtimes import as_meant_here
from adapter.up.local_specs import program_finder
from adapter.up.storage_keys import keep_storage_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredMesh:
    """What a controller needs to look after it."""

    mesh: LocalMesh
    cluster: LocalCluster
    fleet: LocalFleet
    config: ControllerConfig
    """What holds where `model-serving-config` says nothing else."""
    clock: Clock


@asynccontextmanager
async def declared_mesh(mesh: LocalMesh) -> AsyncIterator[DeclaredMesh]:
    """While inside, the folder is followed and its storage keys are laid out; nothing runs by itself.

    All that was run has ended afterwards: calls in flight may finish.
    """
    plan, folder, clock = mesh.plan, mesh.folder, LoopClock()
    assert plan.manifests is not None, "it is a mesh with manifests"
    plan.manifests.mkdir(parents=True, exist_ok=True)
    find = program_finder(plan.environ)
    cluster = LocalCluster(
        ManifestFolder(plan.manifests, plan.namespace),
        StateFolder(folder.objects),
        clock=clock,
        built_in=out_of_the_box(),
        meant=partial(as_meant_here, find=find),
    )
    await cluster.start()
    site = LocalSite(
        mesh=plan,
        folder=folder,
        namespace=plan.namespace,
        doors=mesh.doors,
        kv_store=mesh.kv_store,
        find=find,
    )
    config = local_config(mesh)
    async with cancelled_at_the_end() as owner:
        fleet = LocalFleet(site, owner=owner, clock=clock)
        owner.create_task(cluster.follow_folder(), name="follow the manifests")
        keys = keep_storage_keys(
            cluster,
            name=config.storage_secret_name,
            folder_of=lambda namespace: storage_folder(folder, namespace, plan.namespace),
        )
        owner.create_task(keys, name="storage keys")
        try:
            yield DeclaredMesh(mesh=mesh, cluster=cluster, fleet=fleet, config=config, clock=clock)
        finally:
            fleet.close()


def out_of_the_box() -> Sequence[Manifest]:
    """The runtimes that every local mesh has."""
    folder = files("adapter.up").joinpath("runtimes")
    return [
        manifest
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if Path(entry.name).suffix == ".yaml"
        for document in documents(entry.read_text(encoding="utf-8"))
        for manifest in document.manifests
    ]


def local_config(mesh: LocalMesh) -> ControllerConfig:
    """ModelMesh's defaults, but for what is known of this mesh: `--instances` of each runtime."""
    return ControllerConfig(service_name=mesh.plan.name, pods_per_runtime=mesh.plan.instances)
