"""The mesh itself: its folder, its sockets and its children, from the first to be started to the last to end."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapter.cluster.processes import Process, ProcessSpec, Supervisor
from adapter.registry.etcd_options import SCHEME
from adapter.servers.inherited import GRPC, REST
from adapter.servers.listening import bound
from adapter.up.mesh_folder import MeshFolder, Whereabouts
from adapter.up.mesh_plan import MeshPlan
from adapter.up.processes import Member, Processes, members

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMesh:
    """A mesh of this machine that is up."""

    plan: MeshPlan
    folder: MeshFolder
    whereabouts: Whereabouts
    members: tuple[Member, ...]
    registry: str
    """Where it is, for people."""
    children: tuple[Process, ...]


@asynccontextmanager
async def local_mesh(
    plan: MeshPlan, folder: MeshFolder, supervisor: Supervisor
) -> AsyncIterator[LocalMesh]:
    """Up, and each of its children started again whenever it ends, while inside.

    Raises `MeshIsUp`; `CannotListen` for a port that is taken; `ProcessFailed`, alone or in groups, for a child
    that cannot start.
    """
    with ExitStack() as stack:
        stack.enter_context(folder.taken())
        folder.prepare(plan.instance_names)
        doors = _doors(plan, stack)
        pairs = members(plan, stack)
        processes = Processes(plan, folder, stack)
        kv_store, children = plan.kv_store or "", []
        if not kv_store:
            path = stack.enter_context(folder.socket_path())
            children.append(await supervisor.start(processes.registry(path)))
            kv_store = f"{SCHEME}unix:{path}"
        specs = [
            *(processes.runtime(member) for member in pairs),
            *(processes.instance(member, kv_store=kv_store, doors=doors) for member in pairs),
        ]
        try:
            children += await _started(supervisor, specs)
            where = _whereabouts(plan, folder, doors)
            with folder.announced(where):
                yield LocalMesh(
                    plan=plan,
                    folder=folder,
                    whereabouts=where,
                    members=pairs,
                    registry=_described(kv_store),
                    children=tuple(children),
                )
        finally:
            # From here on only the instances have them, and close them when they have taken their last call.
            for door in doors.values():
                door.close()
            # All at once: else each would load its models into the one that ends next.
            await asyncio.gather(*(child.stop() for child in children[-len(pairs) :]))
