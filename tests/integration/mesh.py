"""A mesh of real processes on loopback, for the integration tests: instances, runtimes, clients."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc

from adapter.peers.mesh_client import MeshClient
from bench import harness
from tests.fakes import model_runtime_server
from tests.fakes.model_runtime_server import ExampleRuntime

START_S_MAX = 60.0

StartedT = TypeVar("StartedT")


def free_port() -> int:
    return harness.free_port()


@dataclass(slots=True)
class Process:
    """A child of the test, its output in a file."""

    child: subprocess.Popen[bytes]
    output: Path

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def lines(self, *sentences: str) -> list[dict[str, object]]:
        """The JSON log lines with one of these sentences, in their order."""
        told = [json.loads(line) for line in self.said.splitlines() if line.startswith("{")]
        return [line for line in told if line["message"] in sentences]

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()

    def stop(self) -> int:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        return self.child.wait(timeout=30)


@contextmanager
def started(command: list[str], *, output: Path, env: dict[str, str] | None = None) -> Iterator[Process]:
    """A process that ends with the block."""
    with output.open("ab") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | (env or {}))
    process = Process(child, output)
    try:
        yield process
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def wait_until_serving(port: int, process: Process) -> None:
    """Until a gRPC server listens there; if the process ends instead, its output is the failure."""
    backoff = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
    ends_s = time.monotonic() + START_S_MAX
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=backoff) as channel:
        ready = grpc.channel_ready_future(channel)
        while time.monotonic() < ends_s:
            assert process.child.poll() is None, f"it ended:\n{process.said}"
            try:
                ready.result(timeout=0.5)
            except grpc.FutureTimeoutError:
                continue
            return
    raise AssertionError(f"nothing listens on {port}:\n{process.said}")


def wait_until_said(sentence: str, process: Process) -> None:
    """Until there is such a log line; if the process ends instead, its output is the failure."""
    ends_s = time.monotonic() + START_S_MAX
    while not process.lines(sentence):
        assert process.child.poll() is None, f"it ended:\n{process.said}"
        assert time.monotonic() < ends_s, f"it has not said {sentence!r}:\n{process.said}"
        time.sleep(0.05)


@dataclass(slots=True, kw_only=True)
class Instance:
    """A running `remesh instance`."""

    process: Process
    port: int
    folder: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def models_folder(self) -> Path:
        return self.folder / "models"

    def client(self) -> AbstractAsyncContextManager[MeshClient]:
        return MeshClient.connect(self.address)


@contextmanager
def instance(folder: Path, *, runtime: str, runtime_port: int, **env: str) -> Iterator[Instance]:
    """An instance in front of a runtime on that port; its files, secrets and registry below `folder`."""
    (folder / "storage-config").mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = {
        "MM_SERVICE_NAME": "test",
        "MM_SVC_GRPC_PORT": str(port),
        "REMESH_HOST": "127.0.0.1",
        "REMESH_RUNTIME": runtime,
        "RUNTIME_PORT": str(runtime_port),
        "INTERNAL_GRPC_PORT": str(runtime_port),
        "CONTAINER_MEM_REQ_BYTES": str(2**30),
        "ROOT_MODEL_DIR": str(folder / "models"),
        "STORAGE_CONFIG_DIR": str(folder / "storage-config"),
        "REMESH_DATA_DIR": str(folder / "state"),
    }
    command = [sys.executable, "-m", "adapter", "instance"]
    with started(command, output=folder / "instance.log", env=settings | env) as process:
        if "MM_TLS_PRIVATE_KEY_PATH" in env:
            wait_until_said("instance is ready", process)
        else:
            wait_until_serving(port, process)
        yield Instance(process=process, port=port, folder=folder)


def python_runtime_command(models_folder: Path, *, port: int) -> tuple[str, ...]:
    """What starts the in-house runtime; makes the area that it looks into."""
    area = models_folder / "_python_models"
    area.mkdir(parents=True, exist_ok=True)
    ports = ("--grpc-port", str(port), "--rest-port", str(free_port()))
    return (sys.executable, "-m", "runtimes.python_runtime", "--models-dir", str(area), *ports)


@contextmanager
def python_runtime(
    models_folder: Path, *, output: Path, port: int | None = None
) -> Iterator[tuple[Process, int]]:
    """The in-house runtime over the area that the instance lays out for it; the process and its gRPC port."""
    port = port or free_port()
    with started(list(python_runtime_command(models_folder, port=port)), output=output) as process:
        wait_until_serving(port, process)
        yield process, port


@contextmanager
def spi_only(folder: Path, *, runtime: str, **env: str) -> Iterator[tuple[Process, int]]:
    """An instance that serves nothing but the SPI; the process and the SPI's port."""
    (folder / "storage-config").mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = {
        "PORT": str(port),
        "ADAPTER_PORT": str(port),
        "CONTAINER_MEM_REQ_BYTES": str(6 * 2**30),
        "USE_EMBEDDED_PULLER": "true",
        "ROOT_MODEL_DIR": str(folder / "models"),
        "STORAGE_CONFIG_DIR": str(folder / "storage-config"),
    }
    command = [sys.executable, "-m", "adapter", "instance", "--spi-only", "--runtime", runtime]
    with started(command, output=folder / "spi.log", env=settings | env) as process:
        wait_until_serving(port, process)
        yield process, port


def storage_key(folder: Path, name: str, **fields: str) -> None:
    """Put a key into the instance's `storage-config`."""
    keys = folder / "storage-config"
    keys.mkdir(parents=True, exist_ok=True)
    (keys / name).write_text(json.dumps(fields))


@asynccontextmanager
async def beside(starting: AbstractContextManager[StartedT]) -> AsyncIterator[StartedT]:
    """Start and stop it in a thread, so that servers of the test's own event loop go on answering."""
    started_up = await asyncio.to_thread(starting.__enter__)
    try:
        yield started_up
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


@asynccontextmanager
async def an_instance(
    folder: Path, runtime: ExampleRuntime, *, socket: Path | None = None, keys: bool = False, **env: str
) -> AsyncIterator[Instance]:
    """An instance in front of this runtime; without `keys` there is no `storage-config` folder."""
    if not keys:
        env.setdefault("STORAGE_CONFIG_DIR", str(folder / "not-mounted"))
    async with model_runtime_server.serving(
        runtime, address=f"unix:{socket}" if socket else "127.0.0.1:0"
    ) as address:
        if socket:
            env |= {"INTERNAL_GRPC_SOCKET_PATH": str(socket)}
        port = 0 if socket else int(address.rpartition(":")[2])
        async with beside(instance(folder, runtime="model-runtime", runtime_port=port, **env)) as up:
            yield up
