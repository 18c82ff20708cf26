"""`remesh up`: a whole mesh on this machine."""

import os
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.running import run
from adapter.telemetry import logs
from adapter.up.mesh_folder import MeshFolder
from adapter.up.mesh_plan import (
    DEFAULT_NAME,
    DEFAULT_NAMESPACE,
    DEFAULT_PORT,
    DEFAULT_REST_PORT,
    MeshPlan,
)
from adapter.up.ports import HOST
from adapter.up.program import keep_up

Instances = Annotated[
    int, typer.Option("--instances", "-n", help="How many instances, each with a runtime of its own.")
]
Name = Annotated[str, typer.Option(help="The name of the mesh; several may be up, each with its own ports.")]
GrpcPort = Annotated[int, typer.Option(help="Inference and management over gRPC; 0: any.")]
RestPort = Annotated[int, typer.Option(help="Inference over REST; 0: any.")]
Host = Annotated[str, typer.Option(help="The address of these two; all else is on loopback.")]
Manifests = Annotated[
    Path | None,
    typer.Option(file_okay=False, help="Serve what the manifests in this folder declare, and follow them."),
]
Namespace = Annotated[str, typer.Option(help="Of what they declare without naming one.")]
Etcd = Annotated[
    str | None,
    typer.Option(help="Use this etcd: HOST:PORT, or a JSON file like ModelMesh's etcd_connection."),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        file_okay=False,
        help="Registry, storage keys, models and logs. Default: ~/.local/state/remesh/NAME.",
    ),
]


def command(  # noqa: PLR0913 - each is an option
    *,
    instances: Instances = 1,
    name: Name = DEFAULT_NAME,
    port: GrpcPort = DEFAULT_PORT,
    rest_port: RestPort = DEFAULT_REST_PORT,
    host: Host = HOST,
    manifests: Manifests = None,
    namespace: Namespace = DEFAULT_NAMESPACE,
    etcd: Etcd = None,
    data_dir: DataDir = None,
) -> None:
    """Serve models on this machine: a registry, and instances each with its runtime, as one mesh.

    All instances answer on the same ports. A process that ends, or is killed, is started again, and no
    connection is refused meanwhile. Ctrl-C ends them all: calls in flight may finish first.

    What is registered stays in the data folder; the next `remesh up` of the same name has it again. Storage
    keys are files below storage-config/ there, as in ModelMesh's secret; models below files/ are registered
    with the storage type local and need no key.

    With --manifests the models are declared, as for Kubernetes: InferenceServices, Predictors,
    ServingRuntimes, the storage-config Secret, the ConfigMap model-serving-config. Runtimes run while models
    need them, if their command is on this machine. `remesh apply`, `get`, `describe` and `delete` find this
    mesh by themselves.

    Every setting of `remesh instance --help` may be given as an environment variable and reaches all
    instances: LOADING_CONCURRENCY=4 remesh up. Those that tell instances apart are chosen here.
    """
    plan = MeshPlan(
        environ=os.environ,
        name=name,
        instances=instances,
        host=host,
        port=port,
        rest_port=rest_port,
        manifests=manifests.absolute() if manifests else None,
        namespace=namespace,
        etcd=etcd,
    )
    if manifests:
        # The controller calls the mesh while children are started; gRPC need not be ready for a fork.
        os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    logs.configure(level="info", form="text")
    run(keep_up(plan, MeshFolder(data_dir.absolute()) if data_dir else MeshFolder.named(name)))
