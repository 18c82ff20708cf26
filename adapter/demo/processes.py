"""The runtime and the instance of the demo, as processes to supervise."""

import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapter.cluster.probes import port_accepts
from adapter.cluster.processes import ProcessSpec

MEMORY_BYTES: Final = 1 << 30
"""Of the runtime; a quarter of it is left to the process itself."""


def free_port(wanted: int = 0) -> int:
    """A free port on loopback, the wanted one if it is."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("the kernel has no free port")


def log_to(path: Path) -> Callable[[str], None]:
    """Append each line that a process says to this file."""

    def note(line: str) -> None:
        with path.open("a") as log:
            log.write(f"{line}\n")

    return note


def runtime_process(*, folder: Path, port: int) -> ProcessSpec:
    """The in-house runtime, over the area that the instance lays out below `folder`."""
    area = folder / "models" / "_python_models"
    area.mkdir(parents=True)
    return ProcessSpec(
        name="runtime",
        command=(
            *(sys.executable, "-m", "runtimes.python_runtime"),
            *("--grpc-port", str(port)),
            *("--rest-port", str(free_port())),
            *("--models-dir", str(area)),
        ),
        ready=lambda: port_accepts(port),
        on_line=log_to(folder / "runtime.log"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the instance answers, all on loopback."""

    grpc: int
    rest: int
    metrics: int


def instance_process(
    environ: Mapping[str, str], *, folder: Path, ports: Ports, runtime_port: int
) -> ProcessSpec:
    """The instance beside it, on loopback, with its secrets and its registry below `folder`."""
    settings = {
        "MM_SERVICE_NAME": "demo",
        "MM_SVC_GRPC_PORT": str(ports.grpc),
        "REST_PROXY_LISTEN_PORT": str(ports.rest),
        "MM_METRICS": f"prometheus:port={ports.metrics};scheme=http",
        "REMESH_HOST": "127.0.0.1",
        "REMESH_RUNTIME": "python",
        "RUNTIME_PORT": str(runtime_port),
        "CONTAINER_MEM_REQ_BYTES": str(MEMORY_BYTES),
        "ROOT_MODEL_DIR": str(folder / "models"),
        "STORAGE_CONFIG_DIR": str(folder / "storage-config"),
        "REMESH_DATA_DIR": str(folder / "state"),
    }
    return ProcessSpec(
        name="instance",
        command=(sys.executable, "-m", "adapter", "instance"),
        env={**environ, **settings},
        ready=lambda: port_accepts(ports.grpc),
        on_line=log_to(folder / "instance.log"),
    )
