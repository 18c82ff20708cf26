"""What is done while not everything has been heard of yet: nothing that would have to be undone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapter.cluster.cluster import Changed, Listed
from adapter.controller.config import ControllerConfig, ScaleToZero, TlsConfig
from adapter.controller.plans import NamespacePlan, RuntimePlan
from adapter.domain.kinds import CLAIM, SECRET, Kind
from tests.fakes.fleet import MemoryFleet
from tests.fakes.memory_cluster import MemoryCluster
from tests.unit.controller.managed import HOME, NS, a_controller, isvc, runtime
from tests.unit.controller.test_runtime_work import claim, secret

LATE_S = 5.0
ETCD = "model-serving-etcd"


class Late(MemoryCluster):
    """One of its kinds is heard of late: in all namespaces, or in one."""

    def __init__(self, kind: Kind, *, where: str = "", home: dict[str, str] | None = None) -> None:
        super().__init__(namespaces=[])
        self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME, "labels": home or {}}})
        self._kind, self._where = kind, where

    async def follow(self, kind: Kind, *, namespace: str | None = None) -> AsyncIterator[Listed | Changed]:
        if kind == self._kind and self._where in ("", namespace):
            await asyncio.sleep(LATE_S)
        async for news in super().follow(kind, namespace=namespace):
            yield news


class Witness(MemoryFleet):
    """Remembers every plan."""

    def __init__(self) -> None:
        super().__init__()
        self.run_as: list[RuntimePlan] = []
        self.prepared: list[NamespacePlan] = []

    async def run(self, plan: RuntimePlan) -> None:
        self.run_as.append(plan)
        await super().run(plan)

    async def prepare(self, plan: NamespacePlan) -> None:
        if plan.namespace == NS:
            self.prepared.append(plan)
        await super().prepare(plan)


def etcd(where: str, endpoints: str = "http://etcd:2379") -> dict[str, Any]:
    return secret(ETCD, {"etcd_connection": {"endpoints": endpoints}}, namespace=where)


def stamps(fleet: Witness) -> set[str]:
    return {plan.stamp for plan in fleet.run_as}


@pytest.mark.parametrize("where", [NS, HOME, ""], ids=["of its namespace", "of the own one", "of both"])
async def test_nothing_runs_before_the_secrets_are_known(where: str) -> None:
    fleet = Witness()
    objects = (etcd(HOME), etcd(NS), runtime("server"), isvc("iris"))
    async with a_controller(*objects, cluster=Late(SECRET, where=where), fleet=fleet) as it:
        assert (fleet.run_as, fleet.prepared, it.mesh.asked) == ([], [], [])
        await it.until(lambda: it.state("iris")[0] == "Loaded")
        assert len(stamps(fleet)) == 1
        assert stamps(fleet) != {""}


async def test_a_secret_of_their_own_is_never_taken_for_missing() -> None:
    fleet = Witness()
    objects = (etcd(HOME), etcd(NS, "http://theirs:2379"), runtime("server"))
    async with a_controller(*objects, cluster=Late(SECRET, where=NS), fleet=fleet) as it:
        await it.until(lambda: fleet.prepared)
        assert {plan.etcd_connection for plan in fleet.prepared} == {None}


async def test_claims_are_mounted_from_the_first() -> None:
    fleet = Witness()
    config = ControllerConfig(scale_to_zero=ScaleToZero(enabled=False), allow_any_claim=True)
    model = isvc("iris", storage={"path": "p", "parameters": {"type": "pvc", "name": "disk"}})
    objects = (runtime("server"), model, claim("disk"))
    async with a_controller(*objects, cluster=Late(CLAIM), fleet=fleet, config=config) as it:
        await it.until(lambda: fleet.run_as)
        assert {plan.claims for plan in fleet.run_as} == {("disk",)}


async def test_who_does_not_use_claims_does_not_wait_for_them() -> None:
    async with a_controller(runtime("server"), isvc("iris"), cluster=Late(CLAIM)) as it:
        assert it.state("iris")[0] == "Loaded"


async def test_another_secret_is_waited_for_when_the_configuration_names_it() -> None:
    fleet = Witness()
    authority = secret("tls", {"ca.crt": "an authority"})
    async with a_controller(etcd(HOME), authority, runtime("server"), fleet=fleet) as it:
        fleet.run_as.clear()
        it.manager.world.configure(
            ControllerConfig(scale_to_zero=ScaleToZero(enabled=False), tls=TlsConfig(secret_name="tls"))
        )
        it.manager._configured()
        await it.settle()
        assert {plan.has_ca for plan in fleet.run_as} == {True}


async def test_a_copy_that_appears_replaces_no_pods() -> None:
    fleet = Witness()
    async with a_controller(etcd(HOME), runtime("server"), fleet=fleet) as it:
        before = stamps(fleet)
        copy = etcd(NS)
        copy["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "modelmesh-controller"}
        it.cluster.put(copy)
        await it.settle()
        assert stamps(fleet) == before != {""}
        it.cluster.put(etcd(HOME, "http://other:2379"))
        await it.settle()
        assert len(stamps(fleet)) == 2


async def test_where_etcd_is_is_known_though_the_own_namespace_has_no_mesh() -> None:
    fleet = Witness()
    cluster = Late(CLAIM, home={"modelmesh-enabled": "false"})
    async with a_controller(etcd(HOME), runtime("server"), cluster=cluster, fleet=fleet):
        assert {plan.etcd_connection is None for plan in fleet.prepared} == {False}
        assert set(fleet.namespaces) == {NS}


async def test_a_namespace_is_given_up_though_its_secrets_are_not_known() -> None:
    async with a_controller(runtime("server"), cluster=Late(SECRET, where=NS)) as it:
        it.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}})
        await it.settle()
        assert NS in it.fleet.withdrawn
