"""The mesh itself: its folder, its sockets and its children, from the first start to the last end."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapter.aio.clock import LoopClock
from adapter.cluster.processes import Process, ProcessSpec, Supervisor
from adapter.registry.etcd_options import SCHEME
from adapter.servers.grpc_server import CannotListen
from adapter.servers.inherited import GRPC, REST
from adapter.servers.listening import bound, told
from adapter.up.mesh_folder import MeshFolder, Whereabouts
from adapter.up.mesh_plan import MeshPlan
from adapter.up.processes import Member, Processes, members


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMesh:
    """A mesh of this machine that is up."""

    plan: MeshPlan
    folder: MeshFolder
    whereabouts: Whereabouts
    members: tuple[Member, ...]
    """None if manifests declare what runs (`declared_mesh`)."""
    registry: str
    """Where it is, for people."""
    doors: Mapping[str, socket.socket]
    """The sockets on which all instances serve."""
    kv_store: str
    """The registry, as the instances are told of it."""


@asynccontextmanager
async def local_mesh(
    plan: MeshPlan, folder: MeshFolder, *, owner: asyncio.TaskGroup
) -> AsyncIterator[LocalMesh]:
    """Up, and each of its children started again whenever it ends, while inside.

    The children are kept by tasks of the owner. Raises `MeshIsUp`; `CannotListen` for a port that is taken;
    `ProcessFailed`, alone or in groups, for a child that cannot start.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.taken())
        folder.prepare(plan.instance_names if plan.manifests is None else ())
        doors = _doors(plan, stack)
        pairs = members(plan, stack) if plan.manifests is None else ()
        processes = Processes(plan, folder, stack.enter_context(ExitStack()))
        path = stack.enter_context(folder.socket_path())
        supervisor = Supervisor(owner=owner, clock=LoopClock())
        stack.push_async_callback(supervisor.stop)
        kv_store = plan.kv_store
        if kv_store is None:
            await supervisor.start(processes.registry(path))
            kv_store = f"{SCHEME}unix:{path}"
        specs = [processes.instance(pair, kv_store=kv_store, doors=doors) for pair in pairs]
        started = await _started(supervisor, [*map(processes.runtime, pairs), *specs])
        # All at once: else each would load its models into the one that ends next.
        stack.push_async_callback(_stop_at_once, started[len(pairs) :])
        # First of all only the instances have the sockets: they close them with their last connection.
        stack.callback(_close, doors.values())
        where = _whereabouts(plan, folder, doors)
        stack.enter_context(folder.announced(where))
        yield LocalMesh(
            plan=plan,
            folder=folder,
            whereabouts=where,
            members=pairs,
            registry=str(folder.registry_file) if plan.kv_store is None else plan.kv_store,
            doors=doors,
            kv_store=kv_store,
        )


def _doors(plan: MeshPlan, stack: AsyncExitStack) -> Mapping[str, socket.socket]:
    """The sockets for clients. Raises `CannotListen`."""
    doors = {}
    for name, port, option in ((GRPC, plan.port, "--port"), (REST, plan.rest_port, "--rest-port")):
        try:
            doors[name] = stack.enter_context(bound(plan.host, port))
        except CannotListen as error:
            raise CannotListen(f"{error}; give another one with {option}, or 0 for any") from error
    return doors


async def _started(supervisor: Supervisor, specs: Iterable[ProcessSpec]) -> list[Process]:
    """All of them ready, in their order; the first that cannot start ends the others."""
    async with asyncio.TaskGroup() as group:
        starting = [group.create_task(supervisor.start(spec), name=f"start {spec.name}") for spec in specs]
    return [task.result() for task in starting]


async def _stop_at_once(children: Iterable[Process]) -> None:
    await asyncio.gather(*(child.stop() for child in children))


def _close(doors: Iterable[socket.socket]) -> None:
    for door in doors:
        door.close()


def _whereabouts(plan: MeshPlan, folder: MeshFolder, doors: Mapping[str, socket.socket]) -> Whereabouts:
    files = plan.environ.get("REMESH_LOCAL_FILES_DIR")
    return Whereabouts(
        grpc=told(doors[GRPC]),
        rest=told(doors[REST]),
        files=Path(files) if files else folder.files,
        manifests=plan.manifests,
        namespace=plan.namespace if plan.manifests is not None else "",
    )
