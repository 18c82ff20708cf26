"""For the tests of the pod runner: a control plane, one Node of it, and what `kubectl` says of its pods."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration import control_plane
from tests.integration.conftest import lacks
from tests.integration.control_plane import ControlPlane
from tests.kubelet.network import lacking
from tests.kubelet.running import RunningNode, running_node

SOON_S = 20.0
IMAGES: dict[str, dict[str, Any]] = {
    "shell": {"command": ["sh", "-c"]},
    "files": {"command": [sys.executable, "-m", "http.server", "8080", "--directory", "/files"]},
    "python": {"command": [sys.executable, "-c"]},
    "ordinary": {"command": ["sh", "-c"], "user": 1000},
}
FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
FOREVER_ALONE = ("sh", "-c", FOREVER)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    if problem := lacking():
        lacks(problem)
    with control_plane.running(tmp_path_factory.mktemp("plane")) as plane:
        yield plane


@pytest.fixture(scope="module")
def node(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    with running_node(plane.kubeconfig(), IMAGES, folder=tmp_path_factory.mktemp("node")) as node:
        yield node
        assert "Traceback" not in node.said


@pytest.fixture
def pods(plane: ControlPlane, node: RunningNode) -> Iterator["PodsOfTest"]:
    pods = PodsOfTest(plane, node)
    yield pods
    plane.kubectl("delete", "pod,service,secret,configmap", "--selector=test=this", "--grace-period=1")


class PodsOfTest:
    """Pods of one test, all of which are deleted after it."""

    def __init__(self, plane: ControlPlane, node: RunningNode) -> None:
        self.plane = plane
        self.node = node

    def run(
        self, name: str, image: str, *arguments: str, pod: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        """One container `main`; `more` are fields of it, `pod` of the pod."""
        container = {"name": "main", "image": image, **({"args": arguments} if arguments else {}), **more}
        spec = {"terminationGracePeriodSeconds": 5, "containers": [container], **(pod or {})}
        self.make("Pod", name, spec=spec, labels={"app": name})

    def make(self, kind: str, name: str, *, labels: Mapping[str, str] | None = None, **content: Any) -> None:
        metadata = {
            "name": name,
            "labels": {"test": "this", **(labels or {})},
            "annotations": {"told": "by the test"},
        }
        manifest = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def status(self, name: str) -> dict[str, Any]:
        return dict(self.plane.read("pod", name).get("status", {}))

    def main(self, name: str) -> dict[str, Any]:
        """The status of its only container."""
        told = self.status(name).get("containerStatuses") or [{"state": {}, "restartCount": 0}]
        return dict(told[0])

    def is_ready(self, name: str) -> bool:
        said = {each["type"]: each["status"] for each in self.status(name).get("conditions", [])}
        return said.get("Ready") == "True"

    def log(self, name: str, *words: str) -> str:
        return self.plane.kubectl("logs", name, *words)

    def ended(self, name: str) -> str:
        """What a pod that runs once has said."""
        soon(lambda: self.status(name).get("phase") in {"Succeeded", "Failed"})
        return self.log(name)

    def path(self, name: str) -> Path:
        """Of its network namespace."""
        slot, own = self.status(name)["podIP"].split(".")[2:]
        return Path(f"/run/netns/rmk{slot}-{own}")


def soon(holds: Callable[[], object]) -> None:
    """Until it holds."""
    ends_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < ends_s, "it does not come true"
        time.sleep(0.05)


def answers(url: str) -> str | None:
    """What a GET is answered with; None: nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def volume(name: str, **source: Any) -> dict[str, Any]:
    return {"name": name, **source}


def mount(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "mountPath": path}
