"""What a fleet renders, as processes: pods of a real control plane on the pod runner."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster.kubernetes import KubernetesCluster
from adapter.cluster.kubernetes_api import Account
from adapter.controller.config import ControllerConfig
from adapter.controller.kubernetes_fleet import KubernetesFleet
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.plans import NamespacePlan, RuntimePlan
from tests.integration import control_plane
from tests.integration.conftest import lacks
from tests.integration.control_plane import ControlPlane
from tests.kubelet.network import lacking
from tests.kubelet.running import RunningNode, running_node

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "of-fleet"
WAIT_S_MAX = 60.0
IMAGES: dict[str, dict[str, Any]] = {
    "remesh": {
        "command": ["remesh"],
        "user": 2000,
        "folder": str(ROOT),
        "env": {"PYTHONDONTWRITEBYTECODE": "1"},
        "programs": {"remesh": [sys.executable, "-m", "adapter"], "python": [sys.executable]},
    }
}
CONFIG = ControllerConfig(resources={"requests": {"cpu": "50m", "memory": "64Mi"}})
# While it waits for its runtime, an instance does not end.
IMPATIENT = replace(CONFIG, instance_env={"REMESH_RUNTIME_START_S": "5"})


def a_runtime(name: str, *command: str) -> RuntimePlan:
    container = {
        "name": "python",
        "image": "remesh:latest",
        "command": ["python", *command],
        "resources": {"requests": {"cpu": "50m", "memory": "512Mi"}},
    }
    adapter = {"serverType": "python", "runtimeManagementPort": 8001, "memBufferBytes": 134217728}
    spec = {
        "multiModel": True,
        "supportedModelFormats": [{"name": "sklearn", "autoSelect": True}],
        "containers": [container],
        "builtInAdapter": adapter,
    }
    manifest = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
    runtime = read_runtime(manifest)
    return RuntimePlan(
        namespace=NAMESPACE, runtime=runtime, labels=(f"rt:{name}",), replicas=1, config=CONFIG
    )


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    if problem := lacking():
        lacks(problem)
    with control_plane.running(tmp_path_factory.mktemp("plane")) as plane:
        plane.kubectl("create", "namespace", NAMESPACE)
        yield plane


@pytest.fixture(scope="module")
def node(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    folder, port = tmp_path_factory.mktemp("node"), int(plane.etcd.url.rpartition(":")[2])
    with running_node(plane.kubeconfig(), IMAGES, folder=folder, expose=(port,)) as node:
        yield node


@pytest.fixture
async def fleet(plane: ControlPlane, node: RunningNode) -> AsyncIterator[KubernetesFleet]:
    account = Account.found(kubeconfig=plane.kubeconfig())
    endpoint = f"http://{node.node_ip}:{plane.etcd.url.rpartition(':')[2]}"
    connection = json.dumps({"endpoints": endpoint, "root_prefix": "/of-fleet"}).encode()
    async with KubernetesCluster.connected(account) as cluster, cancelled_at_the_end() as owner:
        fleet = KubernetesFleet(cluster, owner=owner, clock=LoopClock())
        runtimes = (a_runtime("any").runtime,)
        await fleet.prepare(
            NamespacePlan(namespace=NAMESPACE, config=CONFIG, runtimes=runtimes, etcd_connection=connection)
        )
        yield fleet
        await fleet.withdraw(NAMESPACE)
        await eventually(lambda: not plane.read("pods", "--namespace", NAMESPACE)["items"])


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.2)


async def test_an_instance_and_its_runtime_become_ready_without_any_privilege(fleet: KubernetesFleet) -> None:
    server = ("-m", "runtimes.python_runtime", "--grpc-port", "8001", "--rest-port", "8002")
    plan = a_runtime("serves", *server, "--models-dir", "/models/_python_models")
    await fleet.run(plan)
    await eventually(lambda: fleet.health(NAMESPACE, "serves").ready == 1)
    await eventually(lambda: len(fleet.addresses(NAMESPACE)) == 1)
    assert fleet.health(NAMESPACE, "serves").problem == ""
    await fleet.run(replace(plan, replicas=0))
    await eventually(lambda: fleet.addresses(NAMESPACE) == ())


async def test_a_crash_loop_is_told_with_its_last_words(fleet: KubernetesFleet) -> None:
    plan = a_runtime("crashes", "-c", "raise SystemExit('the licence has expired')")
    await fleet.run(replace(plan, config=IMPATIENT))
    await eventually(lambda: "the licence has expired" in fleet.health(NAMESPACE, "crashes").problem)
    problem = fleet.health(NAMESPACE, "crashes").problem
    assert "container python" in problem
    assert "exit code 1" in problem
