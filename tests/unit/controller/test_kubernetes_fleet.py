from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster.cluster import ClusterUnavailable
from adapter.controller.applying import NotOurs
from adapter.controller.config import ControllerConfig
from adapter.controller.desired.names import OURS
from adapter.controller.kubernetes_fleet import KubernetesFleet
from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.plans import Autoscaling, RuntimePlan
from adapter.domain import kinds
from adapter.domain.kinds import AUTOSCALER, CONFIG_MAP, DEPLOYMENT, SERVICE, Key, Kind
from tests.fakes.memory_cluster import MemoryCluster
from tests.unit.controller.desired.examples import (
    NAMESPACE_PLANS,
    RUNTIME_PLANS,
    a_namespace,
    a_plan,
    unowned,
)

EVERY_KIND = (
    *(kinds.DEPLOYMENT, kinds.AUTOSCALER, kinds.DISRUPTION_BUDGET, kinds.SERVICE, kinds.SERVICE_MONITOR),
    *(kinds.CONFIG_MAP, kinds.SECRET, kinds.NETWORK_POLICY),
)
NAME = "modelmesh-serving-mlserver-1.x"
PLAN = unowned(a_plan())
FULL = replace(NAMESPACE_PLANS["namespace"], owner=None)
SCALED = unowned(a_plan(autoscaling=Autoscaling(replicas_min=2, replicas_max=4)))


class World:
    def __init__(self) -> None:
        self.cluster = MemoryCluster(namespaces=["apples", "pears", "controller"])
        self.cluster.install(kinds.SERVICE_MONITOR)

    @asynccontextmanager
    async def fleet(self) -> AsyncIterator[KubernetesFleet]:
        """A controller that starts, and ends with the block."""
        async with cancelled_at_the_end() as owner:
            yield KubernetesFleet(self.cluster, owner=owner, clock=LoopClock())

    def names(self, *only: Kind) -> set[tuple[str, str]]:
        """The kind and name of each object that a fleet makes."""
        return {
            (kind.name, found["metadata"]["name"])
            for kind in only or EVERY_KIND
            for found in self.cluster.all(kind)
        }

    def replicas(self, name: str = NAME) -> Any:
        found = self.cluster.now(Key(kind=DEPLOYMENT, name=name, namespace="apples"))
        assert found is not None
        return found["spec"].get("replicas")

    def set_replicas(self, count: int) -> None:
        """As an autoscaler does it."""
        found = self.cluster.now(Key(kind=DEPLOYMENT, name=NAME, namespace="apples"))
        assert found is not None
        self.cluster.put({**found, "spec": {**found["spec"], "replicas": count}})


@pytest.fixture
def world() -> World:
    return World()


async def test_a_namespace_gets_what_its_runtimes_share(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.prepare(FULL)
    assert world.names() == {
        ("Service", "modelmesh-serving"),
        ("NetworkPolicy", "modelmesh-runtimes"),
        ("ConfigMap", "tc-config"),
        ("Secret", "model-serving-etcd"),
        ("ServiceMonitor", "modelmesh-metrics-monitor"),
    }


async def test_the_constraints_are_those_of_the_runtimes(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.prepare(a_namespace())
    found = world.cluster.now(Key(kind=CONFIG_MAP, name="tc-config", namespace="apples"))
    assert found is not None
    assert found["binaryData"].keys() == {"type_constraints", "dataplane_api_config"}


async def test_the_last_runtime_takes_constraints_and_secret_with_it(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.prepare(FULL)
        await fleet.prepare(replace(FULL, runtimes=()))
    assert world.names(kinds.CONFIG_MAP, kinds.SECRET) == set()


async def test_a_runtime_gets_its_objects_and_the_same_plan_changes_nothing(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.run(PLAN)
        assert world.names() == {("Deployment", NAME), ("PodDisruptionBudget", NAME)}
        world.cluster.writes.clear()
        await fleet.run(PLAN)
        await fleet.run(unowned(a_plan()))
    assert world.cluster.writes == []


async def test_a_controller_that_starts_again_changes_nothing(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.run(PLAN)
    before = world.cluster.all(DEPLOYMENT)
    async with world.fleet() as fleet:
        await fleet.run(PLAN)
    assert world.cluster.all(DEPLOYMENT) == before


async def test_a_runtime_that_cannot_run_says_why(world: World) -> None:
    async with world.fleet() as fleet:
        with pytest.raises(BadManifest, match="must have at least one container"):
            await fleet.run(replace(PLAN, runtime=replace(PLAN.runtime, containers=())))
    assert world.names() == set()


async def test_what_somebody_deletes_comes_back_and_is_asked_for(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.prepare(a_namespace())
        await fleet.run(PLAN)
        changes = fleet.changes()
        key = Key(kind=DEPLOYMENT, name=NAME, namespace="apples")
        await LoopClock().sleep(1)
        world.cluster.drop(key)
        assert await anext(changes) == ("apples", "mlserver-1.x")
        await fleet.run(PLAN)
        assert world.cluster.now(key) is not None


async def test_a_new_runtime_with_an_autoscaler_starts_with_the_least(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.run(SCALED)
    assert world.replicas() == 2
    assert ("HorizontalPodAutoscaler", NAME) in world.names()


async def test_what_the_autoscaler_decided_survives_a_change(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.run(SCALED)
        world.set_replicas(3)
        await fleet.run(replace(SCALED, stamp="another"))
        assert world.replicas() == 3


@pytest.mark.parametrize(
    ("plan", "count"),
    [
        pytest.param(replace(SCALED, replicas=0), 0, id="scaled to zero"),
        pytest.param(replace(SCALED, autoscaling=None), 2, id="autoscaled no more"),
    ],
)
async def test_an_autoscaler_goes_when_it_must_not_decide(
    world: World, plan: RuntimePlan, count: int
) -> None:
    async with world.fleet() as fleet:
        await fleet.run(SCALED)
    async with world.fleet() as fleet:
        await fleet.run(plan)
    assert world.names(AUTOSCALER) == set()
    assert world.replicas() == count


async def test_marks_are_kept_with_the_deployment(world: World) -> None:
    marks = {"remesh.io/unneeded-since": "2026-01-01T00:00:00Z"}
    async with world.fleet() as fleet:
        await fleet.run(replace(PLAN, marks=marks))
    async with world.fleet() as fleet:
        await fleet.seen()
        assert fleet.health("apples", "mlserver-1.x").marks == marks
        await fleet.run(PLAN)
        assert fleet.health("apples", "mlserver-1.x").marks == {}


async def test_a_stopped_runtime_leaves_nothing_and_others_alone(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.run(SCALED)
        await fleet.run(unowned(RUNTIME_PLANS["sockets"]))
    async with world.fleet() as fleet:
        await fleet.stop("apples", "mlserver-1.x")
    assert {name for _, name in world.names()} == {"modelmesh-serving-custom-sockets"}


async def test_what_never_ran_is_stopped_without_a_request(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.seen()
        world.cluster.away = True
        await fleet.stop("apples", "other")
        await fleet.stop("apples", "x" * 200)


async def test_a_withdrawn_namespace_has_nothing_left(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.prepare(FULL)
        await fleet.run(SCALED)
        await fleet.withdraw("apples")
    assert world.names() == set()


async def test_a_door_comes_and_goes_with_the_plan_and_is_no_runtime(world: World) -> None:
    door = (DEPLOYMENT.name, "modelmesh-serving--door")
    async with world.fleet() as fleet:
        await fleet.prepare(replace(FULL, door=True))
        assert world.names(DEPLOYMENT) == {door}
        assert fleet.health("apples", "door").wanted == fleet.health("apples", "-door").wanted == 0
        await fleet.prepare(FULL)
        assert world.names(DEPLOYMENT) == set()
        await fleet.prepare(replace(FULL, door=True))
        await fleet.withdraw("apples")
    assert world.names() == set()


async def test_what_the_controller_before_us_left_is_withdrawn_too(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.prepare(FULL)
        await fleet.run(SCALED)
    async with world.fleet() as fleet:
        await fleet.withdraw("apples")
        assert world.names() == set()
        await fleet.withdraw("pears")
        await LoopClock().sleep(1)
        world.cluster.away = True
        await fleet.withdraw("apples")
        await fleet.withdraw("pears")


async def test_a_withdrawal_that_failed_is_done_when_it_can_be(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.prepare(FULL)
        await fleet.seen()
        world.cluster.away = True
        with pytest.raises(ClusterUnavailable):
            await fleet.withdraw("apples")
        world.cluster.away = False
        await fleet.withdraw("apples")
    assert world.names() == set()


async def test_what_others_have_there_stays(world: World) -> None:
    theirs = {"app.kubernetes.io/managed-by": "modelmesh-controller"}
    for kind, name in (
        (kinds.SECRET, "model-serving-etcd"),
        (kinds.SERVICE, "webhook"),
        (DEPLOYMENT, "manager"),
    ):
        names = {"name": name, "namespace": "apples", "labels": theirs}
        world.cluster.put({"apiVersion": kind.api_version, "kind": kind.name, "metadata": names})
    before = world.names()
    async with world.fleet() as fleet:
        await fleet.prepare(a_namespace())
        await fleet.run(PLAN)
        await fleet.prepare(a_namespace(runtimes=()))
        await fleet.withdraw("apples")
    assert world.names() == before


async def test_another_service_name_is_another_mesh(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.prepare(a_namespace())
        await fleet.run(PLAN)
        config = ControllerConfig(service_name="renamed")
        await fleet.prepare(a_namespace(config=config))
        await fleet.run(replace(PLAN, config=config))
    assert {name for _, name in world.names(DEPLOYMENT, SERVICE)} == {"renamed", "renamed-mlserver-1.x"}


async def test_a_service_that_somebody_else_made_is_not_touched(world: World) -> None:
    names = {"name": "modelmesh-serving", "namespace": "apples"}
    world.cluster.put({"apiVersion": "v1", "kind": "Service", "metadata": names, "spec": {"mine": True}})
    async with world.fleet() as fleet:
        with pytest.raises(NotOurs):
            await fleet.prepare(a_namespace())


async def test_everything_made_has_the_fleets_label(world: World) -> None:
    async with world.fleet() as fleet:
        await fleet.prepare(FULL)
        await fleet.run(SCALED)
    for found in _all(world):
        assert found["metadata"]["labels"].items() >= OURS.items()


def _all(world: World) -> Iterable[dict[str, Any]]:
    return (found for kind in EVERY_KIND for found in world.cluster.all(kind))
