"""A fleet of Deployments: plans become objects of a Kubernetes cluster, and its pods say how they do."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from adapter.aio.clock import Clock
from adapter.aio.keyed_lock import KeyedLock
from adapter.cluster.cluster import Cluster
from adapter.controller.applying import Adjust, Applier, Item
from adapter.controller.desired.deployment import replicas
from adapter.controller.desired.names import (
    CONTROLLER,
    LABEL_CHARS_MAX,
    MANAGED_BY_LABEL,
    OURS,
    RUNTIME_LABEL,
    SERVICE_LABEL,
)
from adapter.controller.desired.objects import (
    RUNTIME_KINDS,
    Wanted,
    namespace_keys,
    namespace_objects,
    runtime_objects,
)
from adapter.controller.fleet_view import FleetView
from adapter.controller.plans import Autoscaling, NamespacePlan, RuntimeHealth, RuntimePlan
from adapter.controller.pod_facts import DeploymentFacts
from adapter.controller.selection.constraints import config_entries
from adapter.domain.kinds import DEPLOYMENT, SERVICE, Key, Kind, Manifest, key_of

log = logging.getLogger(__name__)

WHOLE: Final = ""
"""Among the plans, that of the namespace itself."""


@dataclass(frozen=True, slots=True)
class _Rendered:
    """What a plan stands for; the same plan need not be rendered again."""

    plan: RuntimePlan | NamespacePlan
    there: tuple[Item, ...]
    gone: tuple[Key, ...]

    @classmethod
    def of(cls, plan: RuntimePlan | NamespacePlan, wanted: Wanted) -> "_Rendered":
        return cls(plan, tuple(Item.of(kind, manifest) for kind, manifest in wanted.there), wanted.gone)


class KubernetesFleet:
    """`Fleet` over the objects of a cluster. What it makes carries a label of its own, and no other goes."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        owner: asyncio.TaskGroup,
        clock: Clock,
        namespace: str | None = None,
        etcd_secret: str = "model-serving-etcd",  # noqa: S107 - a name
    ) -> None:
        """`namespace` None: runtimes run in any. Follows the cluster until `owner` ends."""
        self._cluster = cluster
        self._scope = namespace
        self._etcd_secret = etcd_secret
        self._applier = Applier(cluster, clock=clock)
        self._view = FleetView(cluster, owner=owner, namespace=namespace, drifted=self._drifted)
        self._turns = KeyedLock()
        self._rendered: dict[tuple[str, str], _Rendered] = {}
        """By namespace, and runtime or `WHOLE`."""
        self._services: dict[str, str] = {}
        """The Service of each namespace that was prepared."""
        self._left_over: set[str] | None = None
        """Namespaces that have a Service from before, and are not withdrawn yet; None: not known yet."""

    # The seam.

    async def prepare(self, plan: NamespacePlan) -> None:
        """Raises what `Cluster` does, and `NotOurs` if somebody else has an object of such a name."""
        namespace, service = plan.namespace, plan.config.service_name
        async with self._turns(namespace):
            self._view.follow(namespace, service)
            if self._services.get(namespace) != service:
                await self._remove_of_other_services(namespace, service)
                self._services[namespace] = service
            known = self._rendered.get((namespace, WHOLE))
            if known is None or known.plan != plan:
                entries = config_entries(plan.runtimes, rest_enabled=plan.config.rest.enabled)
                known = _Rendered.of(plan, namespace_objects(plan, entries))
                self._rendered[namespace, WHOLE] = known
            await self._bring_about(known)

    async def withdraw(self, namespace: str) -> None:
        """Raises what `Cluster` does. Cheap where nothing was ever made."""
        async with self._turns(namespace):
            if not await self._has_something(namespace):
                return
            for kind in RUNTIME_KINDS:
                await self._remove_all(kind, namespace, OURS)
            for key in namespace_keys(namespace, etcd_secret_name=self._etcd_secret):
                await self._applier.remove(key)
            # Last, since it is by this that the next controller finds what is left.
            await self._remove_all(SERVICE, namespace, OURS)
            self._view.forget(namespace)
            self._applier.forget(namespace)
            self._services.pop(namespace, None)
            for place in [place for place in self._rendered if place[0] == namespace]:
                del self._rendered[place]
            if self._left_over is not None:
                self._left_over.discard(namespace)

    async def run(self, plan: RuntimePlan) -> None:
        """Raises `BadManifest` for what cannot run, `NotOurs`, and what `Cluster` does."""
        namespace, runtime = plan.namespace, plan.runtime.name
        async with self._turns(namespace):
            self._view.follow(namespace, plan.config.service_name)
            known = self._rendered.get((namespace, runtime))
            if known is None or known.plan != plan:
                known = _Rendered.of(plan, runtime_objects(plan))
                self._rendered[namespace, runtime] = known
            adjust = None if plan.autoscaling is None or not plan.replicas else _keeping(plan.autoscaling)
            await self._bring_about(known, adjust)

    async def stop(self, namespace: str, runtime: str) -> None:
        """Raises what `Cluster` does. Cheap where it does not run."""
        async with self._turns(namespace):
            await self._view.seen()
            was_run = self._rendered.pop((namespace, runtime), None) is not None
            if len(runtime) > LABEL_CHARS_MAX or not (
                was_run or self._view.has_deployment(namespace, runtime)
            ):
                return
            for kind in sorted(RUNTIME_KINDS, key=lambda kind: kind == DEPLOYMENT):
                await self._remove_all(kind, namespace, {**OURS, RUNTIME_LABEL: runtime})

    async def seen(self) -> None:
        await self._view.seen()

    def health(self, namespace: str, runtime: str) -> RuntimeHealth:
        return self._view.health(namespace, runtime)

    def changes(self) -> AsyncIterator[tuple[str, str]]:
        """Also when the mesh's addresses have changed, for each runtime of the namespace."""
        return self._view.changes()

    def addresses(self, namespace: str) -> tuple[str, ...]:
        return self._view.addresses(namespace)

    # How.

    async def _bring_about(self, rendered: _Rendered, adjust: Adjust | None = None) -> None:
        for key in rendered.gone:
            await self._applier.remove(key)
        for item in rendered.there:
            is_deployment = item.kind == DEPLOYMENT
            after = await self._applier.have(item, adjust=adjust if is_deployment else None)
            if after is not None and is_deployment:
                self._view.applied(after)

    def _drifted(self, key: Key, after: DeploymentFacts | None) -> bool:
        return self._applier.drifted(key, None if after is None else after.generation)

    async def _has_something(self, namespace: str) -> bool:
        """Whether anything was made there, by us or by the controller before us."""
        await self._view.seen()
        if namespace in self._services or self._view.has_deployment(namespace):
            return True
        if self._left_over is None:
            found = await self._cluster.list(SERVICE, namespace=self._scope, labels=OURS)
            self._left_over = {key_of(each, SERVICE).namespace for each in found}
        return namespace in self._left_over

    async def _remove_of_other_services(self, namespace: str, service: str) -> None:
        """Under another `inferenceServiceName` there was another mesh; it may have been ModelMesh's."""
        for kind in RUNTIME_KINDS:
            await self._remove_all(kind, namespace, OURS, but=service)
        await self._remove_all(SERVICE, namespace, {MANAGED_BY_LABEL: CONTROLLER}, but=service)

    async def _remove_all(self, kind: Kind, namespace: str, labels: dict[str, str], *, but: str = "") -> None:
        """Those with these labels and any Service but this one."""
        for found in await self._cluster.list(kind, namespace=namespace, labels=labels):
            metadata = found["metadata"]
            told = (metadata.get("labels") or {}).get(SERVICE_LABEL, "")
            if told and told != but:
                key = key_of(found, kind)
                log.info("an object is not wanted any more", extra={"object": str(key)})
                await self._cluster.delete(key, uid=str(metadata.get("uid", "")))
                self._applier.drifted(key, None)


def _keeping(autoscaling: Autoscaling) -> Adjust:
    """The autoscaler says how many; what it has said stays."""

    def adjusted(manifest: Manifest, live: Manifest | None) -> Manifest:
        return {**manifest, "spec": {**manifest["spec"], "replicas": replicas(autoscaling, live)}}

    return adjusted
