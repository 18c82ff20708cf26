"""What a Kubernetes fleet hears of its runtimes: how many are ready, what is wrong, where the mesh answers.

Deployments are followed everywhere in the fleet's scope, since what runs from before counts; pods and endpoint
slices only in namespaces that have runtimes.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from adapter.cluster.cluster import Changed, Cluster, Listed
from adapter.controller.fleet_logs import Logs
from adapter.controller.plans import RuntimeHealth
from adapter.controller.pod_facts import (
    DeploymentFacts,
    PodFacts,
    Trouble,
    deployment_facts,
    pod_facts,
    slice_addresses,
)
from adapter.domain.kinds import DEPLOYMENT, ENDPOINT_SLICE, POD, Key, Kind, Manifest, key_of

log = logging.getLogger(__name__)

PROBLEM_CHARS_MAX: Final = 2000

_Runtime = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class _Namespace:
    """One namespace that has runtimes."""

    service: str
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    pods: dict[str, PodFacts] = field(default_factory=dict)
    slices: dict[str, tuple[str, ...]] = field(default_factory=dict)


class FleetView:
    """Keeps the few facts that count, and tells which runtimes' health has changed."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        owner: asyncio.TaskGroup,
        namespace: str | None,
        on_deployment: Callable[[Key, Manifest | None], bool],
    ) -> None:
        """`on_deployment` is told of each change, and answers whether somebody else made it."""
        self._cluster = cluster
        self._owner = owner
        self._on_deployment = on_deployment
        self._deployments: dict[tuple[str, str], DeploymentFacts] = {}
        """By namespace and name."""
        self._named: dict[_Runtime, str] = {}
        """The Deployment of each runtime."""
        self._namespaces: dict[str, _Namespace] = {}
        self._logs = Logs(cluster, owner=owner, on_read=self._tell)
        self._told: dict[_Runtime, RuntimeHealth] = {}
        self._listeners: list[_Listener] = []
        self._seen = asyncio.Event()
        owner.create_task(self._follow(DEPLOYMENT, namespace, self._hear_deployments), name="follow Deployments")

    # What is asked.

    async def seen(self) -> None:
        """Wait until all Deployments have been heard of."""
        await self._seen.wait()

    def health(self, namespace: str, runtime: str) -> RuntimeHealth:
        """As it was heard last."""
        found = self._deployments.get((namespace, self._named.get((namespace, runtime), "")))
        if found is None:
            return RuntimeHealth()
        return RuntimeHealth(
            wanted=found.wanted, ready=found.ready, problem=self._problem(namespace, found), marks=found.marks
        )

    def addresses(self, namespace: str) -> tuple[str, ...]:
        """Where the mesh answers now, sorted."""
        known = self._namespaces.get(namespace)
        return () if known is None else tuple(sorted({each for told in known.slices.values() for each in told}))

    def runtimes(self, namespace: str) -> tuple[str, ...]:
        """Those that have a Deployment there."""
        return tuple(runtime for place, runtime in self._named if place == namespace)

    async def changes(self) -> AsyncIterator[_Runtime]:
        """Runtimes whose health has changed, each once however often it did meanwhile."""
        listener = _Listener()
        self._listeners.append(listener)
        try:
            while True:
                yield await listener.next()
        finally:
            self._listeners.remove(listener)

    # What is to be followed.

    def follow(self, namespace: str, service: str) -> None:
        """Hear of the pods there, and of the addresses of this Service; the same again changes nothing."""
        known = self._namespaces.get(namespace)
        if known is not None and known.service == service:
            return
        self.forget(namespace)
        self._namespaces[namespace] = known = _Namespace(service=service)
        for kind, hear in ((POD, self._hear_pods), (ENDPOINT_SLICE, self._hear_slices)):
            task = self._follow(kind, namespace, hear)
            known.tasks.append(self._owner.create_task(task, name=f"follow {kind.plural} of {namespace}"))

    def forget(self, namespace: str) -> None:
        """Hear no more of it."""
        known = self._namespaces.pop(namespace, None)
        for task in () if known is None else known.tasks:
            task.cancel()
        self._logs.forget(namespace)

    def applied(self, manifest: Manifest) -> None:
        """This is what the API server has made of our Deployment; the news of it may take a while."""
        key = key_of(manifest, DEPLOYMENT)
        self._keep_deployment(key, manifest)
        self._tell_all(key.namespace)

    # What is heard.

    async def _follow(
        self, kind: Kind, namespace: str | None, hear: Callable[[Mapping[Key, Manifest | None], bool], None]
    ) -> None:
        async for news in self._cluster.follow(kind, namespace=namespace):
            if isinstance(news, Changed):
                hear({news.key: news.manifest}, False)
            else:
                hear(_by_key(news, kind), True)

    def _hear_deployments(self, news: Mapping[Key, Manifest | None], is_all: bool) -> None:  # noqa: FBT001
        if is_all:
            there = {(key.namespace, key.name) for key in news}
            gone = [place for place in self._deployments if place not in there]
            news = {**news, **{Key(kind=DEPLOYMENT, namespace=ns, name=name): None for ns, name in gone}}
        touched = {key.namespace for key, manifest in news.items() if self._keep_deployment(key, manifest)}
        if is_all:
            self._seen.set()
        for key, manifest in news.items():
            if self._on_deployment(key, manifest):
                touched.discard(key.namespace)
                for runtime in self._of(key, manifest):
                    self._notify((key.namespace, runtime))
                self._tell_all(key.namespace)
        for namespace in touched:
            self._tell_all(namespace)

    def _keep_deployment(self, key: Key, manifest: Manifest | None) -> bool:
        """Whether it is, or was, a runtime's."""
        place = (key.namespace, key.name)
        facts = None if manifest is None else deployment_facts(manifest)
        before = self._deployments.get(place)
        if facts is None:
            if before is not None:
                del self._deployments[place]
                if self._named.get((key.namespace, before.runtime)) == key.name:
                    del self._named[key.namespace, before.runtime]
            return before is not None
        if before is None or before.uid != facts.uid or before.revision <= facts.revision:
            self._deployments[place] = facts
        known = self._namespaces.get(key.namespace)
        if known is None or known.service == facts.service:
            self._named[key.namespace, facts.runtime] = key.name
        return True

    def _of(self, key: Key, manifest: Manifest | None) -> Iterator[str]:
        """The runtime that a Deployment is, or was, of."""
        facts = None if manifest is None else deployment_facts(manifest)
        if facts is not None:
            yield facts.runtime
            return
        for namespace, runtime in self._told:
            if namespace == key.namespace and key.name.endswith(f"-{runtime}"):
                yield runtime

    def _hear_pods(self, news: Mapping[Key, Manifest | None], is_all: bool) -> None:  # noqa: FBT001
        self._keep(news, is_all=is_all, of=lambda known: known.pods, read=lambda _, told: pod_facts(told))

    def _hear_slices(self, news: Mapping[Key, Manifest | None], is_all: bool) -> None:  # noqa: FBT001
        ...
