"""The cluster in memory does what real ones do."""

import asyncio

import pytest

from adapter.cluster.cluster import Changed, ClusterUnavailable, Listed, ObjectConflict
from adapter.domain.kinds import DEPLOYMENT, NAMESPACE, POD, SERVICE_MONITOR, Key
from tests.contracts.cluster import HERD, SHEEP, Meadow, define, following, known
from tests.contracts.cluster_follows import ClusterContract
from tests.fakes.memory_cluster import MemoryCluster

DOLLY = Key(kind=SHEEP, name="dolly", namespace="default")


class TestMemoryCluster(ClusterContract):
    @pytest.fixture
    async def cluster(self) -> MemoryCluster:
        cluster = MemoryCluster()
        await define(cluster, SHEEP, HERD)
        return cluster

    @pytest.fixture
    def other(self, cluster: MemoryCluster) -> MemoryCluster:
        return cluster.another("other")

    async def test_while_it_is_away_nothing_is_answered(self, cluster: MemoryCluster) -> None:
        cluster.away = True
        with pytest.raises(ClusterUnavailable):
            await cluster.get(DOLLY)
        with pytest.raises(ClusterUnavailable):
            await cluster.delete(DOLLY)

    async def test_who_follows_it_hears_later_what_happened_meanwhile(self, cluster: MemoryCluster) -> None:
        async with following(cluster, SHEEP, namespace=None) as followed:
            await followed.listed()
            cluster.away = True
            cluster.put(Meadow(cluster, "default").sheep("dolly"), SHEEP)
            waiting = asyncio.ensure_future(followed.next())
            await asyncio.sleep(1)
            assert not waiting.done()
            cluster.away = False
            assert isinstance(await waiting, Changed)

    async def test_what_cannot_be_told_any_more_is_listed_anew(self, cluster: MemoryCluster) -> None:
        async with following(cluster, SHEEP, namespace=None) as followed:
            assert await followed.listed() == []
            cluster.put(Meadow(cluster, "default").sheep("dolly"), SHEEP)
            cluster.compact()
            assert await followed.listed() == ["dolly"]

    async def test_others_may_come_in_between(self, cluster: MemoryCluster) -> None:
        made = cluster.put(Meadow(cluster, "default").sheep("dolly"), SHEEP)
        cluster.before = lambda verb, key: cluster.drop(key)
        with pytest.raises(ObjectConflict):
            await cluster.replace(made, SHEEP)
        assert cluster.writes[-1] == ("replace", DOLLY)

    async def test_a_namespace_takes_all_with_it(self, cluster: MemoryCluster) -> None:
        cluster.put(Meadow(cluster, "default").sheep("dolly"), SHEEP)
        await cluster.delete(Key(kind=NAMESPACE, name="default"))
        assert cluster.all(SHEEP) == []

    async def test_an_orphan_does_not_live(self, cluster: MemoryCluster) -> None:
        owner = {"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "gone"}
        await cluster.create(Meadow(cluster, "default").sheep("dolly", ownerReferences=[owner]), SHEEP)
        assert await cluster.get(DOLLY) is None

    async def test_logs_are_what_the_test_says(self, cluster: MemoryCluster) -> None:
        pod = Key(kind=POD, name="p", namespace="default")
        cluster.logs[pod, "mm", True] = "one\ntwo\nthree\n"
        assert await cluster.log_tail(pod, container="mm", lines=2, previous=True) == "two\nthree"
        assert await cluster.log_tail(pod, container="mm", lines=2) == ""

    async def test_kinds_come_and_go(self, cluster: MemoryCluster) -> None:
        cluster.uninstall(SERVICE_MONITOR)
        async with following(cluster, SERVICE_MONITOR, namespace=None) as followed:
            waiting = asyncio.ensure_future(followed.next())
            await asyncio.sleep(1)
            assert not waiting.done()
            cluster.install(SERVICE_MONITOR)
            assert await waiting == Listed(objects=[])

    async def test_a_test_may_put_a_status(self, cluster: MemoryCluster) -> None:
        cluster.put(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "d", "namespace": "default"},
                "status": {"readyReplicas": 2},
            }
        )
        found = known(cluster.now(Key(kind=DEPLOYMENT, name="d", namespace="default")))
        assert found["status"] == {"readyReplicas": 2}
