"""The cluster over an API server that goes away, comes back, or falls silent; on a plane of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from adapter.cluster.cluster import ClusterUnavailable
from adapter.cluster.kubernetes import KubernetesCluster
from adapter.cluster.kubernetes_api import Account, KubernetesApi
from adapter.cluster.kubernetes_paths import kind_path, watch_params
from adapter.domain.kinds import CONFIG_MAP, Key
from tests.contracts.cluster import following
from tests.integration.control_plane import ControlPlane, running


@pytest.fixture(scope="module")
def own_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with running(tmp_path_factory.mktemp("outages")) as plane:
        yield plane


@pytest.fixture
async def cluster(own_plane: ControlPlane) -> AsyncIterator[KubernetesCluster]:
    account = Account.found(kubeconfig=own_plane.kubeconfig())
    async with KubernetesCluster.connected(account) as cluster:
        yield cluster


def settings(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}}


async def test_who_follows_goes_on_after_a_restart(
    own_plane: ControlPlane, cluster: KubernetesCluster
) -> None:
    server = own_plane.api_server
    async with following(cluster, CONFIG_MAP, namespace="default") as followed:
        await followed.listed()
        await cluster.create(settings("before"), CONFIG_MAP)
        await followed.changed()
        await asyncio.to_thread(server.kill)
        with pytest.raises(ClusterUnavailable):
            await cluster.get(Key(kind=CONFIG_MAP, name="before", namespace="default"))
        server.start()
        await asyncio.to_thread(own_plane.wait_until_ready)
        await cluster.create(settings("after"), CONFIG_MAP)
        assert "after" in await followed.until("after")


async def test_what_the_server_has_forgotten_is_listed_anew(
    own_plane: ControlPlane, cluster: KubernetesCluster
) -> None:
    """A new server remembers nothing of before, and the version that we know is older than its first."""
    async with following(cluster, CONFIG_MAP, namespace="default") as followed:
        await followed.listed()
        await asyncio.to_thread(own_plane.api_server.kill)
        own_plane.etcd.ctl("put", "/cluster/unrelated", "1")
        own_plane.etcd.compact()
        own_plane.api_server.start()
        await asyncio.to_thread(own_plane.wait_until_ready)
        await cluster.create(settings("forgotten"), CONFIG_MAP)
        assert "forgotten" in await followed.until("forgotten")


async def test_a_silent_server_is_noticed(own_plane: ControlPlane) -> None:
    account = Account.found(kubeconfig=own_plane.kubeconfig())
    async with KubernetesApi.connected(account) as api:
        params = watch_params("", seconds=60)
        with pytest.raises(ClusterUnavailable, match="went quiet"):
            await _watched_while_frozen(own_plane, api, params)


async def _watched_while_frozen(plane: ControlPlane, api: KubernetesApi, params: dict[str, str]) -> None:
    path = kind_path(CONFIG_MAP, "default")
    async with api.lines(path, params=params, quiet_s_max=0.3) as lines:
        with plane.api_server.frozen():
            async for _ in lines:
                pass
