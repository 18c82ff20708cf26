"""The tour: everything started, the examples registered, each asked cold and warm, then what to type next."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console

from adapter.demo.examples import Example
from adapter.demo.showing import a_console, commands_for, show_all, train
from adapter.demo.store import given_store, store_serving
from adapter.domain.errors import InvalidRequest
from adapter.servers.grpc_server import CannotListen
from adapter.servers.listening import bound
from adapter.up.ending import Ending
from adapter.up.local_mesh import LocalMesh, local_mesh
from adapter.up.mesh_folder import MeshFolder
from adapter.up.mesh_plan import DEFAULT_PORT, DEFAULT_REST_PORT, MeshPlan
from adapter.up.ports import HOST

STORAGE_KEY: Final = "localMinIO"
_OWN: Final = frozenset({"KV_STORE", "STORAGE_CONFIG_DIR", "REMESH_LOCAL_FILES_DIR"})
"""What the demo has of its own, whatever the environment says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tour:
    """What the person who takes it may choose."""

    environ: Mapping[str, str] = field(repr=False)
    port: int = DEFAULT_PORT
    """Of the mesh; another one is taken if it is not free."""
    instances: int = 1
    stays: bool = True
    """Stay up after the predictions, until Ctrl-C."""

    def plan(self) -> MeshPlan:
        """The mesh that it shows. Raises `InvalidRequest`."""
        port = _if_free(self.port)
        return MeshPlan(
            environ={name: value for name, value in self.environ.items() if name not in _OWN},
            name="demo",
            instances=self.instances,
            port=port,
            # Who wants any port wants no well-known one at all.
            rest_port=_if_free(DEFAULT_REST_PORT) if port else 0,
        ).checked()


async def fill_given_store(environ: Mapping[str, str]) -> None:
    """Train the examples and put them into the store that the environment names, and no more."""
    store = given_store(environ)
    if store is None:
        raise InvalidRequest(
            "REMESH_DEMO_S3_ENDPOINT must name the store to fill; "
            "its credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    await store.fill(await train(Console()))


async def take(tour: Tour) -> None:
    """The whole tour. Whatever it started has ended when it returns, by whichever way."""
    ending, plan, console = Ending(), tour.plan(), a_console()
    trained = await train(console)
    with TemporaryDirectory(prefix="remesh-demo-") as name:
        folder = MeshFolder(Path(name))
        async with (
            asyncio.TaskGroup() as owner,
            store_serving(tour.environ, folder=folder.path / "objects", owner=owner) as store,
        ):
            await store.fill(trained)
            console.print(f"The models lie in {store.server}, bucket {store.bucket}.")
            async with local_mesh(plan, folder, owner=owner) as mesh:
                (folder.storage_config / STORAGE_KEY).write_text(json.dumps(store.storage_key()))
                await _walk(tour, mesh, trained, console, ending)


async def _walk(
    tour: Tour, mesh: LocalMesh, trained: Sequence[Example], console: Console, ending: Ending
) -> None:
    address = mesh.whereabouts.grpc
    console.print(f"{_who(tour.instances)}; the mesh answers on [bold]{address}[/].")
    await show_all(console, address, trained, storage={"storage_key": STORAGE_KEY})
    if tour.stays:
        ending.listen()
        console.print(_what_next(mesh))
        await ending.wait()


def _if_free(port: int) -> int:
    """The port, or 0 if it is taken."""
    try:
        bound(HOST, port).close()
    except CannotListen:
        return 0
    return port


def _who(instances: int) -> str:
    if instances == 1:
        return "A registry, a runtime and an instance are up"
    return f"A registry and {instances} instances, each with its runtime, are up"


def _what_next(mesh: LocalMesh) -> str:
    rest = f"http://{mesh.whereabouts.rest}"
    return f"""\
All of it stays up. In another terminal, try:

{commands_for(mesh.whereabouts.grpc)}
  curl {rest}/v1/models/iris-onnx:predict -d '{{"instances": \\[[5.1, 3.5, 1.4, 0.2]]}}'
  curl {rest}/v2/models/iris-onnx
  curl http://127.0.0.1:{mesh.members[0].metrics.port}/metrics

What each process says is in {mesh.folder.logs}/*.log. Ctrl-C ends everything."""
