"""`remesh up`: the mesh, what is where in a table, and the wait for whoever ends it."""

import asyncio
from contextlib import AsyncExitStack

from rich.console import Console

from adapter.mesh.wording import in_bytes
from adapter.up.declared_mesh import declared_mesh
from adapter.up.ending import Ending
from adapter.up.local_mesh import LocalMesh, local_mesh
from adapter.up.looking_after import looked_after
from adapter.up.mesh_folder import MeshFolder
from adapter.up.mesh_plan import DEFAULT_PORT, MeshPlan


async def keep_up(plan: MeshPlan, folder: MeshFolder) -> None:
    """Until Ctrl-C or SIGTERM. Whatever was started has ended when it returns, by whichever way.

    Raises what `MeshPlan.checked`, `local_mesh` and `looked_after` raise.
    """
    ending, plan = Ending(), plan.checked()
    console = Console(highlight=False, markup=False, soft_wrap=True)
    async with AsyncExitStack() as stack:
        owner = await stack.enter_async_context(asyncio.TaskGroup())
        mesh = await stack.enter_async_context(local_mesh(plan, folder, owner=owner))
        if plan.manifests is not None:
            declared = await stack.enter_async_context(declared_mesh(mesh))
            await stack.enter_async_context(looked_after(declared))
        ending.listen()
        console.print(f"\n{whats_where(mesh)}\n")
        console.print(what_next(mesh))
        await ending.wait()
        console.print("Ending: calls in flight may finish ...")


def whats_where(mesh: LocalMesh) -> str:
    """A line for each part of the mesh. Nothing is cut off: it is to be copied."""
    where, folder = mesh.whereabouts, mesh.folder
    parts = [
        ("gRPC", where.grpc, "inference and management"),
        ("REST", where.rest, "inference"),
        ("registry", mesh.registry, ""),
        *(
            (
                member.name,
                f"http://127.0.0.1:{member.metrics.port}/metrics",
                f"and its runtime on 127.0.0.1:{member.runtime.port}, {_memory(mesh)}",
            )
            for member in mesh.members
        ),
        ("keys", str(folder.storage_config), "one JSON file for each storage key"),
        ("files", str(where.files), "models here need no key (storage type local)"),
        *(
            [("manifests", str(where.manifests), f"runtimes and models, in namespace {where.namespace}")]
            if where.manifests is not None
            else []
        ),
        ("logs", str(folder.logs), "what each process says"),
    ]
    names, wheres = (max(len(part[column]) for part in parts) for column in (0, 1))
    return "\n".join(f"  {name:<{names}}  {at:<{wheres}}  {what}".rstrip() for name, at, what in parts)


def what_next(mesh: LocalMesh) -> str:
    """What a person may type."""
    port = mesh.whereabouts.grpc.rpartition(":")[2]
    where = "" if port == str(DEFAULT_PORT) else f" --address {mesh.whereabouts.grpc}"
    if mesh.plan.manifests is not None:
        return f"""\
The mesh {mesh.plan.name} is up, and follows the manifests. In another terminal, try:

  remesh apply -f FILE
  remesh get isvc
  remesh describe isvc NAME
  remesh infer NAME

Runtimes start when a model needs them. Ctrl-C ends everything."""
    return f"""\
The mesh {mesh.plan.name} is up. In another terminal, try:

  remesh demo --into {mesh.folder.path}
  remesh get models{where}
  remesh explain iris-onnx{where}

Any process of it may be killed: it is started again. Ctrl-C ends everything."""


def _memory(mesh: LocalMesh) -> str:
    told = mesh.plan.settings()["CONTAINER_MEM_REQ_BYTES"]
    return in_bytes(int(told)) if told.isdecimal() else told
