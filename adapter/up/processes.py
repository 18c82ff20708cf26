"""What each child is: its command, what it is told, and how one sees that it is ready."""

import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from adapter.cluster.probes import http_answers, port_accepts, socket_accepts
from adapter.cluster.process_states import Backoff
from adapter.cluster.processes import ProcessSpec
from adapter.up.log_file import LogFile
from adapter.up.mesh_folder import MeshFolder
from adapter.up.mesh_plan import MeshPlan
from adapter.up.ports import HOST, HeldPort, held_port

PYTHON: Final = (sys.executable, "-m")
RUNTIME_PORTS_FROM: Final = 8501
PROBE_PORTS_FROM: Final = 8089
METRICS_PORTS_FROM: Final = 2112

HEAL: Final = Backoff(pause_s_first=0.1, pause_s_max=10.0, tries_max=1 << 30)
"""What has answered once is started again for as long as the mesh is up: what hinders it may pass."""
START_S_MAX: Final = 120.0
"""On a machine that has much else to do."""
GRACE_BEYOND_S: Final = 10.0
"""What an instance may take to end besides its calls in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One instance and its runtime: their name, and the ports that are theirs."""

    name: str
    runtime: HeldPort
    probe: HeldPort
    metrics: HeldPort


def members(plan: MeshPlan, stack: AsyncExitStack) -> tuple[Member, ...]:
    """One for each instance of the plan; the ports are held as long as the stack."""

    def hold(first: int) -> HeldPort:
        held = held_port(first if plan.wants_well_known_ports else 0)
        stack.callback(held.close)
        return held

    return tuple(
        Member(
            name=name,
            runtime=hold(RUNTIME_PORTS_FROM),
            probe=hold(PROBE_PORTS_FROM),
            metrics=hold(METRICS_PORTS_FROM),
        )
        for name in plan.instance_names
    )


class Processes:
    """The children of one mesh; what they say is in files that are open as long as the stack."""

    def __init__(self, plan: MeshPlan, folder: MeshFolder, logs: ExitStack) -> None:
        self._plan = plan
        self._folder = folder
        self._logs = logs

    def registry(self, socket_path: Path) -> ProcessSpec:
        """The embedded registry, on a unix socket."""
        command = ("adapter", "registry", "--listen", f"unix:{socket_path}", "--file")
        return self._spec(
            "registry",
            (*PYTHON, *command, str(self._folder.registry_file)),
            lambda: socket_accepts(socket_path),
        )

    def runtime(self, member: Member) -> ProcessSpec:
        """The in-house runtime, over the area that its instance lays out for it."""
        port = member.runtime.port
        area = self._models(member) / "_python_models"
        area.mkdir(parents=True, exist_ok=True)
        return self._spec(
            f"{member.name}-runtime",
            (
                *(*PYTHON, "runtimes.python_runtime"),
                *("--host", HOST, "--grpc-port", str(port), "--rest-port", "off"),
                *("--models-dir", str(area)),
            ),
            lambda: port_accepts(port),
        )

    def instance(self, member: Member, *, kv_store: str, doors: Mapping[str, socket.socket]) -> ProcessSpec:
        """The instance, which serves on the sockets that all of them share."""
        port = member.probe.port
        spec = self._spec(member.name, (*PYTHON, "adapter", "instance"), lambda: http_answers(port, "/ready"))
        return replace(
            spec,
            env=self._settings(member, kv_store, doors),
            sockets=doors,
            grace_s=self._plan.shutdown_timeout_s + GRACE_BEYOND_S,
        )

    def _settings(
        self, member: Member, kv_store: str, doors: Mapping[str, socket.socket]
    ) -> Mapping[str, str]:
        folder = self._folder
        return {
            "STORAGE_CONFIG_DIR": str(folder.storage_config),
            "REMESH_LOCAL_FILES_DIR": str(folder.files),
            **self._plan.settings(),
            "KV_STORE": kv_store,
            "WKUBE_POD_NAME": member.name,
            "MM_SVC_GRPC_PORT": str(doors["grpc"].getsockname()[1]),
            "REST_PROXY_LISTEN_PORT": str(doors["rest"].getsockname()[1]),
            "RUNTIME_PORT": str(member.runtime.port),
            "MM_PROBE_PORT": str(member.probe.port),
            "MM_METRICS": f"prometheus:port={member.metrics.port};scheme=http",
            "ROOT_MODEL_DIR": str(self._models(member)),
            "REMESH_DATA_DIR": str(folder.instance(member.name) / "state"),
        }

    def _models(self, member: Member) -> Path:
        return self._folder.instance(member.name) / "models"

    def _spec(self, name: str, command: tuple[str, ...], ready: Callable[[], Awaitable[bool]]) -> ProcessSpec:
        log = LogFile(self._folder.logs / f"{name}.log")
        self._logs.callback(log.close)
        return ProcessSpec(
            name=name,
            command=command,
            ready=ready,
            env=self._plan.environ,
            on_line=log.note,
            backoff=HEAL,
            ready_s_max=START_S_MAX,
        )
