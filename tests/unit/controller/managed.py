"""A controller in memory: its cluster, fleet and mesh are fakes, all else is as it is shipped."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from adapter.controller.config import ControllerConfig, ScaleToZero
from adapter.controller.doors import Doors
from adapter.controller.keys import ModelKey
from adapter.controller.manager import Manager, Options, managing
from adapter.controller.world import Scope, World
from adapter.domain.kinds import INFERENCE_SERVICE, SERVING_RUNTIME, Key, Kind
from adapter.domain.specs import Source
from adapter.registry.registry import Registry
from tests.fakes.declared_mesh import DeclaredMesh
from tests.fakes.fleet import MemoryFleet
from tests.fakes.memory_cluster import MemoryCluster
from tests.fakes.memory_registry import MemoryRegistry
from tests.unit.instance.membered import VirtualClock

NS = "ns"
HOME = "modelmesh-serving"
PREFIX = "/mm/modelmesh-serving/"


def isvc(name: str, path: str = "iris", *, format_: str = "sklearn", **spec: Any) -> dict[str, Any]:
    """One that ModelMesh serves."""
    model = {"modelFormat": {"name": format_}, "storage": {"key": "k", "path": path}, **spec}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": NS,
            "annotations": {"serving.kserve.io/deploymentMode": "ModelMesh"},
        },
        "spec": {"predictor": {"model": model}},
    }


def predictor(name: str, path: str = "iris", *, format_: str = "sklearn") -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "Predictor",
        "metadata": {"name": name, "namespace": NS},
        "spec": {"modelType": {"name": format_}, "path": path, "storage": {"s3": {"secretKey": "k"}}},
    }


def runtime(name: str, format_: str = "sklearn", **spec: Any) -> dict[str, Any]:
    """One that needs no adapter."""
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": name, "namespace": NS},
        "spec": {
            "multiModel": True,
            "grpcEndpoint": "port:8085",
            "grpcDataEndpoint": "port:8001",
            "supportedModelFormats": [{"name": format_, "autoSelect": True}],
            "containers": [{"name": "server", "image": "server:1"}],
            **spec,
        },
    }


@dataclass
class Told:
    """The events that people see, as (object, kind, reason, message)."""

    events: list[tuple[str, str, str, str]] = field(default_factory=list)

    def record(self, about: Mapping[str, Any], type_: str, reason: str, text: str) -> None:
        self.events.append((about["metadata"]["name"], type_, reason, text))

    def of(self, name: str) -> list[str]:
        """The reasons told of one object."""
        return [reason for told, _, reason, _ in self.events if told == name]


@dataclass
class AController:
    """What a test looks at."""

    cluster: MemoryCluster
    fleet: MemoryFleet
    mesh: DeclaredMesh
    told: Told
    manager: Manager
    registry: MemoryRegistry
    clock: VirtualClock

    def status(self, name: str, kind: Kind = INFERENCE_SERVICE) -> dict[str, Any]:
        manifest = self.cluster.now(Key(kind=kind, name=name, namespace=NS))
        assert manifest is not None, f"there is no {kind} {name}"
        status: dict[str, Any] = manifest.get("status") or {}
        return status

    def state(self, name: str) -> tuple[str, str, str]:
        """Active and target state, and the transition."""
        model = self.status(name).get("modelStatus", {})
        states = model.get("states", {})
        return (
            states.get("activeModelState", ""),
            states.get("targetModelState", ""),
            model.get("transitionStatus", ""),
        )

    def reason(self, name: str) -> str:
        info = self.status(name).get("modelStatus", {}).get("lastFailureInfo") or {}
        return str(info.get("reason", ""))

    def key(self, name: str, kind: Kind = SERVING_RUNTIME) -> Key:
        return Key(kind=kind, name=name, namespace=NS)

    async def settle(self) -> None:
        """Until nothing is left to be done now."""
        await asyncio.sleep(0.5)

    async def until(self, holds: Callable[[], object], *, within_s: float = 30.0) -> None:
        """Until this holds; fails after so long."""
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110 - in virtual time
                await asyncio.sleep(0.05)


@asynccontextmanager
async def a_controller(  # noqa: PLR0913 - what a test may want otherwise
    *objects: Mapping[str, Any],
    config: ControllerConfig | None = None,
    enabled: bool = True,
    every_mode: bool = False,
    options: Options | None = None,
    cluster: MemoryCluster | None = None,
    mesh: DeclaredMesh | None = None,
    fleet: MemoryFleet | None = None,
) -> AsyncIterator[AController]:
    """Over a cluster with these objects; runtimes are up whenever a model may need them."""
    cluster = cluster or MemoryCluster(namespaces=[HOME, NS] if not enabled else [HOME])
    if enabled:
        labels = {"modelmesh-enabled": "true"}
        metadata = {"name": NS, "labels": labels}
        cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    for each in objects:
        cluster.put(each)
    mesh, fleet, told, registry = mesh or DeclaredMesh(), fleet or MemoryFleet(), Told(), MemoryRegistry()

    @asynccontextmanager
    async def opened(_namespace: str) -> AsyncIterator[tuple[Registry, str]]:
        yield registry, PREFIX

    clock = VirtualClock()
    doors = Doors(cluster=cluster, fleet=fleet, meshes=mesh, recorder=told, clock=clock)
    world = World(
        Scope(namespace=HOME, every_mode=every_mode),
        config or ControllerConfig(scale_to_zero=ScaleToZero(enabled=False)),
    )
    async with managing(
        world, doors, opened=opened, options=options or Options(defaults=world.config)
    ) as manager:
        manager.leads.set()
        mesh.reached = fleet.addresses
        mesh.tell = lambda namespace, vmodel: manager.add(
            *(ModelKey(source, namespace, vmodel) for source in Source)
        )
        it = AController(cluster, fleet, mesh, told, manager, registry, clock)
        await it.settle()
        yield it
