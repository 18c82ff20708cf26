"""One runtime of one namespace: how many instances it has, what they mount, and what is wrong with it."""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from adapter.cluster.cluster import ClusterRefused
from adapter.controller.autoscaling import autoscaling_in
from adapter.controller.doors import Doors
from adapter.controller.etcd_secret import CONNECTION, EtcdSecret, is_ours, read_etcd_secret
from adapter.controller.keys import NamespaceKey, RuntimeKey
from adapter.controller.manifests.annotations import PRODUCT_CONFIG
from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.runtime_rules import runtime_complaints
from adapter.controller.manifests.storage_config import StorageEntries, read_entries
from adapter.controller.objects import Seen
from adapter.controller.plans import NamespacePlan, RuntimePlan
from adapter.controller.scale_to_zero import Memory, Need, Scale, memory_in, scaled
from adapter.controller.selection.labels import runtime_labels
from adapter.controller.sleeping import Sleeping
from adapter.controller.world import World
from adapter.domain.errors import Refused
from adapter.domain.kinds import CONFIG_MAP, SERVICE_MONITOR, Key, Manifest
from adapter.domain.specs import RuntimeSpec

log = logging.getLogger(__name__)

INVALID: Final = "InvalidServingRuntime"
UNHEALTHY: Final = "RuntimeUnhealthy"
INVALID_SECRET: Final = "InvalidSecret"  # noqa: S105 - the reason of an event


class RuntimeWork:
    """Looks at runtimes, and at what those of a namespace share."""

    def __init__(
        self,
        world: World,
        doors: Doors,
        sleeping: Sleeping,
        *,
        look_again: Callable[[str], Awaitable[None]],
    ) -> None:
        """`look_again` has it known what the instances of a namespace tell at this moment."""
        self._world = world
        self._doors = doors
        self._sleeping = sleeping
        self._look_again = look_again
        self._told: dict[RuntimeKey, str] = {}
        """The problem of each that was told last."""
        self._has_monitors: bool | None = None

    async def look_at(self, key: RuntimeKey) -> float | None:
        """Have it run as it should; when to look again, in seconds. Raises `AdapterError`."""
        declared = self._declared(key)
        if declared is not None and declared.complaint is not None:
            # What runs goes on running as it was: somebody is about to mend the object.
            self._complain(key, declared.manifest, INVALID, str(declared.complaint))
            return None
        runtime = self._world.runtime(key)
        if runtime is None or declared is None or not self._world.is_enabled(key.namespace):
            await self._end(key)
            return None
        complaint = "; ".join(map(str, runtime_complaints(runtime, self._world.config)))
        if complaint:
            self._complain(key, declared.manifest, INVALID, complaint)
            return None
        return await self._run(key, runtime, declared.manifest)

    async def look_at_namespace(self, key: NamespaceKey) -> float | None:
        """Have what its runtimes share. Raises `AdapterError`."""
        namespace = key.namespace
        if not self._world.is_enabled(namespace):
            await self._doors.fleet.withdraw(namespace)
            await self._doors.meshes.drop(namespace)
            return None
        self._tell_bad_secrets(namespace)
        etcd = self._etcd_copy(namespace)
        await self._doors.fleet.prepare(
            NamespacePlan(
                namespace=namespace,
                config=self._world.config,
                runtimes=self._world.served(namespace),
                owner=self._owner(namespace),
                etcd_secret=self._world.scope.etcd_secret,
                etcd_connection=None if etcd is None else etcd.connection,
                etcd_files={} if etcd is None else etcd.files,
                has_service_monitor=await self._monitors(),
                door=self._sleeping.is_on,
                has_ca=self._has_ca(namespace),
                stamp=self._stamp(namespace),
            )
        )
        return None

    async def _run(self, key: RuntimeKey, runtime: RuntimeSpec, manifest: Manifest) -> float | None:
        product = runtime.identity.annotations.get(PRODUCT_CONFIG)
        if product and not await self._is_there(key.namespace, product):
            text = f"there is no ConfigMap {product}, which the annotation {PRODUCT_CONFIG} names; create it"
            self._complain(key, manifest, INVALID, text)
            return PRODUCT_LOOK_S
        scale = await self._scale(key, runtime)
        autoscaling, _ = autoscaling_in(runtime.identity.annotations)
        plan = RuntimePlan(
            namespace=key.namespace,
            runtime=runtime,
            labels=runtime_labels(runtime, rest_enabled=self._world.config.rest.enabled),
            replicas=scale.replicas,
            autoscaling=autoscaling,
            claims=self._claims(key),
            config=self._world.config,
            etcd_secret=self._world.scope.etcd_secret,
            has_ca=self._has_ca(key.namespace),
            stamp=self._stamp(key.namespace),
            marks=scale.memory.marks,
        )
        try:
            await self._doors.fleet.run(plan)
        except Refused as error:
            self._complain(key, manifest, INVALID, str(error))
            return None
        health = self._doors.fleet.health(key.namespace, key.name)
        self._complain(key, manifest, UNHEALTHY, health.problem)
        return scale.look_again_s

    async def _scale(self, key: RuntimeKey, runtime: RuntimeSpec) -> Scale:
        there = self._doors.fleet.health(key.namespace, key.name)
        memory = memory_in(there.marks, running=there.wanted > 0)
        scale = self._scaled(key, runtime, memory)
        if scale.memory.asleep_since_ms is not None and memory.running:
            await self._look_again(key.namespace)
            scale = self._scaled(key, runtime, memory)
        if (scale.replicas > 0) is not memory.running:
            log.info("a runtime is scaled", extra={"runtime": str(key), "because": scale.because})
        return scale

    def _scaled(self, key: RuntimeKey, runtime: RuntimeSpec, memory: Memory) -> Scale:
        config = self._world.config
        return scaled(
            config.scale_to_zero,
            base=config.pods_per_runtime if runtime.replicas is None else runtime.replicas,
            need=Need(
                models=any(True for _ in self._world.users(key)),
                last_wanted_ms=self._sleeping.wanted_ms(key, memory),
            ),
            memory=memory,
            now_ms=self._doors.clock.epoch_ms(),
        )

    async def _end(self, key: RuntimeKey) -> None:
        self._told.pop(key, None)
        if self._world.is_listed:
            await self._doors.fleet.stop(key.namespace, key.name)

    def _complain(self, key: RuntimeKey, manifest: Manifest, reason: str, text: str) -> None:
        """Tell of a problem when it comes; nothing of one that is told already."""
        if text == self._told.get(key, ""):
            return
        self._told[key] = text
        if text:
            log.warning("a runtime cannot run as it should", extra={"runtime": str(key), "error": text})
            self._doors.recorder.record(manifest, "Warning", reason, text)

    def _declared(self, key: RuntimeKey) -> Seen[RuntimeSpec] | None:
        """What declares it: an object of the namespace, or else of the cluster."""
        name = self._world.declared_as(key)
        own = self._world.runtimes.get(key.namespace, name)
        if own is not None and (own.spec is None or own.spec.multi_model or self._world.scope.every_mode):
            return own
        return self._world.cluster_runtimes.get("", name)

    async def _is_there(self, namespace: str, config_map: str) -> bool:
        key = Key(kind=CONFIG_MAP, name=config_map, namespace=namespace)
        return await self._doors.cluster.get(key) is not None

    async def _monitors(self) -> bool:
        """Whether the Prometheus operator's kinds are installed; asked once."""
        if self._has_monitors is None:
            try:
                await self._doors.cluster.list(SERVICE_MONITOR, namespace=self._world.scope.namespace)
            except ClusterRefused:
                self._has_monitors = False
            else:
                self._has_monitors = True
        return self._has_monitors

    # Secrets and claims.

    def _entries(self, namespace: str) -> StorageEntries | None:
        secret = self._world.secret(namespace, self._world.config.storage_secret_name)
        return None if secret is None else read_entries(secret)

    def _claims(self, key: RuntimeKey) -> tuple[str, ...]:
        """Those that the storage secret names, and with `allowAnyPVC` those of its models that are there."""
        entries = self._entries(key.namespace)
        claims = set(() if entries is None else entries.claims)
        if self._world.config.allow_any_claim:
            claims |= {
                claim
                for model in self._world.users(key)
                if (claim := _claim(model.storage.parameters if model.storage else None))
                and self._world.claims.get(key.namespace, claim) is not None
            }
        return tuple(sorted(claims))

    def _tell_bad_secrets(self, namespace: str) -> None:
        entries = self._entries(namespace)
        secret = self._world.secret(namespace, self._world.config.storage_secret_name)
        if entries is not None and secret is not None:
            for complaint in entries.complaints.values():
                self._doors.recorder.record(secret, "Warning", INVALID_SECRET, str(complaint))

    def _etcd_copy(self, namespace: str) -> EtcdSecret | None:
        """For a namespace other than ours, unless it has a secret of its own."""
        scope = self._world.scope
        own = self._world.secret(namespace, scope.etcd_secret)
        secret = self._world.secret(scope.namespace, scope.etcd_secret)
        if namespace == scope.namespace or secret is None or (own is not None and not is_ours(own)):
            return None
        try:
            return read_etcd_secret(secret).of_namespace(namespace, home=scope.namespace)
        except BadManifest as error:
            self._doors.recorder.record(secret, "Warning", INVALID_SECRET, str(error))
            return None

    def _owner(self, namespace: str) -> Manifest | None:
        """Of what its runtimes share: the Namespace, where it is known (serving controller 3.1)."""
        seen = self._world.namespaces.get("", namespace)
        uid = "" if seen is None else seen.manifest["metadata"].get("uid") or ""
        return {"apiVersion": "v1", "kind": "Namespace", "name": namespace, "uid": uid} if uid else None

    def _has_ca(self, namespace: str) -> bool:
        secret = self._world.secret(namespace, self._world.config.tls.secret_name)
        return secret is not None and "ca.crt" in (secret.get("data") or {})

    def _stamp(self, namespace: str) -> str:
        """Of where etcd is: an instance reads that once. Of a copy as it is to be, before it is there."""
        copy = self._etcd_copy(namespace)
        if copy is not None:
            return _digest({CONNECTION: copy.connection, **copy.files})
        secret = self._world.secret(namespace, self._world.scope.etcd_secret)
        return _digest({} if secret is None else secret.get("data") or {})


PRODUCT_LOOK_S: Final = 5.0
"""How often it is looked for a ConfigMap that must be there first."""


def _digest(entries: Mapping[str, object]) -> str:
    """Empty: there are none."""
    return hashlib.sha256(repr(sorted(entries.items())).encode()).hexdigest()[:12] if entries else ""


def _claim(parameters: Mapping[str, str] | None) -> str:
    """The claim that a model lies in; empty: it does not."""
    if not parameters or parameters.get("type") != "pvc":
        return ""
    return parameters.get("name", "")
