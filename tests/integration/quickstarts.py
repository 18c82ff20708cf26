"""The quickstart of `deploy/` on a real control plane with one Node of the pod runner."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration import control_plane
from tests.integration.conftest import tool
from tests.integration.control_plane import ControlPlane
from tests.integration.deployed import DEPLOY
from tests.kubelet.images import PATH
from tests.kubelet.running import RunningNode, running_node
from tests.tools import etcd as etcd_recipe
from tests.tools import minio as minio_recipe

NAMESPACE = "modelmesh-serving"
VENV = Path(sys.executable).parent
OURS = {
    "command": [str(VENV / "remesh")],
    "arguments": ["instance"],
    "env": {"PATH": f"{VENV}:{PATH}", "PYTHONUNBUFFERED": "1"},
    "user": 2000,
}


def images() -> dict[str, dict[str, Any]]:
    """What the quickstart's images are here."""
    return {
        "remesh": OURS,
        "remesh-demo": OURS,
        "minio/minio": {"programs": {"minio": [str(tool(minio_recipe.RECIPE))]}},
        "rancher/mirrored-coreos-etcd": {"programs": {"etcd": [str(tool(etcd_recipe.RECIPE))]}},
    }


@dataclass(slots=True, kw_only=True)
class Quickstart:
    plane: ControlPlane
    node: RunningNode

    def kubectl(self, *words: str, stdin: str = "") -> str:
        """In the quickstart's namespace."""
        return self.plane.kubectl("--namespace", NAMESPACE, *words, stdin=stdin)


@contextmanager
def running(folder: Path) -> Iterator[Quickstart]:
    with control_plane.running(folder) as plane, running_node(plane.kubeconfig(), images(), folder=folder) as node:
        yield Quickstart(plane=plane, node=node)
