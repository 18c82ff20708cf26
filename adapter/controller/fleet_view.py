"""What a Kubernetes fleet hears of its runtimes: how many are ready, what is wrong, where the mesh answers.

Deployments are followed everywhere in the fleet's scope, since what runs from before counts; pods and
endpoint slices only in namespaces that have runtimes.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self
from weakref import WeakSet

from adapter.cluster.cluster import Cluster
from adapter.controller.fleet_logs import Logs
from adapter.controller.fleet_tables import Table, Turn
from adapter.controller.plans import RuntimeHealth
from adapter.controller.pod_facts import (
    DeploymentFacts,
    PodFacts,
    SliceFacts,
    deployment_facts,
    pod_facts,
    slice_facts,
)
from adapter.domain.kinds import DEPLOYMENT, ENDPOINT_SLICE, POD, Key, Manifest, key_of

Drifted = Callable[[Key, DeploymentFacts | None], bool]
"""Told of each change of a Deployment of ours, and answers whether somebody else made it."""

_Runtime = tuple[str, str]


class Changes:
    """Runtimes whose health has changed since this was made, each waiting once at most; it never ends."""

    def __init__(self) -> None:
        self._waiting: dict[_Runtime, None] = {}
        self._something = asyncio.Event()

    def tell(self, runtime: _Runtime) -> None:
        self._waiting[runtime] = None
        self._something.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Runtime:
        await self._something.wait()
        runtime = next(iter(self._waiting))
        del self._waiting[runtime]
        if not self._waiting:
            self._something.clear()
        return runtime


@dataclass(slots=True, kw_only=True)
class _Followed:
    """A namespace that has runtimes."""

    service: str
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class FleetView:
    """Keeps the few facts that count, and tells which runtimes' health has changed."""

    def __init__(
        self, cluster: Cluster, *, owner: asyncio.TaskGroup, namespace: str | None, drifted: Drifted
    ) -> None:
        """`namespace` None: all of them."""
        self._cluster = cluster
        self._owner = owner
        self._drifted = drifted
        self._deployments = Table(
            DEPLOYMENT, deployment_facts, is_newer=lambda after, before: after.is_newer_than(before)
        )
        self._pods = Table(POD, pod_facts)
        self._slices = Table(ENDPOINT_SLICE, slice_facts)
        self._followed: dict[str, _Followed] = {}
        self._logs = Logs(cluster, owner=owner, on_read=self._look)
        self._told: dict[str, dict[str, RuntimeHealth]] = {}
        """By namespace and runtime."""
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._listeners: WeakSet[Changes] = WeakSet()
        self._seen = asyncio.Event()
        owner.create_task(self._follow_deployments(namespace), name="follow Deployments")

    # What is asked.

    async def seen(self) -> None:
        """Wait until all Deployments that there are have been heard of."""
        await self._seen.wait()

    def health(self, namespace: str, runtime: str) -> RuntimeHealth:
        """As it was heard last."""
        found = self._deployment(namespace, runtime)
        if found is None:
            return RuntimeHealth()
        return RuntimeHealth(
            wanted=found.wanted,
            ready=found.ready,
            problem=self._pod_problem(namespace, found) or found.problem,
            marks=found.marks,
        )

    def addresses(self, namespace: str) -> tuple[str, ...]:
        """Where the mesh answers now, sorted."""
        followed = self._followed.get(namespace)
        if followed is None:
            return ()
        slices = self._slices.of(namespace).values()
        return tuple(
            sorted({host for each in slices if each.service == followed.service for host in each.addresses})
        )

    def has_deployment(self, namespace: str, runtime: str = "") -> bool:
        """Whether there is one of the runtime, or of any, whatever its Service."""
        there = self._deployments.of(namespace).values()
        return any(not runtime or each.runtime == runtime for each in there)

    def changes(self) -> Changes:
        """Runtimes whose health changes from now on."""
        changes = Changes()
        self._listeners.add(changes)
        return changes

    # What is to be heard.

    def follow(self, namespace: str, service: str) -> None:
        """Hear of the pods there, and of this Service's addresses; the same again changes nothing."""
        followed = self._followed.get(namespace)
        if followed is None:
            followed = self._followed[namespace] = _Followed(service=service)
            for table in (self._pods, self._slices):
                work = self._follow(table, namespace)
                name = f"follow {table.kind.plural} of {namespace}"
                followed.tasks.append(self._owner.create_task(work, name=name))
        elif followed.service != service:
            followed.service = service
            self._look(namespace)

    def forget(self, namespace: str) -> None:
        """Hear no more of it."""
        followed = self._followed.pop(namespace, None)
        for task in () if followed is None else followed.tasks:
            task.cancel()
        for pod in self._pods.of(namespace):
            self._logs.forget(namespace, pod)
        self._pods.drop(namespace)
        self._slices.drop(namespace)
        self._look(namespace)

    def applied(self, manifest: Manifest) -> None:
        """What the API server has made of our Deployment; hearing of it may take a while."""
        key = key_of(manifest, DEPLOYMENT)
        self._deployments.put(key, manifest)
        self._look(key.namespace)

    # What is heard.

    async def _follow_deployments(self, namespace: str | None) -> None:
        async for news in self._cluster.follow(DEPLOYMENT, namespace=namespace):
            turns = self._deployments.hear(news, namespace=namespace)
            self._seen.set()
            for turn in turns:
                facts = turn.after or turn.before
                if self._drifted(turn.key, turn.after) and facts is not None:
                    self._tell((turn.key.namespace, facts.runtime))
            self._look_at(turns)

    async def _follow(self, table: Table[PodFacts] | Table[SliceFacts], namespace: str) -> None:
        async for news in self._cluster.follow(table.kind, namespace=namespace):
            turns = table.hear(news, namespace=namespace)
            for turn in turns:
                if table is self._pods and turn.after is None:
                    self._logs.forget(namespace, turn.key.name)
            self._look_at(turns)

    def _look_at(
        self, turns: list[Turn[DeploymentFacts]] | list[Turn[PodFacts]] | list[Turn[SliceFacts]]
    ) -> None:
        for namespace in {turn.key.namespace for turn in turns}:
            self._look(namespace)

    def _look(self, namespace: str) -> None:
        """Tell of what has changed there."""
        self._want_logs(namespace)
        addresses = self.addresses(namespace)
        is_elsewhere = addresses != self._addresses.get(namespace, ())
        self._addresses[namespace] = addresses
        before = self._told.get(namespace, {})
        runtimes = {each.runtime for each in self._deployments.of(namespace).values()}
        after = {runtime: self.health(namespace, runtime) for runtime in runtimes}
        self._told[namespace] = after
        for runtime in {*before, *after}:
            if is_elsewhere or before.get(runtime) != after.get(runtime):
                self._tell((namespace, runtime))
        if not after and not addresses:
            del self._told[namespace], self._addresses[namespace]

    def _tell(self, runtime: _Runtime) -> None:
        for listener in self._listeners:
            listener.tell(runtime)

    # What is wrong.

    def _deployment(self, namespace: str, runtime: str) -> DeploymentFacts | None:
        """The runtime's, of the namespace's Service if that is known."""
        followed = self._followed.get(namespace)
        for found in self._deployments.of(namespace).values():
            if found.runtime == runtime and (followed is None or followed.service == found.service):
                return found
        return None

    def _worst(self, namespace: str, deployment: DeploymentFacts) -> PodFacts | None:
        """The pod whose trouble says most."""
        is_short = deployment.ready < deployment.wanted
        found = [
            pod
            for pod in self._pods.of(namespace).values()
            if pod.runtime == deployment.runtime
            and pod.trouble is not None
            and (is_short or not pod.trouble.is_past)
        ]
        return min(found, key=lambda pod: pod.urgency, default=None)

    def _pod_problem(self, namespace: str, deployment: DeploymentFacts) -> str:
        worst = self._worst(namespace, deployment)
        if worst is None or worst.trouble is None:
            return ""
        lines = self._logs.tail(namespace, worst.trouble)
        told = f"pod {worst.trouble.pod}: {worst.trouble.what}"
        return f"{told}; it said last:\n{lines}" if lines else told

    def _want_logs(self, namespace: str) -> None:
        for deployment in self._deployments.of(namespace).values():
            worst = self._worst(namespace, deployment)
            if worst is not None and worst.trouble is not None:
                self._logs.want(namespace, worst.uid, worst.trouble)
