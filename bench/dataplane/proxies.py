"""Who is between the client and the backend: nobody, nginx, `grpc.aio`, ours, or what runs already."""

import asyncio
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.peers.mesh_client import MeshClient, MeshRefused
from bench import harness
from bench.compiled import check_kind, compiled_core
from bench.dataplane import nginx
from bench.dataplane.cases import MODEL
from bench.processes import Broken, Watched, cores, started, wait_for_port
from hatch_build import missing_compiler
from tests.tools.recipe import Recipe, cache_folder

METHODS: Final = "inference.GRPCInferenceService/ModelInfer=1;inference.GRPCInferenceService/ModelMetadata=1"
"""What the runtime tells of itself: these two want the model's id in field 1."""

INSTANCE: Final = (sys.executable, "-m", "adapter", "instance")
PLAIN: Final = "ours-plain"
"""Ours as the sources are, not compiled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a client connects, and whose CPU counts."""

    name: str
    address: str
    process: Watched | None = None
    """None: there is no proxy."""
    rest_address: str | None = None
    injects: bool = False
    """It puts the model's id into the message."""
    compiled: bool | None = None
    """Of ours: whether its core is compiled."""


Start = Callable[[Path, str], AbstractContextManager[Target]]
"""Given a folder of its own and the backend's address."""


@contextmanager
def direct(_folder: Path, backend: str) -> Iterator[Target]:
    """No proxy: what the two ends take by themselves."""
    yield Target(name="direct", address=backend)


@contextmanager
def nginx_proxy(folder: Path, backend: str) -> Iterator[Target]:
    """`grpc_pass`."""
    port = harness.free_port()
    config = nginx.write_config(folder, port=port, upstream=backend)
    command = [str(obtained("nginx")), "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    with started(command, core=cores()[1], log=folder / "nginx.log") as process:
        wait_for_port(port, process)
        yield Target(name="nginx", address=f"127.0.0.1:{port}", process=process)


@contextmanager
def aio_proxy(folder: Path, backend: str, *, uvloop: bool = False) -> Iterator[Target]:
    """`grpc.aio` on both sides."""
    port = harness.free_port()
    command = [sys.executable, "-m", "bench.dataplane.aio_proxy", "--port", str(port), "--upstream", backend]
    if uvloop:
        command.append("--uvloop")
    with started(command, core=cores()[1], log=folder / "aio.log") as process:
        wait_for_port(port, process)
        name = "aio-uvloop" if uvloop else "aio"
        yield Target(name=name, address=f"127.0.0.1:{port}", process=process)


@contextmanager
def aio_uvloop_proxy(folder: Path, backend: str) -> Iterator[Target]:
    """The same on uvloop."""
    with aio_proxy(folder, backend, uvloop=True) as target:
        yield target


def ours(folder: Path, backend: str, *, command: Sequence[str] = INSTANCE) -> AbstractContextManager[Target]:
    """An instance as a pod runs it: its core compiled, if there is a C compiler."""
    if complaint := missing_compiler():
        print(f"NOTE: `ours` is plain Python: {complaint}", flush=True)
    return _instance(folder, backend, command=command, compiled=not complaint)


def ours_plain(
    folder: Path, backend: str, *, command: Sequence[str] = INSTANCE
) -> AbstractContextManager[Target]:
    """The same in plain Python."""
    return _instance(folder, backend, command=command, compiled=False)


@contextmanager
def _instance(folder: Path, backend: str, *, command: Sequence[str], compiled: bool) -> Iterator[Target]:
    """An instance with one model loaded; the backend is its runtime's serving port."""
    spi_port = harness.free_port()
    spi = [
        sys.executable,
        "-m",
        "tests.fakes.model_runtime_server",
        "--port",
        str(spi_port),
        "--methods",
        METHODS,
    ]
    with started(spi, core=cores()[0], log=folder / "spi.log") as runtime:
        wait_for_port(spi_port, runtime)
        port, rest_port = harness.free_port(), harness.free_port()
        env = instance_settings(folder, backend=backend, port=port, rest_port=rest_port, spi_port=spi_port)
        env |= compiled_core() if compiled else {}
        log = folder / "instance.log"
        with started(command, core=cores()[1], log=log, env=env) as process:
            wait_for_port(port, process)
            asyncio.run(register(f"127.0.0.1:{port}"))
            check_kind(log, compiled=compiled)
            yield Target(
                name="ours",
                address=f"127.0.0.1:{port}",
                process=process,
                rest_address=f"127.0.0.1:{rest_port}",
                injects=True,
                compiled=compiled,
            )


def instance_settings(
    folder: Path, *, backend: str, port: int, rest_port: int, spi_port: int
) -> dict[str, str]:
    """The environment of the instance; nothing that it does by default is switched off."""
    return {
        "MM_SERVICE_NAME": "bench",
        "MM_SVC_GRPC_PORT": str(port),
        "REST_PROXY_LISTEN_PORT": str(rest_port),
        "MM_METRICS": f"prometheus:port={harness.free_port()};scheme=http",
        "REMESH_HOST": "127.0.0.1",
        "REMESH_RUNTIME": "model-runtime",
        "INTERNAL_GRPC_PORT": str(spi_port),
        "INTERNAL_SERVING_GRPC_PORT": backend.rpartition(":")[2],
        "ROOT_MODEL_DIR": str(folder / "models"),
        "STORAGE_CONFIG_DIR": str(folder / "no-storage-config"),
        "REMESH_DATA_DIR": str(folder / "state"),
        "LOG_LEVEL": "info",
    }


async def register(address: str) -> None:
    """Register the model and have it loaded. Raises `Broken`."""
    info = ModelInfo(type="bench", path="bench", key="{}")
    try:
        async with asyncio.timeout(harness.START_S_MAX), MeshClient.connect(address) as client:
            await client.register(ModelId(MODEL), info, load_now=True)
    except (TimeoutError, MeshRefused) as error:
        raise Broken(f"the model cannot be registered: {error!r}") from error


PROXIES: Final[dict[str, Start]] = {
    "direct": direct,
    "nginx": nginx_proxy,
    "aio": aio_proxy,
    "aio-uvloop": aio_uvloop_proxy,
    "ours": ours,
    PLAIN: ours_plain,
}


def obtained(name: str) -> Path:
    """The program of a recipe of `make tools`; one that is quick to get is got now."""
    recipe: Recipe = importlib.import_module(f"tests.tools.{name}").RECIPE
    if not recipe.is_built(cache_folder()):
        if complaint := recipe.missing():
            raise SystemExit(f"this bench needs {name}: {complaint}")
        recipe.make(cache_folder())
    return recipe.path(cache_folder())
