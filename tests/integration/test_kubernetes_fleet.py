"""What a fleet makes of plans, before a real API server; and its golden files by kubectl."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter.aio.clock import LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster.cluster import Cluster
from adapter.cluster.kubernetes import KubernetesCluster
from adapter.cluster.kubernetes_api import Account
from adapter.controller.kubernetes_fleet import KubernetesFleet
from adapter.controller.plans import Autoscaling, RuntimePlan
from adapter.domain.kinds import (
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NAMESPACE,
    NETWORK_POLICY,
    NODE,
    POD,
    SECRET,
    SERVICE,
    Key,
    Kind,
    Manifest,
)
from tests.integration.control_plane import ControlPlane
from tests.unit.controller.desired.examples import BARE, HERE, RUNTIME_PLANS, a_namespace, a_plan, unowned

GOLDEN = sorted((HERE / "golden").glob("*.yaml"))
KINDS = (AUTOSCALER, CONFIG_MAP, DEPLOYMENT, DISRUPTION_BUDGET, NETWORK_POLICY, SECRET, SERVICE)
WAIT_S_MAX = 20.0
SHARED = a_namespace(etcd_connection=b"{}")
MACHINE = Key(kind=NODE, name="machine")
PLANS = tuple(map(unowned, RUNTIME_PLANS.values()))


@pytest.fixture
async def cluster(control_plane: ControlPlane) -> AsyncIterator[KubernetesCluster]:
    account = Account.found(kubeconfig=control_plane.kubeconfig())
    async with KubernetesCluster.connected(account) as cluster:
        await cluster.apply({"metadata": {"name": "apples"}}, NAMESPACE)
        yield cluster


@asynccontextmanager
async def fleet_of(cluster: Cluster) -> AsyncIterator[KubernetesFleet]:
    async with cancelled_at_the_end() as owner:
        yield KubernetesFleet(cluster, owner=owner, clock=LoopClock())


async def revisions(cluster: Cluster) -> dict[tuple[str, str], str]:
    """Of each object that a fleet made: its generation, or its version where it has none."""
    found = {}
    for kind in KINDS:
        for each in await cluster.list(kind, namespace="apples", labels={"remesh.io/fleet": "true"}):
            metadata = each["metadata"]
            found[kind.name, metadata["name"]] = str(metadata.get("generation", metadata["resourceVersion"]))
    return found


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
@pytest.mark.parametrize("how", ["--server-side", "--server-side=false"])
async def test_golden_files_are_accepted(
    control_plane: ControlPlane, cluster: KubernetesCluster, path: Path, how: str
) -> None:
    # The kind of the Prometheus operator is not installed here.
    told = [each for each in yaml.safe_load_all(path.read_text()) if each["kind"] != "ServiceMonitor"]
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": told})
    words = ("apply", how, "--dry-run=server", "--validate=strict", "--filename", "-")
    said = control_plane.kubectl(*words, stdin=items)
    assert len(said.splitlines()) == len(told)


async def test_the_same_plans_change_nothing_and_what_is_withdrawn_is_gone(
    cluster: KubernetesCluster,
) -> None:
    async def bring_about(fleet: KubernetesFleet) -> None:
        await fleet.prepare(SHARED)
        for plan in PLANS:
            await fleet.run(plan)

    async with fleet_of(cluster) as fleet:
        await bring_about(fleet)
        before = await revisions(cluster)
    assert len(before) == 4 + 2 * len(PLANS) + 1
    async with fleet_of(cluster) as fleet:
        await bring_about(fleet)
        assert await revisions(cluster) == before
        await fleet.stop("apples", "triton-2.x")
        assert not [name for _, name in await revisions(cluster) if name.endswith("triton-2.x")]
        await fleet.withdraw("apples")
        assert await revisions(cluster) == {}


async def test_a_service_becomes_headless_and_back(cluster: KubernetesCluster) -> None:
    key = Key(kind=SERVICE, name="bare", namespace="apples")
    async with fleet_of(cluster) as fleet:
        for headless in (True, False, True):
            await fleet.prepare(a_namespace(config=replace(BARE, headless_service=headless)))
            found = await cluster.get(key)
            assert found is not None
            assert (found["spec"]["clusterIP"] == "None") is headless
        await fleet.withdraw("apples")


async def test_replicas_pass_from_plan_to_autoscaler_and_back(cluster: KubernetesCluster) -> None:
    fixed = unowned(a_plan(replicas=3))
    scaled = replace(fixed, autoscaling=Autoscaling(replicas_min=1, replicas_max=5))
    key = Key(kind=DEPLOYMENT, name=fixed.name, namespace="apples")

    async def replicas(fleet: KubernetesFleet, plan: RuntimePlan) -> int:
        await fleet.run(plan)
        found = await cluster.get(key)
        assert found is not None
        return int(found["spec"]["replicas"])

    async with fleet_of(cluster) as fleet:
        assert await replicas(fleet, fixed) == 3
        assert await replicas(fleet, scaled) == 3
        await cluster.patch(key, {"spec": {"replicas": 4}})
        assert await replicas(fleet, replace(scaled, stamp="another")) == 4
        assert await replicas(fleet, replace(scaled, replicas=0)) == 0
        assert await replicas(fleet, scaled) == 1
        assert await replicas(fleet, fixed) == 3
        await fleet.withdraw("apples")


async def test_what_people_change_is_mended_and_what_they_add_stays(cluster: KubernetesCluster) -> None:
    plan = unowned(a_plan())
    key = Key(kind=DEPLOYMENT, name=plan.name, namespace="apples")
    async with fleet_of(cluster) as fleet:
        await fleet.run(plan)
        changes = fleet.changes()
        await cluster.delete(key)
        async with asyncio.timeout(WAIT_S_MAX):
            while await cluster.get(key) is None:
                assert await anext(changes) == ("apples", "mlserver-1.x")
                await fleet.run(plan)
        added = {"name": "ADDED", "value": "by somebody"}
        found = await cluster.get(key)
        assert found is not None
        containers = found["spec"]["template"]["spec"]["containers"]
        containers[-1]["env"].append(added)
        await cluster.patch(key, {"spec": {"template": {"spec": {"containers": containers}}}})
        await fleet.run(replace(plan, stamp="another"))
        found = await cluster.get(key)
        assert found is not None
        assert added in found["spec"]["template"]["spec"]["containers"][-1]["env"]
        await fleet.withdraw("apples")


async def test_pods_that_do_not_start_are_told_and_addresses_follow_the_slices(
    cluster: KubernetesCluster,
) -> None:
    plan = unowned(a_plan(replicas=1))
    async with fleet_of(cluster) as fleet:
        await fleet.prepare(SHARED)
        await fleet.run(plan)
        # There is no machine in this cluster.
        await eventually(lambda: "cannot be scheduled" in fleet.health("apples", "mlserver-1.x").problem)
        await cluster.create(
            {"metadata": {"name": "machine", "labels": {"kubernetes.io/arch": "amd64"}}}, NODE
        )
        await cluster.patch_status(MACHINE, {"status": _machine()})
        await eventually(lambda: not fleet.health("apples", "mlserver-1.x").problem)
        pods = await cluster.list(POD, namespace="apples", labels={"name": plan.name})
        await cluster.patch_status(_key(pods[0], POD), {"status": _ready()})
        await eventually(lambda: fleet.addresses("apples") == ("10.1.2.3:8033",))
        await eventually(lambda: fleet.health("apples", "mlserver-1.x").ready == 1)
        await cluster.patch_status(_key(pods[0], POD), {"status": _crashed()})
        await eventually(lambda: "out of luck" in fleet.health("apples", "mlserver-1.x").problem)
        await eventually(lambda: fleet.addresses("apples") == ())
        await fleet.withdraw("apples")
    await cluster.delete(MACHINE)


def _machine() -> dict[str, Any]:
    room = {"cpu": "64", "memory": "256Gi", "pods": "100", "ephemeral-storage": "1Ti"}
    return {"capacity": room, "allocatable": room, "conditions": [{"type": "Ready", "status": "True"}]}


def _key(manifest: Manifest, kind: Kind) -> Key:
    metadata = manifest["metadata"]
    return Key(kind=kind, name=metadata["name"], namespace=metadata["namespace"])


def _ready() -> dict[str, Any]:
    return {
        "phase": "Running",
        "podIP": "10.1.2.3",
        "podIPs": [{"ip": "10.1.2.3"}],
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
    }


def _crashed() -> dict[str, Any]:
    container = {
        "name": "mlserver",
        "image": "x",
        "imageID": "",
        "ready": False,
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "message": "out of luck"}},
    }
    return {"containerStatuses": [container], "conditions": [{"type": "Ready", "status": "False"}]}
