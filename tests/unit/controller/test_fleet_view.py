import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from adapter.aio.groups import cancelled_at_the_end
from adapter.controller.fleet_view import FleetView
from adapter.controller.plans import RuntimeHealth
from adapter.controller.pod_facts import DeploymentFacts
from adapter.domain.kinds import DEPLOYMENT, POD, Key
from tests.fakes.memory_cluster import MemoryCluster

LABELS = {"remesh.io/runtime": "sk", "modelmesh-service": "mesh"}
CRASHED = {"terminated": {"exitCode": 1, "reason": "Error"}}
NAME = "mesh-sk"


class World:
    def __init__(self) -> None:
        self.cluster = MemoryCluster(namespaces=["apples", "pears"])
        self.drifted: list[tuple[str, DeploymentFacts | None]] = []
        self.is_drift = False

    def heard(self, key: Key, facts: DeploymentFacts | None) -> bool:
        self.drifted.append((key.name, facts))
        return self.is_drift

    @asynccontextmanager
    async def viewed(self, *, namespace: str | None = None) -> AsyncIterator[FleetView]:
        async with cancelled_at_the_end() as owner:
            yield FleetView(self.cluster, owner=owner, namespace=namespace, drifted=self.heard)

    def deployment(
        self, namespace: str = "apples", *, wanted: int = 2, ready: int = 0, **metadata: Any
    ) -> Any:
        names = {"name": NAME, "namespace": namespace, "labels": LABELS} | metadata
        return self.cluster.put(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": names,
                "spec": {"replicas": wanted},
                "status": {"readyReplicas": ready},
            }
        )

    def pod(self, name: str, *, container: dict[str, Any], **status: Any) -> None:
        told = {"containerStatuses": [{"name": "mm", **container}], **status}
        names = {"name": name, "namespace": "apples", "labels": LABELS}
        self.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": names, "spec": {}, "status": told})

    def slice(self, name: str, *hosts: str, service: str = "mesh") -> None:
        self.cluster.put(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": name,
                    "namespace": "apples",
                    "labels": {"kubernetes.io/service-name": service},
                },
                "addressType": "IPv4",
                "ports": [{"name": "grpc", "port": 8033}],
                "endpoints": [{"addresses": [host], "conditions": {"ready": True}} for host in hosts],
            }
        )


async def settle() -> None:
    """Time is virtual: whatever can happen, has."""
    await asyncio.sleep(1)


async def test_what_runs_from_before_is_known_first() -> None:
    world = World()
    world.deployment(wanted=3, ready=1, annotations={"remesh.io/asleep-since": "then"})
    async with world.viewed() as view:
        await view.seen()
        health = RuntimeHealth(wanted=3, ready=1, marks={"remesh.io/asleep-since": "then"})
        assert view.health("apples", "sk") == health
        assert view.has_deployment("apples")
        assert view.has_deployment("apples", "sk")
        assert not view.has_deployment("apples", "other")


async def test_what_does_not_run_has_no_health() -> None:
    async with World().viewed() as view:
        await view.seen()
        assert view.health("apples", "sk") == RuntimeHealth()
        assert view.addresses("apples") == ()


async def test_a_change_of_health_is_told_once() -> None:
    world = World()
    async with world.viewed() as view:
        changes = view.changes()
        waiting = asyncio.ensure_future(anext(changes))
        await settle()
        for ready in (0, 1, 2):
            world.deployment(ready=ready)
        assert await waiting == ("apples", "sk")
        assert view.health("apples", "sk").ready == 2
        another = asyncio.ensure_future(anext(changes))
        world.deployment(ready=2)
        await settle()
        assert not another.done()
        world.cluster.drop(Key(kind=DEPLOYMENT, name=NAME, namespace="apples"))
        assert await another == ("apples", "sk")


async def test_other_scopes_are_not_followed() -> None:
    world = World()
    world.deployment("pears")
    async with world.viewed(namespace="apples") as view:
        await view.seen()
        assert view.health("pears", "sk") == RuntimeHealth()


async def test_a_drift_is_told_though_the_health_is_the_same() -> None:
    world = World()
    world.deployment()
    async with world.viewed() as view:
        await view.seen()
        changes = view.changes()
        waiting = asyncio.ensure_future(anext(changes))
        await settle()
        world.is_drift = True
        world.deployment(annotations={"somebody": "else"})
        assert await waiting == ("apples", "sk")
        assert world.drifted[-1][0] == NAME


async def test_what_we_applied_counts_before_it_is_heard_of() -> None:
    world = World()
    async with world.viewed() as view:
        await view.seen()
        view.applied(world.deployment(wanted=4))
        assert view.health("apples", "sk").wanted == 4


async def test_a_crash_loop_is_told_with_its_last_lines() -> None:
    world = World()
    world.deployment()
    crashed = {"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": CRASHED}
    world.pod("pod-1", container={"ready": False, "state": {"waiting": {"reason": "ErrImagePull"}}})
    world.pod("pod-2", container=crashed)
    world.cluster.logs[Key(kind=POD, name="pod-2", namespace="apples"), "mm", True] = "no such file\nbye"
    async with world.viewed() as view:
        view.follow("apples", "mesh")
        await settle()
        assert view.health("apples", "sk").problem == (
            "pod pod-2: container mm: CrashLoopBackOff, ended with exit code 1, restarted 3 times; "
            "it said last:\nno such file\nbye"
        )


async def test_what_is_well_again_has_no_problem() -> None:
    world = World()
    world.deployment()
    world.pod("pod-1", container={"state": CRASHED})
    async with world.viewed() as view:
        view.follow("apples", "mesh")
        await settle()
        assert view.health("apples", "sk").problem
        world.pod("pod-1", container={"ready": True, "state": {"running": {}}})
        await settle()
        assert not view.health("apples", "sk").problem


async def test_an_evicted_pod_is_no_problem_once_there_is_another() -> None:
    world = World()
    world.deployment(wanted=1, ready=0)
    world.pod("pod-1", container={}, phase="Failed", reason="Evicted")
    async with world.viewed() as view:
        view.follow("apples", "mesh")
        await settle()
        assert "Evicted" in view.health("apples", "sk").problem
        world.deployment(wanted=1, ready=1)
        await settle()
        assert not view.health("apples", "sk").problem


async def test_addresses_are_the_services_and_a_change_is_told() -> None:
    world = World()
    world.deployment()
    world.slice("mesh-1", "10.0.0.2")
    world.slice("other-1", "10.0.0.9", service="other")
    async with world.viewed() as view:
        view.follow("apples", "mesh")
        view.follow("apples", "mesh")
        await settle()
        assert view.addresses("apples") == ("10.0.0.2:8033",)
        changes = view.changes()
        waiting = asyncio.ensure_future(anext(changes))
        await settle()
        world.slice("mesh-2", "10.0.0.1", "10.0.0.2")
        assert await waiting == ("apples", "sk")
        assert view.addresses("apples") == ("10.0.0.1:8033", "10.0.0.2:8033")
        view.follow("apples", "other")
        assert view.addresses("apples") == ("10.0.0.9:8033",)


async def test_a_forgotten_namespace_is_heard_of_no_more() -> None:
    world = World()
    world.deployment()
    world.slice("mesh-1", "10.0.0.2")
    async with world.viewed() as view:
        view.follow("apples", "mesh")
        await settle()
        view.forget("apples")
        world.slice("mesh-1", "10.0.0.3")
        await settle()
        assert view.addresses("apples") == ()
