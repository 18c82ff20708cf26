"""One instance of several on this host: its name, ports and files, which stay the same over restarts."""

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

from bench import harness

HOST: Final = "127.0.0.1"
SERVICE: Final = "mesh"
PREFIX: Final = "remesh"
KEYS: Final = f"/{PREFIX}/{SERVICE}/"
"""What the keys of the registry begin with."""
ASKING_S_MAX: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one instance runs."""

    name: str
    """Its id; at most 12 characters, as ModelMesh cuts them."""
    folder: Path
    port: int = field(default_factory=harness.free_port)
    rest_port: int = field(default_factory=harness.free_port)
    metrics_port: int = field(default_factory=harness.free_port)
    peer_port: int = field(default_factory=harness.free_port)
    probe_port: int = field(default_factory=harness.free_port)
    prestop_port: int = field(default_factory=harness.free_port)

    @property
    def address(self) -> str:
        """Where it is asked."""
        return f"{HOST}:{self.port}"

    def environment(self, *, kv_store: str, runtime_port: int) -> Mapping[str, str]:
        """Its settings, before a runtime with an SPI of its own; nothing is off that is on by default."""
        return {
            "MM_SERVICE_NAME": SERVICE,
            "KV_STORE": kv_store,
            "MM_KVSTORE_PREFIX": PREFIX,
            "WKUBE_POD_NAME": self.name,
            "WKUBE_POD_IPADDR": HOST,
            "REMESH_HOST": HOST,
            "MM_SVC_GRPC_PORT": str(self.port),
            "REST_PROXY_LISTEN_PORT": str(self.rest_port),
            "MM_METRICS": f"prometheus:port={self.metrics_port};scheme=http",
            "REMESH_PEER_PORT": str(self.peer_port),
            "MM_PROBE_PORT": str(self.probe_port),
            "MM_PRESTOP_WAIT_PORT": str(self.prestop_port),
            "REMESH_RUNTIME": "model-runtime",
            "INTERNAL_GRPC_PORT": str(runtime_port),
            "ROOT_MODEL_DIR": str(self.folder / "models"),
            "STORAGE_CONFIG_DIR": str(self.folder / "not-mounted"),
            "REMESH_DATA_DIR": str(self.folder / "state"),
            "LOG_LEVEL": "info",
        }

    def is_ready(self) -> bool:
        """It says so itself, on `/ready`."""
        try:
            with urllib.request.urlopen(
                f"http://{HOST}:{self.probe_port}/ready", timeout=ASKING_S_MAX
            ) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except OSError:  # an HTTP error is one as well: not ready
            return False
