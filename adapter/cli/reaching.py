"""Which cluster a command is about: the local mesh that is up, or Kubernetes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from adapter.aio.clock import LoopClock
from adapter.cluster.cluster import ClusterRefused
from adapter.cluster.commanding import Commanded
from adapter.cluster.local_commands import LocalCommands
from adapter.cluster.local_folder import ManifestFolder
from adapter.cluster.local_state import StateFolder
from adapter.domain.errors import Refused
from adapter.up.mesh_folder import MeshFolder, meshes_up

Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Of the objects; default: the cluster's own.")
]
Mesh = Annotated[
    str | None,
    typer.Option(help="A `remesh up --manifests`, by its name or data folder, if several are up."),
]
Kubeconfig = Annotated[Path | None, typer.Option(help="Kubernetes, as this file says.")]
Context = Annotated[str | None, typer.Option(help="Kubernetes, in this context of the kubeconfig.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What a person said of it; nothing: the local mesh that is up, else Kubernetes."""

    mesh: str | None = None
    kubeconfig: Path | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A cluster, and the namespace that is meant where none is named."""

    cluster: Commanded
    namespace: str


@asynccontextmanager
async def reached(where: Where) -> AsyncIterator[Reached]:
    """The cluster. Raises `Refused` if there is none, or more than one that could be meant."""
    folder = chosen_mesh(where)
    if folder is not None:
        yield _local(folder)
        return
    # It takes a while to import.
    from adapter.cluster.kubernetes import KubernetesCluster
    from adapter.cluster.kubernetes_api import Account

    try:
        account = Account.found(kubeconfig=where.kubeconfig, context=where.context or "")
    except ClusterRefused as error:
        if where.kubeconfig or where.context:
            raise
        raise Refused(
            "no cluster: there is no local mesh with manifests (start one with `remesh up --manifests DIR`), "
            f"and {error}"
        ) from error
    async with KubernetesCluster.connected(account) as cluster:
        yield Reached(cluster=cluster, namespace=cluster.namespace or "default")


def chosen_mesh(where: Where) -> MeshFolder | None:
    """The local mesh that is meant; None: Kubernetes is. Raises `Refused`."""
    if where.kubeconfig or where.context:
        if where.mesh:
            raise Refused(
                "--mesh is a mesh of this machine, --kubeconfig and --context are Kubernetes: name one"
            )
        return None
    if where.mesh:
        folder = MeshFolder.said(where.mesh)
        if folder.whereabouts().manifests is None:
            raise Refused(f"the mesh in {folder.path} was started without --manifests: it has no objects")
        return folder
    meshes = [folder for folder in meshes_up() if folder.whereabouts().manifests is not None]
    if len(meshes) > 1:
        named = ", ".join(str(folder.path) for folder in meshes)
        raise Refused(f"several meshes with manifests are up: say which with --mesh ({named})")
    return meshes[0] if meshes else None


def _local(folder: MeshFolder) -> Reached:
    where = folder.whereabouts()
    assert where.manifests is not None, "only such a mesh is chosen"
    manifests = ManifestFolder(where.manifests, where.namespace)
    cluster = LocalCommands(manifests, StateFolder(folder.objects), clock=LoopClock())
    for flaw in cluster.flaws():
        typer.echo(f"Warning: {flaw}", err=True)
    return Reached(cluster=cluster, namespace=where.namespace)
