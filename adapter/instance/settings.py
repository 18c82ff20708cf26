"""What an instance can be told, read once from the environment.

Names are ModelMesh's where it has one (reference: ModelMesh core 5, runtime adapter 2.1 and 3.1), so that
the environment of its containers starts ours; the others begin with `REMESH_`.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from adapter.domain.named import named
from adapter.instance.door_settings import Port
from adapter.instance.mesh_settings import MeshSettings

RuntimeKind = Literal["model-runtime", "python", "mlserver", "none"]

Endpoint = Annotated[
    str,
    Field(pattern=r"^(port:\d{1,5}|unix:.+)$"),
]


class InstanceSettings(MeshSettings):
    """Everything that `remesh instance` can be told; `remesh instance --help` lists it with the defaults."""

    model_config = SettingsConfigDict(
        populate_by_name=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    spi_only: bool = named(
        "REMESH_SPI_ONLY", default=False, about="serve nothing but the runtime SPI, for a foreign mesh"
    )

    # Identity
    service_name: str = named(
        "MM_SERVICE_NAME",
        "TAS_SERVICE_NAME",
        default="",
        about="name of the mesh; required unless --spi-only",
    )

    # The foreign mesh, with --spi-only
    adapter_port: Port = named(
        "ADAPTER_PORT", default=8085, about="SPI port before a built-in server (--spi-only)"
    )
    puller_port: Port = named(
        "PORT", default=8084, about="SPI port before a runtime with its own SPI (--spi-only)"
    )
    model_server_endpoint: Endpoint = named(
        "MODEL_SERVER_ENDPOINT",
        default="port:8085",
        about="that runtime's SPI, port:N or unix:PATH (--spi-only)",
    )

    # The runtime
    runtime: RuntimeKind = named(
        "REMESH_RUNTIME",
        default="model-runtime",
        about="python (the in-house runtime), mlserver, or model-runtime: any server with the SPI; "
        "none: there is none, and calls go to the other instances",
    )
    runtime_port: Port = named("RUNTIME_PORT", default=8001, about="management port of a built-in server")
    internal_grpc_port: Port | None = named(
        "INTERNAL_GRPC_PORT", default=None, about="SPI port of a runtime with its own SPI; default 8085"
    )
    internal_grpc_socket: Path | None = named(
        "INTERNAL_GRPC_SOCKET_PATH",
        default=None,
        about="its unix socket instead; without either, /tmp/mmesh/grpc.sock is used if it is there",
    )
    serving_grpc_port: Port | None = named(
        "INTERNAL_SERVING_GRPC_PORT",
        default=None,
        about="where the runtime answers inference; default: the port above",
    )
    serving_grpc_socket: Path | None = named(
        "INTERNAL_SERVING_GRPC_SOCKET_PATH", default=None, about="or its unix socket"
    )
    container_memory_bytes: int | None = named(
        "CONTAINER_MEM_REQ_BYTES",
        default=None,
        about="memory of a built-in server's container; without --spi-only: half of this machine's",
        gt=0,
    )
    memory_buffer_bytes: int = named(
        "MEM_BUFFER_BYTES", default=268_435_456, about="what of it is not for models", ge=0
    )
    loading_concurrency: int = named("LOADING_CONCURRENCY", default=1, about="loads at once", gt=0)
    loading_timeout_ms: int = named("LOADTIME_TIMEOUT", default=30_000, about="longest load, in ms", gt=0)
    default_model_bytes: int = named(
        "DEFAULT_MODELSIZE",
        default=1_000_000,
        about="size of a model of which nothing is known, in bytes",
        gt=0,
    )
    size_multiplier: float = named(
        "MODELSIZE_MULTIPLIER", default=1.25, about="size in memory by size on disk", gt=0
    )
    runtime_version: str = named("RUNTIME_VERSION", default="v1", about="told if the runtime tells none")
    model_concurrency_max: int = named(
        "LIMIT_PER_MODEL_CONCURRENCY",
        default=0,
        about="calls at once to one model, told to the mesh; 0: no limit",
        ge=0,
    )
    runtime_start_s_max: float = named(
        "REMESH_RUNTIME_START_S", default=180.0, about="how long the runtime may take to be ready", gt=0
    )

    # Files
    model_root: Path = named("ROOT_MODEL_DIR", default=Path("/models"), about="where pulled models lie")
    storage_config_dir: Path = named(
        "STORAGE_CONFIG_DIR",
        default=Path("/storage-config"),
        about="the mounted secret: one file a storage key",
    )
    pvc_mounts_dir: Path = named(
        "PVC_MOUNTS_DIR", default=Path("/pvc_mounts"), about="where claims are mounted"
    )
    local_files_dir: Path | None = named(
        "REMESH_LOCAL_FILES_DIR",
        default=None,
        about="models may be read from below this folder (type: local)",
    )
    embedded_puller: bool = named(
        "USE_EMBEDDED_PULLER",
        default=False,
        about="pull before a built-in server; false: paths are local already (--spi-only)",
    )

    # The cache
    eviction: Literal["lhd", "gdsf", "lru"] = named(
        "REMESH_EVICTION",
        default="lhd",
        about="who is evicted: the least loading saved for its size, or the longest unused",
    )
    load_failure_expiry_ms: int = named(
        "MM_LOAD_FAILURE_EXPIRY_TIME_MS",
        default=900_000,
        about="how long a failed load is not tried again",
        ge=0,
    )

    # Logs
    log_format: Literal["json", "text"] = named(
        "REMESH_LOG_FORMAT", default="json", about="form of a log line"
    )

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        complaints = [
            *self.door_complaints(),
            *self._mesh_complaints(),
            *(text for wrong, text in self._checks() if wrong),
        ]
        if complaints:
            raise ValueError("\n".join(complaints))
        return self

    def _mesh_complaints(self) -> list[str]:
        return [] if self.spi_only else list(self.mesh_complaints())

    def _checks(self) -> list[tuple[object, str]]:
        return [
            (
                not self.spi_only and not self.service_name,
                "MM_SERVICE_NAME: name the mesh that this instance belongs to (any word)",
            ),
            (
                self.spi_only and self.runtime != "model-runtime" and self.container_memory_bytes is None,
                "CONTAINER_MEM_REQ_BYTES: say how many bytes of memory the runtime's container has",
            ),
            (
                self.spi_only and self.runtime == "none",
                "REMESH_RUNTIME: name a runtime; without one there is nothing to adapt (--spi-only)",
            ),
            (
                self.internal_grpc_port and self.internal_grpc_socket,
                "INTERNAL_GRPC_PORT and INTERNAL_GRPC_SOCKET_PATH: give one of the two",
            ),
            (
                self.serving_grpc_port and self.serving_grpc_socket,
                "INTERNAL_SERVING_GRPC_PORT and INTERNAL_SERVING_GRPC_SOCKET_PATH: give one of the two",
            ),
            (
                self.container_memory_bytes is not None
                and self.container_memory_bytes <= self.memory_buffer_bytes,
                "CONTAINER_MEM_REQ_BYTES: must be more than MEM_BUFFER_BYTES, or no model has room",
            ),
        ]

    @property
    def capacity_bytes(self) -> int:
        """Room for the models of a built-in server (reference: runtime adapter 3.2)."""
        memory = self.container_memory_bytes or _half_of_the_memory()
        return max(memory - self.memory_buffer_bytes, 0)

    @property
    def registry_path(self) -> Path:
        """The embedded registry's file."""
        return (self.data_dir or _state_folder()) / f"{self.service_name}.registry"

    @property
    def management_address(self) -> str:
        """Where the runtime is told to load, as gRPC has addresses."""
        if self.runtime != "model-runtime":
            return f"127.0.0.1:{self.runtime_port}"
        if self.spi_only:
            kind, _, rest = self.model_server_endpoint.partition(":")
            return f"127.0.0.1:{rest}" if kind == "port" else self.model_server_endpoint
        return _address(self.internal_grpc_port, self.internal_grpc_socket) or _default_address()

    @property
    def serving_address(self) -> str:
        """Where the runtime answers inference; the management address unless told otherwise."""
        return _address(self.serving_grpc_port, self.serving_grpc_socket) or self.management_address

    @property
    def spi_port(self) -> int:
        """With `spi_only`: where the foreign mesh finds us (reference: runtime adapter 2.1, 3.1)."""
        return self.puller_port if self.runtime == "model-runtime" else self.adapter_port


def _address(port: int | None, socket: Path | None) -> str | None:
    if socket:
        return f"unix:{socket}"
    return f"127.0.0.1:{port}" if port else None


def _default_address() -> str:
    """ModelMesh's: its unix socket if a runtime has made it, else port 8085 (ModelMesh core 2.9)."""
    socket = Path("/tmp/mmesh/grpc.sock")  # noqa: S108 - ModelMesh's contract
    return f"unix:{socket}" if socket.exists() else "127.0.0.1:8085"


def _half_of_the_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _state_folder() -> Path:
    return Path("~/.local/state/remesh").expanduser()
