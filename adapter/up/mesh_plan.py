"""What is asked of `remesh up`, and what its instances are told because of it."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from adapter.domain.errors import InvalidRequest
from adapter.registry.etcd_options import SCHEME, BadEtcdOptions, read_etcd_options
from adapter.up.ports import HOST

INSTANCES_MAX: Final = 64
DEFAULT_NAME: Final = "up"
DEFAULT_NAMESPACE: Final = "default"
DEFAULT_PORT: Final = 8033
DEFAULT_REST_PORT: Final = 8008
SHUTDOWN_TIMEOUT_MS: Final = 10_000
"""Whoever ends a mesh with Ctrl-C looks on; in a pod it is three times as long."""
BUFFER_SHARE_MAX: Final = 4
"""At most this part of an instance's memory is not for models."""
BUFFER_BYTES: Final = 256 * 1024 * 1024
MEMORY_BYTES_MIN: Final = 64 * 1024 * 1024

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ADDRESSES: Final = ("REMESH_GRPC_SOCKET_PATH", "REMESH_MANAGEMENT_PORT", "REMESH_MANAGEMENT_SOCKET_PATH")
"""Variables that name one address each."""
_NOT_PASSED_ON: Final = frozenset(
    {
        "INTERNAL_GRPC_PORT",
        "INTERNAL_GRPC_SOCKET_PATH",
        "INTERNAL_SERVING_GRPC_PORT",
        "INTERNAL_SERVING_GRPC_SOCKET_PATH",
        "REMESH_DEMO_S3_ENDPOINT",
    }
)
"""They would lead an instance to another runtime than its own; the last is for no instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPlan:
    """One mesh of this machine."""

    environ: Mapping[str, str] = field(repr=False)
    """Of whoever asks: it reaches the instances, but for what is decided here."""
    name: str = DEFAULT_NAME
    instances: int = 1
    host: str = HOST
    """The address of the two ports that clients use; all else is on loopback."""
    port: int = DEFAULT_PORT
    """0: any."""
    rest_port: int = DEFAULT_REST_PORT
    manifests: Path | None = None
    """A folder that declares runtimes and models; None: the in-house runtime serves what is registered."""
    namespace: str = DEFAULT_NAMESPACE
    """Of what the manifests declare without one."""
    etcd: str | None = None
    """`HOST:PORT` or a file; None: as `KV_STORE` says, or without it a registry of its own."""

    def checked(self) -> Self:
        """Itself. Raises `InvalidRequest` with every complaint, one a line."""
        if complaints := list(self._complaints()):
            raise InvalidRequest("\n".join(complaints))
        return self

    def _complaints(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield f"--name: {self.name!r} must be letters, digits, `-`, `_` and `.`, at most 63"
        if not 1 <= self.instances <= INSTANCES_MAX:
            yield f"--instances: {self.instances} is not from 1 to {INSTANCES_MAX}"
        if not _NAMESPACE.fullmatch(self.namespace):
            yield f"--namespace: {self.namespace!r} must be lower-case letters, digits and `-`, at most 63"
        if self.manifests is not None and self.manifests.exists() and not self.manifests.is_dir():
            yield f"--manifests: {self.manifests} is no folder"
        if self.port and self.port == self.rest_port:
            yield f"--port and --rest-port: both are {self.port}"
        try:
            _ = self.kv_store is None or read_etcd_options(self.kv_store)
        except BadEtcdOptions as error:
            yield str(error) if self.etcd is None else str(error).replace("KV_STORE", "--etcd", 1)
        for name in _ADDRESSES:
            if self.instances > 1 and self.environ.get(name):
                yield f"{name}: {self.instances} instances cannot share one address; unset it"
        if not self.environ.get("CONTAINER_MEM_REQ_BYTES") and self.memory_bytes < MEMORY_BYTES_MIN:
            yield (
                f"--instances: {self.instances} leave {self.memory_bytes >> 20} MiB of memory to each; "
                "ask for fewer, or set CONTAINER_MEM_REQ_BYTES"
            )

    @property
    def kv_store(self) -> str | None:
        """The etcd that is there already, as `KV_STORE` has it; None: the mesh has a registry of its own."""
        if self.etcd is not None:
            return f"{SCHEME}{self.etcd}"
        return self.environ.get("KV_STORE") or None

    @property
    def instance_names(self) -> tuple[str, ...]:
        """Their ids too: an id is at most 12 characters."""
        return tuple(f"{self.name[:9].rstrip('-._')}-{number}" for number in range(1, self.instances + 1))

    @property
    def wants_well_known_ports(self) -> bool:
        """Who wants any port for clients wants no well-known one at all."""
        return self.port != 0

    @property
    def memory_bytes(self) -> int:
        """For the models of one instance: half of this machine's is shared among them."""
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 // max(self.instances, 1)

    @property
    def shutdown_timeout_s(self) -> float:
        """How long calls in flight may take when it ends."""
        told = self.environ.get("SHUTDOWN_TIMEOUT_MS", "")
        return (int(told) if told.isdecimal() else SHUTDOWN_TIMEOUT_MS) / 1e3

    def settings(self) -> dict[str, str]:
        """What every instance is told: the environment, defaults that suit one machine, and the plan."""
        passed_on = {name: value for name, value in self.environ.items() if name not in _NOT_PASSED_ON}
        return {
            "CONTAINER_MEM_REQ_BYTES": str(self.memory_bytes),
            "MEM_BUFFER_BYTES": str(min(BUFFER_BYTES, self.memory_bytes // BUFFER_SHARE_MAX)),
            "SHUTDOWN_TIMEOUT_MS": str(SHUTDOWN_TIMEOUT_MS),
            **{name: value for name, value in passed_on.items() if value},
            "MM_SERVICE_NAME": self.name,
            "REMESH_SPI_ONLY": "false",
            "REMESH_RUNTIME": "python",
            "REMESH_HOST": HOST,
            "WKUBE_POD_IPADDR": HOST,
            # Nobody but the supervisor stops a runtime, and it knows the order.
            "MM_PRESTOP_WAIT_PORT": "NONE",
            # Any, found anew at each start and announced in the registry.
            "REMESH_PEER_PORT": "0",
        }
