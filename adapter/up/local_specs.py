"""What the processes of a declared runtime are: its instance, and the server that the instance drives."""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from adapter.cluster.probes import http_answers, port_accepts, socket_accepts
from adapter.cluster.processes import ProcessSpec
from adapter.controller.plans import RuntimePlan
from adapter.up.local_pair import Ready, always
from adapter.up.local_runtimes import MLSERVER, Blueprint, Child
from adapter.up.log_file import LogFile
from adapter.up.mesh_folder import MeshFolder
from adapter.up.mesh_plan import MeshPlan
from adapter.up.ports import HOST, HeldPort, held_port
from adapter.up.processes import (
    GRACE_BEYOND_S,
    HEAL,
    METRICS_PORTS_FROM,
    PROBE_PORTS_FROM,
    PYTHON,
    RUNTIME_PORTS_FROM,
    START_S_MAX,
)

VMODEL_OWNER: Final = "ksp"
"""As ModelMesh's controller has it (reference: serving controller 3.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a namespace's instances share."""

    kv_store: str
    service_name: str
    storage_config: Path
    type_constraints: Path
    dataplane: Path
    doors: Mapping[str, socket.socket]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Those of one pair."""

    runtime: HeldPort
    probe: HeldPort
    metrics: HeldPort
    further: Sequence[HeldPort] = ()
    """Two for a server that insists on them."""

    @classmethod
    def held(cls, plan: MeshPlan, stack: ExitStack, *, further: int = 0) -> "Ports":
        """As long as the stack."""

        def hold(first: int) -> HeldPort:
            port = held_port(first if plan.wants_well_known_ports else 0)
            stack.callback(port.close)
            return port

        return cls(
            runtime=hold(RUNTIME_PORTS_FROM),
            probe=hold(PROBE_PORTS_FROM),
            metrics=hold(METRICS_PORTS_FROM),
            further=[hold(0) for _ in range(further)],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSpecs:
    """Makes the processes of one pair, for each start."""

    name: str
    """Of the instance; its id too."""
    folder_name: str
    """Of its data."""
    mesh: MeshPlan
    folder: MeshFolder
    place: Place
    ports: Ports
    logs: ExitStack
    _open: dict[str, LogFile] = field(default_factory=dict)

    def specs(self, plan: RuntimePlan, blueprint: Blueprint) -> list[ProcessSpec]:
        """The server's processes, then the instance."""
        self._models.mkdir(parents=True, exist_ok=True)
        return [*self._server(blueprint), self._instance(plan, blueprint)]

    @property
    def _models(self) -> Path:
        return self.folder.instance(self.folder_name) / "models"

    def _server(self, blueprint: Blueprint) -> Iterator[ProcessSpec]:
        port = self.ports.runtime.port
        if blueprint.kind == "python":
            area = self._area("_python_models")
            command = (
                *(*PYTHON, "runtimes.python_runtime", "--host", HOST, "--grpc-port", str(port)),
                *("--rest-port", "off", "--models-dir", str(area)),
            )
            yield self._spec("runtime", command, partial(port_accepts, port))
        elif blueprint.kind == MLSERVER:
            yield self._mlserver(blueprint.children[0])
        else:
            for child in blueprint.children:
                ready = self._answers(blueprint) if len(blueprint.children) == 1 else always
                yield self._spec(child.name, child.command, ready, child.env)

    def _mlserver(self, child: Child) -> ProcessSpec:
        area = self._area("_mlserver_models")
        http, metrics = (held.port for held in self.ports.further)
        env = {
            **child.env,
            "MLSERVER_MODELS_DIR": str(area),
            "MLSERVER_HOST": HOST,
            "MLSERVER_GRPC_PORT": str(self.ports.runtime.port),
            "MLSERVER_HTTP_PORT": str(http),
            "MLSERVER_METRICS_PORT": str(metrics),
            "MLSERVER_LOAD_MODELS_AT_STARTUP": "false",
            "MLSERVER_MODEL_NAME": "no-model-at-start",
        }
        ready = partial(http_answers, http, "/v2/health/ready")
        return self._spec("runtime", (*child.command, str(area)), ready, env)

    def _answers(self, blueprint: Blueprint) -> Ready:
        endpoint = blueprint.endpoint
        assert endpoint is not None, "a server with the SPI has an address"
        if endpoint.port is not None:
            return partial(port_accepts, endpoint.port)
        return partial(socket_accepts, Path(str(endpoint.socket)))

    def _area(self, name: str) -> Path:
        area = self._models / name
        area.mkdir(parents=True, exist_ok=True)
        return area

    def _instance(self, plan: RuntimePlan, blueprint: Blueprint) -> ProcessSpec:
        port = self.ports.probe.port
        command = (*PYTHON, "adapter", "instance")
        spec = self._spec("", command, partial(http_answers, port, "/ready"))
        return replace(
            spec,
            env=self._settings(plan, blueprint),
            sockets=self.place.doors,
            grace_s=self.mesh.shutdown_timeout_s + GRACE_BEYOND_S,
        )

    def _settings(self, plan: RuntimePlan, blueprint: Blueprint) -> Mapping[str, str]:
        folder, place, ports = self.folder, self.place, self.ports
        chosen = {**told_by(plan), **blueprint.settings}
        told = {name: value for name, value in chosen.items() if not self.mesh.environ.get(name)}
        return {
            "STORAGE_CONFIG_DIR": str(place.storage_config),
            "REMESH_LOCAL_FILES_DIR": str(folder.files),
            "PVC_MOUNTS_DIR": str(folder.path / "pvc_mounts"),
            "MM_DEFAULT_VMODEL_OWNER": VMODEL_OWNER,
            **self.mesh.settings(),
            **told,
            "REMESH_RUNTIME": blueprint.kind,
            "MM_SERVICE_NAME": place.service_name,
            "KV_STORE": place.kv_store,
            "MM_LABELS": ",".join(plan.labels),
            "MM_TYPE_CONSTRAINTS_PATH": str(place.type_constraints),
            "MM_DATAPLANE_CONFIG_PATH": str(place.dataplane),
            "WKUBE_POD_NAME": self.name,
            "MM_SVC_GRPC_PORT": str(place.doors["grpc"].getsockname()[1]),
            "REST_PROXY_LISTEN_PORT": str(place.doors["rest"].getsockname()[1]),
            "RUNTIME_PORT": str(ports.runtime.port),
            "MM_PROBE_PORT": str(ports.probe.port),
            "MM_METRICS": f"prometheus:port={ports.metrics.port};scheme=http",
            "ROOT_MODEL_DIR": str(self._models),
            "REMESH_DATA_DIR": str(folder.instance(self.folder_name) / "state"),
        }

    def _spec(
        self, part: str, command: tuple[str, ...], ready: Ready, env: Mapping[str, str] | None = None
    ) -> ProcessSpec:
        name = f"{self.name}-{part}" if part else self.name
        log = self._log(name)
        return ProcessSpec(
            name=name,
            command=command,
            ready=ready,
            env={**self.mesh.environ, **(env or {})},
            on_line=log.note,
            backoff=HEAL,
            ready_s_max=START_S_MAX,
        )

    def _log(self, name: str) -> LogFile:
        """The same for each start."""
        if name not in self._open:
            log = self._open[name] = LogFile(self.folder.logs / f"{name}.log")
            self.logs.callback(log.close)
        return self._open[name]


def told_by(plan: RuntimePlan) -> Mapping[str, str]:
    """What the runtime's plan says of its instances, and with it `model-serving-config`."""
    config = plan.config
    told = {"MM_SVC_GRPC_MAX_MSG_SIZE": str(config.message_bytes_max)}
    if config.access_logging:
        told["MM_LOG_EACH_INVOKE"] = "true"
    if hold_s := config.scale_to_zero.hold_s:
        told["REMESH_HOLD_S"] = f"{hold_s:g}"
    if config.payload_processors:
        told["MM_PAYLOAD_PROCESSORS"] = " ".join(config.payload_processors)
    return {**told, **config.instance_env, "MM_LABELS": ",".join(plan.labels)}


def program_finder(environ: Mapping[str, str]) -> Callable[[str], str | None]:
    """Finds programs as a shell would, and those beside this Python."""
    beside = os.fspath(Path(sys.executable).parent)
    path = os.pathsep.join(filter(None, (environ.get("PATH"), beside)))
    return lambda name: shutil.which(name, path=path)
