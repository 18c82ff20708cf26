"""`remesh controller` as a process before a real control plane, and objects to try it with.

The mesh that it speaks to is one instance before the Go stub runtime, at an address that the configuration
names (`modelMeshEndpoint`): what pods do is tested where pods run (`tests/kubelet`).
"""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration import mesh
from tests.integration.control_plane import ControlPlane
from tests.integration.deployed import DEPLOY
from tests.integration.meshes import Mesh, a_mesh

NAMESPACE = "model-serving"
COMMAND = (sys.executable, "-m", "adapter", "controller")
READY_S_MAX = 30.0
END_S_MAX = 20.0
CLEAR_S_MAX = 60.0
HOST = "127.0.0.1"
KEYS = "/mm/modelmesh-serving/"
MESH_SETTINGS = {
    "MM_SERVICE_NAME": "modelmesh-serving",
    "MM_KVSTORE_PREFIX": "mm",
    "MM_DEFAULT_VMODEL_OWNER": "ksp",
    "MM_TYPE_CONSTRAINTS": json.dumps(
        {"mt:sklearn": {"required": []}, "_default": {"required": ["_no_runtime"]}}
    ),
    "REMESH_LEASE_S": "2",
}

Object = dict[str, Any]


def isvc(
    name: str, path: str, *, namespace: str = NAMESPACE, format_: str = "sklearn", **model: Any
) -> Object:
    """One that ModelMesh serves; the stub runtime reads size and times from its path."""
    storage = {"key": "k", "path": path}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {"serving.kserve.io/deploymentMode": "ModelMesh"},
        },
        "spec": {"predictor": {"model": {"modelFormat": {"name": format_}, "storage": storage, **model}}},
    }


@dataclass(slots=True, kw_only=True)
class Controller:
    """One process."""

    plane: ControlPlane
    folder: Path
    name: str = "controller"
    flags: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    probe_port: int = field(default_factory=mesh.free_port)
    metrics_port: int = field(default_factory=mesh.free_port)
    child: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def start(self) -> None:
        """Not waited for."""
        command = [
            *(*COMMAND, "--kubeconfig", str(self.plane.kubeconfig()), "--log-format", "text"),
            *("--health-probe-bind-address", f"{HOST}:{self.probe_port}"),
            *("--metrics-addr", f"{HOST}:{self.metrics_port}", *self.flags),
        ]
        own = {"NAMESPACE": NAMESPACE, "POD_NAME": f"{self.name}-7d9f-x2x4z", "REMESH_WEBHOOK_PORT": "0"}
        with self.output.open("ab") as log:
            self.child = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | own | dict(self.env)
            )

    def wait_until_ready(self) -> None:
        """Until `/readyz` says so; if it ends instead, its output is the failure."""
        wait_until(self._is_ready, READY_S_MAX, lambda: f"not ready:\n{self.said[-4000:]}")

    def _is_ready(self) -> bool:
        assert self.is_running, f"it ended:\n{self.said[-4000:]}"
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"http://{HOST}:{self.probe_port}/readyz", timeout=2).close()
            return True
        return False

    def figure(self, name: str) -> float:
        """Of its metrics."""
        with urllib.request.urlopen(f"http://{HOST}:{self.metrics_port}/metrics", timeout=5) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.split()[1])
        raise AssertionError(f"there is no {name}")

    def stop(self) -> int:
        """As a pod is ended; its exit status."""
        assert self.child is not None
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(END_S_MAX)

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child.wait()


def wait_until(true: Callable[[], bool], patience_s: float, complaint: Callable[[], str]) -> float:
    """How long it took, in seconds."""
    began_s = time.monotonic()
    while not true():
        assert time.monotonic() - began_s < patience_s, complaint()
        time.sleep(0.05)
    return time.monotonic() - began_s


@dataclass(slots=True, kw_only=True)
class Managed:
    """A control plane with our kinds, a mesh, and the configuration that leads there."""

    plane: ControlPlane
    mesh: Mesh
    folder: Path

    def controller(self, name: str = "controller", *flags: str, **env: str) -> Controller:
        """Not started."""
        return Controller(plane=self.plane, folder=self.folder, name=name, flags=flags, env=env)

    @contextmanager
    def running(self, *flags: str, **env: str) -> Iterator[Controller]:
        """Ready, and ended with the block."""
        controller = self.controller("controller", *flags, **env)
        controller.start()
        try:
            controller.wait_until_ready()
            yield controller
        finally:
            controller.kill()

    def apply(self, *objects: Object) -> None:
        """As `kubectl apply` does; any number at once."""
        self.plane.kubectl(
            "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )

    def isvcs(self) -> dict[str, Object]:
        """All of them, by name."""
        found = self.plane.read("isvc", "--namespace", NAMESPACE)["items"]
        return {each["metadata"]["name"]: each for each in found}

    def registered(self, table: str) -> set[str]:
        """The names in a table of the mesh's registry."""
        told = json.loads(
            self.mesh.etcd.ctl("get", "--prefix", KEYS + table, "--keys-only", "--write-out", "json")
        )
        keys = (base64.b64decode(entry["key"]).decode() for entry in told.get("kvs", ()))
        return {key.removeprefix(KEYS + table) for key in keys}

    def states(self) -> dict[str, str]:
        """Active state, target state and transition of each, with slashes."""
        return {name: state_of(manifest) for name, manifest in self.isvcs().items()}

    def clear(self) -> None:
        """Take away all that tests declared."""
        for kind in ("isvc", "predictors", "servingruntimes"):
            self.plane.kubectl("delete", kind, "--all", "--namespace", NAMESPACE, "--wait=false")
        wait_until(lambda: not self.isvcs(), CLEAR_S_MAX, lambda: f"still there: {list(self.isvcs())[:9]}")


def state_of(manifest: Object) -> str:
    model = manifest.get("status", {}).get("modelStatus", {})
    states = model.get("states", {})
    return "/".join(
        (
            states.get("activeModelState", "-"),
            states.get("targetModelState", ""),
            model.get("transitionStatus", ""),
        )
    )


def reason_of(manifest: Object) -> str:
    info = manifest.get("status", {}).get("modelStatus", {}).get("lastFailureInfo") or {}
    return str(info.get("reason", ""))


@contextmanager
def managed(plane: ControlPlane, folder: Path) -> Iterator[Managed]:
    """Our kinds installed, and one instance that serves every sklearn model."""
    plane.kubectl("apply", "--server-side", "-k", str(DEPLOY / "crds"))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    plane.kubectl("create", "namespace", NAMESPACE)
    with a_mesh(folder, size=1, **MESH_SETTINGS) as one:
        [member] = one.members.values()
        connection = json.dumps({"endpoints": one.etcd.url})
        config = f"modelMeshEndpoint: {member.address}\nscaleToZero: {{enabled: false}}\npodsPerRuntime: 1\n"
        plane.kubectl(
            *("create", "secret", "generic", "model-serving-etcd", "--namespace", NAMESPACE),
            f"--from-literal=etcd_connection={connection}",
        )
        plane.kubectl(
            *("create", "configmap", "model-serving-config", "--namespace", NAMESPACE),
            f"--from-literal=config.yaml={config}",
        )
        yield Managed(plane=plane, mesh=one, folder=folder)
