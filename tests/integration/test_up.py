"""`remesh up`, as a person runs it: several instances on one machine, of which any process may be killed."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from adapter.aio.clock import LoopClock
from adapter.demo import examples, into
from adapter.demo.asking import ask, register, request_for
from adapter.demo.examples import Example
from adapter.domain.errors import Code
from adapter.peers.mesh_client import MeshClient, MeshRefused
from tests.integration import registry_process
from tests.integration.local_meshes import END_S_MAX, REMESH, Up, is_alive, starting, up, wait_until

RETRYING_S_MAX = 3.0
"""So long a client that is told UNAVAILABLE tries again."""
BACK_S_MAX = 60.0
CHILDREN = {"registry", *(f"up-{n}" for n in (1, 2, 3)), *(f"up-{n}-runtime" for n in (1, 2, 3))}

LEFT = {"lock", "registry.db", "storage-config", "files", "logs", "instances"}
"""Of a mesh that has ended."""


def remesh(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([REMESH, *words], capture_output=True, text=True, timeout=110, check=False)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up") / "mesh"
    with up(folder, "-n", "3", MM_INFO_METRICS="told;colour=COLOUR", COLOUR="teal") as mesh:
        yield mesh


@pytest.fixture(scope="module")
def demo(mesh: Up) -> list[Example]:
    """The demo's models, shown by the demo itself."""
    said = remesh("demo", "--into", mesh.folder.path)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count("itself does") == len(examples.ALL)
    return [make() for make in examples.ALL]


class Asking:
    """A client that asks for one model after the other, all the while."""

    def __init__(self) -> None:
        self.answered = 0
        self.retried = 0

    async def run(self, address: str, models: list[Example]) -> None:
        async with MeshClient.connect(address) as client:
            while True:
                for model in models:
                    await self._ask(client, model)

    async def _ask(self, client: MeshClient, model: Example) -> None:
        """Ask until it is answered. Raises `MeshRefused` for anything but a short unavailability."""
        ends_s = None
        while True:
            try:
                await ask(client, model, request_for(model))
            except MeshRefused as error:
                ends_s = ends_s or time.monotonic() + RETRYING_S_MAX
                if error.status is not Code.UNAVAILABLE or time.monotonic() > ends_s:
                    raise
                self.retried += 1
                await LoopClock().sleep(0.05)
            else:
                self.answered += 1
                return


@asynccontextmanager
async def asked(mesh: Up, models: list[Example]) -> AsyncIterator[Asking]:
    """Traffic, until the end of the block."""
    asking = Asking()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asking.run(mesh.where.grpc, models))
        yield asking
        task.cancel()


@pytest.mark.parametrize("child", ["up-1", "up-2", "up-3", "up-1-runtime", "up-2-runtime", "registry"])
async def test_any_process_may_be_killed_and_the_models_are_answered_throughout(
    mesh: Up, demo: list[Example], child: str
) -> None:
    starts = mesh.pids(child)
    async with asked(mesh, demo) as asking:
        await _until(lambda: asking.answered > len(demo), mesh)
        os.kill(starts[-1], signal.SIGKILL)
        await _until(lambda: len(mesh.pids(child)) > len(starts), mesh)
        seen = asking.answered
        await _until(lambda: asking.answered > seen + 3 * len(demo), mesh)
    assert all(is_alive(mesh.pids(each)[-1]) for each in CHILDREN)
    assert asking.retried <= 20


async def _until(true: Callable[[], bool], mesh: Up) -> None:
    await asyncio.to_thread(wait_until, true, mesh, seconds=BACK_S_MAX)


def test_while_no_instance_is_there_a_client_waits(mesh: Up, demo: list[Example]) -> None:
    """The supervisor has the socket: a connection is taken when the first of them is back."""
    instances = [f"up-{n}" for n in (1, 2, 3)]
    starts = {name: mesh.pids(name) for name in instances}
    for pids in starts.values():
        os.kill(pids[-1], signal.SIGKILL)
    said = remesh("infer", demo[0].name, "--address", mesh.where.grpc)
    assert said.returncode == 0, said.stderr
    wait_until(lambda: all(len(mesh.pids(name)) > len(starts[name]) for name in instances), mesh)


def test_what_is_set_reaches_every_instance(mesh: Up) -> None:
    for name in ("up-1", "up-2", "up-3"):
        with urlopen(mesh.metrics(name), timeout=20) as answer:
            assert 'colour="teal"' in answer.read().decode()


def test_a_model_is_explained_and_so_is_a_name_that_is_none(mesh: Up, demo: list[Example]) -> None:
    said = remesh("explain", demo[0].name, "--address", mesh.where.grpc)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(f"{demo[0].name}: loaded\n")
    assert "up-" in said.stdout
    said = remesh("explain", "nobody", "--address", mesh.where.grpc)
    assert said.returncode == 1
    assert said.stdout.startswith("nobody: not registered\n")


def test_copies_are_listed_with_their_instances(mesh: Up, demo: list[Example]) -> None:
    said = remesh("get", "models", "--copies", "--address", mesh.where.grpc)
    rows = {line.split()[0]: line for line in said.stdout.splitlines() if line.split()}
    assert rows.keys() >= {model.name for model in demo}
    assert "up-" in rows[demo[0].name]


def test_a_second_one_of_the_same_folder_is_refused(mesh: Up) -> None:
    said = remesh("up", "--data-dir", mesh.folder.path)
    assert said.returncode == 1
    assert said.stderr.startswith(f"remesh: this mesh is up already: process {mesh.process.pid} ")
    assert mesh.where.grpc in said.stderr


def test_a_port_that_is_taken_is_told_with_the_option_to_change_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = remesh("up", "--port", str(port), "--data-dir", tmp_path / "mesh")
    assert said.returncode == 1
    assert f"127.0.0.1:{port}" in said.stderr
    assert "--port" in said.stderr
    assert not list((tmp_path / "mesh" / "logs").iterdir()), "nothing was started"


def test_what_keeps_a_child_from_starting_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADING_CONCURRENCY", "0")
    said = remesh("up", "--port", "0", "--rest-port", "0", "--data-dir", tmp_path / "mesh")
    assert said.returncode == 1
    assert "remesh: up-1 does not run" in said.stderr
    assert "LOADING_CONCURRENCY: " in said.stderr
    assert "Traceback" not in said.stderr


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    with starting(tmp_path / "mesh") as mesh:
        wait_until(lambda: bool(mesh.pids("registry")), mesh)
        children = mesh.descendants
        assert mesh.end(signal.SIGINT) == 130
    assert children
    assert not any(map(is_alive, children))
    assert {path.name for path in mesh.folder.path.iterdir()} == LEFT


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_everything_ends_in_order(how: signal.Signals, tmp_path: Path) -> None:
    with up(tmp_path / "mesh") as mesh:
        children = mesh.descendants
        assert len(children) >= 3
        assert mesh.end(how) == 0
    assert not any(map(is_alive, children))
    assert "status=-9" not in mesh.said
    assert {path.name for path in mesh.folder.path.iterdir()} == LEFT


async def _register_iris(mesh: Up) -> None:
    (iris,) = into.put([examples.onnx_iris()], mesh.where.files)
    async with MeshClient.connect(mesh.where.grpc) as client:
        await register(client, iris, into.STORAGE)


def test_what_was_registered_is_there_after_a_kill_of_everything(tmp_path: Path) -> None:
    with up(tmp_path / "mesh") as mesh:
        asyncio.run(_register_iris(mesh))
        children = mesh.descendants
        mesh.process.kill()
        mesh.process.wait()
        ends_s = time.monotonic() + END_S_MAX
        while any(map(is_alive, children)):
            assert time.monotonic() < ends_s, "its children are on a leash"
            time.sleep(0.05)
    with up(tmp_path / "mesh") as again:
        said = remesh("infer", "iris-onnx", "--address", again.where.grpc)
        assert said.returncode == 0, said.stderr


def test_with_an_etcd_there_is_no_registry_of_its_own(tmp_path: Path) -> None:
    with (
        registry_process.running(tmp_path / "etcd.db") as etcd,
        up(tmp_path / "mesh", "-n", "2", "--name", "b", "--etcd", etcd.address) as mesh,
    ):
        assert not mesh.pids("registry")
        assert f"registry  etcd:{etcd.address}" in mesh.said
        assert mesh.pids("b-1")
        assert mesh.pids("b-2")
