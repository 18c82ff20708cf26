"""The quickstart of `deploy/`, applied to a real control plane whose one Node is the pod runner.

Its images are programs of this machine: `remesh` that of this checkout, the others those of `make tools`.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.demo.examples import sklearn_digits
from tests.integration import control_plane
from tests.integration.conftest import lacks, tool
from tests.integration.control_plane import ControlPlane
from tests.integration.controllers import Object, wait_until
from tests.integration.deployed import DEPLOY
from tests.kubelet.images import PATH
from tests.kubelet.network import lacking
from tests.kubelet.running import RunningNode, running_node
from tests.tools import etcd as etcd_recipe
from tests.tools import minio as minio_recipe

NAMESPACE = "modelmesh-serving"
OVERLAY = str(DEPLOY / "quickstart")
SERVICE = "modelmesh-serving"
KEYS = "modelmesh-serving/"
"""Before all that the mesh keeps in etcd: the secret's `root_prefix`."""
CLIENTS = Path(__file__).with_name("clients")
START_S_MAX = 90.0
"""A control plane's pods share two cores with everything else."""
SOON_S = 55.0
"""Less than `kubectl` is given."""
GONE_S_MAX = 60.0

VENV = Path(sys.executable).parent
OURS = {
    "command": [str(VENV / "remesh")],
    "arguments": ["instance"],
    "env": {"PATH": f"{VENV}:{PATH}", "PYTHONUNBUFFERED": "1"},
    "user": 2000,
}

READY_ADDRESSES = (
    "{{range .endpoints}}{{if .conditions.ready}}{{index .addresses 0}}:8033 {{end}}{{end}}" + r'{{"\n"}}'
)
"""A line for each state of an EndpointSlice, for `kubectl get --output go-template`."""


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
    """A cluster with our kinds."""

    plane: ControlPlane
    node: RunningNode
    folder: Path
    rows: Path
    """A file with rows of digits, and what scikit-learn says of them."""
    expected: list[int]
    before: frozenset[str]
    """What was there before it was installed."""

    def kubectl(self, *words: str, stdin: str = "") -> str:
        """In the quickstart's namespace."""
        return self.plane.kubectl("--namespace", NAMESPACE, *words, stdin=stdin)

    def read(self, *words: str) -> Any:
        return self.plane.read("--namespace", NAMESPACE, *words)

    def apply(self, text: str) -> None:
        """As a person does, from a guide."""
        self.kubectl("apply", "-f", "-", stdin=text)

    # The whole of it.

    def install(self) -> None:
        """Apply the overlay, and wait for its parts; the store has its models then."""
        self.plane.kubectl("apply", "--server-side", "-k", OVERLAY)
        self.wait_for("deployment/modelmesh-controller", "condition=Available", seconds=START_S_MAX)
        self.wait_for("job/minio-fill", "condition=Complete", seconds=START_S_MAX)

    def left_over(self) -> list[str]:
        """What is there now and was not before."""
        return sorted(everything(self.plane) - self.before)

    def configure(self, text: str) -> None:
        """Write `model-serving-config`."""
        self.kubectl(
            *("patch", "configmap", "model-serving-config", "--type=merge"),
            *("--patch", json.dumps({"data": {"config.yaml": text}})),
        )

    # What happens.

    def wait_for(self, what: str, state: str, *, seconds: float = SOON_S) -> None:
        """`kubectl wait`, with all that is known if it does not come true."""

        def holds() -> bool:
            words = ("--namespace", NAMESPACE, "wait", what, f"--for={state}", "--timeout=5s")
            return self.plane.tried(*words).returncode == 0

        wait_until(holds, seconds, self.story)

    def soon(self, holds: Callable[[], object], *, seconds: float = SOON_S) -> None:
        """Until it holds."""
        wait_until(lambda: bool(holds()), seconds, self.story)

    def story(self) -> str:
        """What there is, and what was said, for a test that fails."""
        parts = [
            self.plane.tried("--namespace", NAMESPACE, *words).stdout
            for words in (
                ("get", "pods,isvc,servingruntimes,deployments"),
                ("get", "isvc", "--output", "yaml"),
                ("get", "events", "--sort-by=.lastTimestamp"),
                ("logs", "deployment/modelmesh-controller", "--tail=30"),
                ("logs", "--selector=modelmesh-service", "--all-containers", "--tail=10", "--prefix"),
            )
        ]
        return "\n".join(["it does not come true", *parts, self.node.said])

    # What there is.

    def isvc(self, name: str) -> Object:
        found: Object = self.read("isvc", name)
        return found

    def pods(self) -> dict[str, str]:
        """The mesh's, by name: their addresses."""
        found = self.read("pods", "--selector", f"modelmesh-service={SERVICE}")["items"]
        return {each["metadata"]["name"]: each["status"].get("podIP", "") for each in found}

    def replicas(self, runtime: str) -> int:
        return int(self.read("deployment", f"{SERVICE}-{runtime}")["spec"]["replicas"])

    def etcd_keys(self) -> list[str]:
        """Of the mesh, in the quickstart's etcd."""
        address = self.read("service", "etcd")["spec"]["clusterIP"]
        program = tool(etcd_recipe.RECIPE).with_name("etcdctl")
        done = subprocess.run(
            [program, "--endpoints", f"http://{address}:2379", "get", "--prefix", KEYS, "--keys-only"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return done.stdout.split()

    # Clients.

    def digits(self, pod_ip: str, model: str) -> dict[str, list[int]]:
        """What an unmodified tritonclient is answered by a pod, over gRPC and HTTP."""
        words = (f"{pod_ip}:8033", f"{pod_ip}:8008", model, str(self.rows))
        done = subprocess.run(
            [sys.executable, CLIENTS / "digits.py", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, list[int]] = json.loads(done.stdout)
        return told

    @contextmanager
    def traffic(self, model: str) -> Iterator["Traffic"]:
        """A client that balances over the Service's ready addresses, as it hears of them."""
        resolving = [
            *(str(self.plane.kubectl_program), "--kubeconfig", str(self.plane.kubeconfig())),
            *("--namespace", NAMESPACE, "get", "endpointslices", "--watch"),
            *(f"--selector=kubernetes.io/service-name={SERVICE}", f"--output=go-template={READY_ADDRESSES}"),
        ]
        asking = [sys.executable, str(CLIENTS / "balancing.py"), model, str(self.rows)]
        output = self.folder / "traffic.log"
        with (
            output.open("wb") as log,
            ended(subprocess.Popen(resolving, stdout=subprocess.PIPE)) as resolver,
            ended(subprocess.Popen(asking, stdin=resolver.stdout, stdout=log, stderr=log)) as client,
        ):
            assert resolver.stdout is not None
            resolver.stdout.close()  # it is the client's
            yield Traffic(client=client, output=output)


@contextmanager
def ended(child: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Calls for one model, all the while."""

    client: subprocess.Popen[bytes]
    output: Path

    def told(self) -> dict[str, Any]:
        """What came of them so far."""
        assert self.client.poll() is None, self.output.read_text()
        lines = self.output.read_text().splitlines()
        return dict(json.loads(lines[-1])) if lines else {"answered": 0, "addresses": []}

    def go_on(self, calls: int, *, by: Sequence[str] = ()) -> None:
        """Until so many more were answered; with `by`, those that are asked now are these."""
        wanted = self.told()["answered"] + calls
        wait_until(
            lambda: self.told()["answered"] >= wanted and (not by or self.told()["addresses"] == list(by)),
            SOON_S,
            lambda: f"{self.told()}",
        )


def everything(plane: ControlPlane) -> frozenset[str]:
    """All objects of the cluster but events, by kind, namespace and name."""
    kinds = plane.kubectl("api-resources", "--verbs=list", "--output=name", "--cached=false").split()
    told = plane.kubectl(
        *("get", ",".join(each for each in kinds if not each.startswith("events"))),
        *("--all-namespaces", "--no-headers"),
        "--output=custom-columns=KIND:.kind,IN:.metadata.namespace,NAME:.metadata.name",
    )
    return frozenset(" ".join(line.split()) for line in told.splitlines())


@contextmanager
def prepared(folder: Path) -> Iterator[Quickstart]:
    """A control plane and a Node, with our kinds and nothing of them. Skips the test where there are none."""
    if problem := lacking():
        lacks(problem)
    example = sklearn_digits()
    expected: list[int] = example.expected.tolist()
    rows = folder / "rows.json"
    rows.write_text(json.dumps({"rows": example.rows.tolist(), "expected": expected}))
    with (
        control_plane.running(folder / "plane") as plane,
        running_node(plane.kubeconfig(), images(), folder=folder) as node,
    ):
        plane.kubectl("apply", "--server-side", "-k", str(DEPLOY / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield Quickstart(
            plane=plane, node=node, folder=folder, rows=rows, expected=expected, before=everything(plane)
        )
        assert "Traceback" not in node.said, node.said
