"""The cluster over a real API server does what the one in memory does; and what only a server says."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapter.aio.clock import LoopClock
from adapter.cluster.cluster import ClusterRefused, ClusterUnavailable
from adapter.cluster.event_recorder import NORMAL, WARNING, EventRecorder
from adapter.cluster.kubernetes import KubernetesCluster
from adapter.cluster.kubernetes_api import Account
from adapter.cluster.kubernetes_paths import PAGE
from adapter.cluster.leader_election import LOCK_NAME, LeaderElection
from adapter.domain.kinds import CONFIG_MAP, LEASE, NAMESPACE, POD, Key
from tests.contracts.cluster import HERD, SHEEP, define, following, known
from tests.contracts.cluster_follows import ClusterContract
from tests.integration.control_plane import NOBODY, ControlPlane
from tests.integration.mesh import free_port


@pytest.fixture
async def cluster(control_plane: ControlPlane) -> AsyncIterator[KubernetesCluster]:
    account = Account.found(kubeconfig=control_plane.kubeconfig())
    async with KubernetesCluster.connected(account) as cluster:
        yield cluster


@pytest.fixture
async def nobody(control_plane: ControlPlane) -> AsyncIterator[KubernetesCluster]:
    """One who may do nothing."""
    account = Account.found(kubeconfig=control_plane.kubeconfig(NOBODY))
    async with KubernetesCluster.connected(account) as cluster:
        yield cluster


class TestKubernetesCluster(ClusterContract):
    @pytest.fixture
    async def cluster(self, cluster: KubernetesCluster) -> KubernetesCluster:
        await define(cluster, SHEEP, HERD)
        return cluster

    @pytest.fixture
    async def other(self, control_plane: ControlPlane) -> AsyncIterator[KubernetesCluster]:
        account = Account.found(kubeconfig=control_plane.kubeconfig())
        async with KubernetesCluster.connected(account, manager="other") as other:
            yield other


async def test_what_only_the_server_needs_is_left_out(cluster: KubernetesCluster) -> None:
    made = await cluster.apply({"metadata": {"name": "lean", "namespace": "default"}}, CONFIG_MAP)
    listed = await cluster.list(CONFIG_MAP, namespace="default")
    assert all("managedFields" not in each["metadata"] for each in [made, *listed])


async def test_a_list_of_many_pages_is_whole(cluster: KubernetesCluster) -> None:
    await cluster.create({"metadata": {"name": "pages"}}, NAMESPACE)
    names = {f"c-{number}" for number in range(PAGE + 3)}
    async with asyncio.TaskGroup() as group:
        for name in names:
            metadata = {"name": name, "namespace": "pages", "labels": {"of": "pages"}}
            group.create_task(cluster.create({"metadata": metadata}, CONFIG_MAP))
    found = await cluster.list(CONFIG_MAP, namespace="pages", labels={"of": "pages"})
    assert {each["metadata"]["name"] for each in found} == names
    async with following(cluster, CONFIG_MAP, namespace="pages") as followed:
        assert names <= set(await followed.listed())


async def test_the_servers_words_are_passed_on(cluster: KubernetesCluster) -> None:
    bad = {"metadata": {"name": "Not A Name", "namespace": "default"}}
    for write in (cluster.create, cluster.apply):
        with pytest.raises(ClusterRefused, match="lowercase RFC 1123"):
            await write(bad, CONFIG_MAP)


async def test_a_pod_that_has_not_started_has_no_log(cluster: KubernetesCluster) -> None:
    container = {"name": "mm", "image": "remesh"}
    metadata = {"name": "waits", "namespace": "default"}
    await cluster.create({"metadata": metadata, "spec": {"containers": [container]}}, POD)
    key = Key(kind=POD, name="waits", namespace="default")
    assert await cluster.log_tail(key, container="mm", lines=5, previous=True) == ""
    assert await cluster.delete(key)


async def test_who_may_not_is_told_so(nobody: KubernetesCluster) -> None:
    with pytest.raises(ClusterRefused, match='"nobody" cannot list resource "configmaps"'):
        await nobody.list(CONFIG_MAP)


async def test_who_may_not_follow_waits_until_he_may(
    control_plane: ControlPlane, nobody: KubernetesCluster
) -> None:
    control_plane.kubectl("create", "namespace", "forbidden")
    async with following(nobody, CONFIG_MAP, namespace="forbidden") as followed:
        waiting = asyncio.ensure_future(followed.listed())
        await asyncio.sleep(0.5)
        assert not waiting.done()
        role = ("--clusterrole=view", f"--user={NOBODY}", "--namespace=forbidden")
        control_plane.kubectl("create", "rolebinding", "viewers", *role)
        assert "kube-root-ca.crt" in await waiting


async def test_a_service_account_has_its_own_rights(control_plane: ControlPlane) -> None:
    account = Account.found(kubeconfig=control_plane.account("default", "default"))
    async with KubernetesCluster.connected(account) as cluster:
        with pytest.raises(ClusterRefused, match="system:serviceaccount:default:default"):
            await cluster.list(CONFIG_MAP)


async def test_nobody_at_the_address(control_plane: ControlPlane, tmp_path: Path) -> None:
    elsewhere = json.loads(control_plane.kubeconfig().read_text())
    elsewhere["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    (tmp_path / "config").write_text(json.dumps(elsewhere))
    account = Account.found(kubeconfig=tmp_path / "config")
    async with KubernetesCluster.connected(account) as cluster:
        with pytest.raises(ClusterUnavailable, match=str(account.server)):
            await cluster.list(CONFIG_MAP)


async def test_strangers_are_refused(control_plane: ControlPlane) -> None:
    account = Account.found(kubeconfig=control_plane.kubeconfig("stranger", token="made-up"))
    async with KubernetesCluster.connected(account) as cluster:
        with pytest.raises(ClusterRefused, match="Unauthorized"):
            await cluster.list(CONFIG_MAP)


async def test_events_are_shown_by_kubectl(control_plane: ControlPlane, cluster: KubernetesCluster) -> None:
    recorder = EventRecorder(cluster, LoopClock(), component="remesh-controller", instance="pod-1")
    about = await cluster.create({"metadata": {"name": "told", "namespace": "default"}}, CONFIG_MAP)
    recorder.record(about, WARNING, "Failed", "x" * 5000)
    recorder.record(known(await cluster.get(Key(kind=NAMESPACE, name="default"))), NORMAL, "Seen", "it is")
    await recorder.written()
    described = control_plane.kubectl("describe", "configmap", "told")
    shown = described.partition("Events:")[2].split()
    assert {"Warning", "Failed", "remesh-controller"} <= set(shown)
    assert "it is" in control_plane.kubectl("events", "--for", "namespace/default")


async def test_one_leads_and_the_next_one_follows(cluster: KubernetesCluster) -> None:
    leaders: list[str] = []

    async def stand(identity: str) -> None:
        async def work() -> None:
            leaders.append(identity)
            await asyncio.sleep(0.5)

        clock = LoopClock()
        election = LeaderElection(cluster=cluster, clock=clock, namespace="default", identity=identity)
        await election.run(work)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for identity in ("one", "two"):
            group.create_task(stand(identity))
    assert sorted(leaders) == ["one", "two"]
    lease = known(await cluster.get(Key(kind=LEASE, name=LOCK_NAME, namespace="default")))
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]) == ("", 1)
