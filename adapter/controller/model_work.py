"""One declared model: registered with the mesh, its status written, and forgotten when it is gone."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from adapter.cluster.cluster import ObjectConflict
from adapter.controller.doors import Doors
from adapter.controller.keys import ModelKey
from adapter.controller.manifests.spec_hash import target_id
from adapter.controller.objects import Seen
from adapter.controller.sleeping import Sleeping
from adapter.controller.statuses import isvc_status, predictor_status
from adapter.controller.statuses.difference import difference
from adapter.controller.statuses.registering import loads_now, registration
from adapter.controller.statuses.standing import Observed, Standing
from adapter.controller.verdicts import Chosen, MeshAnswer, Selection, SpecInvalid, StatusPatch
from adapter.controller.world import World, serving
from adapter.domain.kinds import Manifest
from adapter.domain.specs import DeploymentMode, ModelSpec, Source
from adapter.mesh.vmodels import VModelReport

log = logging.getLogger(__name__)

AT_ONCE_S: Final = 0.0
FINALIZER: Final = "remesh.io/registration"
"""While it is there, the mesh may know the model; who deletes the object waits for us."""

STATUS_OF: Final[Mapping[Source, Callable[[Manifest, Observed], StatusPatch]]] = {
    Source.INFERENCE_SERVICE: isvc_status.isvc_status,
    Source.PREDICTOR: predictor_status.predictor_status,
}
STANDING_OF: Final[Mapping[Source, Callable[[Manifest], Standing]]] = {
    Source.INFERENCE_SERVICE: isvc_status.read_standing,
    Source.PREDICTOR: predictor_status.read_standing,
}


class ModelWork:
    """Looks at models, each at most once at a time."""

    def __init__(self, world: World, doors: Doors, sleeping: Sleeping) -> None:
        self._world = world
        self._doors = doors
        self._sleeping = sleeping
        self.waiting: dict[str, set[ModelKey]] = {}
        """By namespace: models whose runtimes have no instance that could be asked."""
        self.chosen: dict[ModelKey, tuple[str, ...]] = {}
        """By what each was registered last; when that changes it is looked at again."""

    async def look_at(self, key: ModelKey) -> float | None:
        """Do what is to be done; when to look again, in seconds. Raises `AdapterError`."""
        seen = self._world.model(key)
        if seen is None:
            await self._forget(key)
            return None
        if seen.read is None or seen.manifest["metadata"].get("deletionTimestamp"):
            await self._let_go(key, seen)
            return None
        if not self._world.is_enabled(key.namespace):
            return None
        selection = None if seen.spec is None else self._world.select(seen.spec)
        if seen.spec is not None and self._sleeping.is_on:
            target = target_id(resolved(seen.spec, selection))
            self._sleeping.note(key, seen.spec, target, serving(selection, seen.spec))
        held = await self._held(seen)
        if held is None:
            return self._overtaken(key, seen)
        return await self._brought_to(key, held, selection)

    async def _brought_to(
        self, key: ModelKey, seen: Seen[ModelSpec], selection: Selection | None
    ) -> float | None:
        self.chosen[key] = fingerprint(selection)
        answer = await self._asked(key, seen, selection)
        patch = STATUS_OF[key.source](seen.manifest, self._observed(key, seen, selection, answer))
        self._wait(key, selection)
        return patch.look_again_s if await self._write(seen, patch) else self._overtaken(key, seen)

    async def _asked(self, key: ModelKey, seen: Seen[ModelSpec], selection: Selection | None) -> MeshAnswer:
        """What the mesh says, after it was told."""
        meshes, owner = self._doors.meshes, key.source.value
        if seen.spec is None or selection is None:
            assert seen.complaint is not None
            there = await meshes.report(key.namespace, key.name, owner=owner)
            report = there if isinstance(there, VModelReport) else None
            return SpecInvalid(message=str(seen.complaint), report=report)
        asleep = self._sleeping.is_asleep(key.namespace, serving(selection, seen.spec))
        load_now = not asleep and loads_now(seen.spec, STANDING_OF[key.source](seen.manifest))
        spec = resolved(seen.spec, selection)
        return await meshes.put(key.namespace, registration(spec, selection.type, load_now=load_now))

    def _observed(
        self, key: ModelKey, seen: Seen[ModelSpec], selection: Selection | None, answer: MeshAnswer
    ) -> Observed:
        fleet, spec = self._doors.fleet, None if seen.spec is None else resolved(seen.spec, selection)
        names = self._runtimes(key.namespace, selection)
        healths = {name: fleet.health(key.namespace, name) for name in names}
        return Observed(
            answer=answer,
            served=self._doors.served(self._world.config, key.namespace),
            now_ms=self._doors.clock.epoch_ms(),
            target="" if spec is None else target_id(spec),
            selection=selection,
            # Behind an endpoint of one's own is a mesh of which the fleet knows nothing.
            instances=None
            if self._world.config.endpoint
            else sum(health.ready for health in healths.values()),
            asleep=self._sleeping.is_asleep(key.namespace, () if spec is None else serving(selection, spec)),
            problems=tuple(f"{name}: {each.problem}" for name, each in healths.items() if each.problem),
            generation=int(seen.manifest["metadata"].get("generation") or 0),
        )

    def _runtimes(self, namespace: str, selection: Selection | None) -> list[str]:
        if isinstance(selection, Chosen):
            return [runtime.name for runtime in selection.runtimes]
        return [runtime.name for runtime in self._world.served(namespace)]

    def _wait(self, key: ModelKey, selection: Selection | None) -> None:
        """Note whether it waits for an instance: of that the fleet tells, and not the registry."""
        names = self._runtimes(key.namespace, selection)
        ready = any(self._doors.fleet.health(key.namespace, name).ready for name in names)
        waiting = self.waiting.setdefault(key.namespace, set())
        if ready:
            waiting.discard(key)
        else:
            waiting.add(key)

    async def _write(self, seen: Seen[ModelSpec], patch: StatusPatch) -> bool:
        """False: somebody else has written as well, so that it may not be as it should."""
        known: Seen[ModelSpec] | None = seen
        if changes := difference(_status(seen.manifest), patch.status):
            write = self._doors.cluster.patch_status(seen.key, {"status": changes})
            known = await self._written(seen, write)
        for kind, reason, message in patch.events:
            self._doors.recorder.record(seen.manifest, kind, reason, message)
        if known is None:
            return False
        left = difference(_status(known.manifest), patch.status)
        # What the API server does not take (another's definition may lack a field) is not written for ever.
        return not left or left == changes

    async def _written(
        self, seen: Seen[ModelSpec], write: Awaitable[Manifest | None]
    ) -> Seen[ModelSpec] | None:
        """As it is known after that; None: somebody else has changed it meanwhile, or it is gone."""
        with self._world.writing(seen.key):
            answer = await write
            return None if answer is None else self._world.written(seen, answer)

    def _overtaken(self, key: ModelKey, seen: Seen[ModelSpec]) -> float | None:
        """Somebody else has changed it: it is looked at again now, or when that is heard of."""
        return None if self._world.model(key) is seen else AT_ONCE_S

    # Its end.

    async def _forget(self, key: ModelKey) -> None:
        """Nobody declares it any more; or another kind's object of this name does, which is not touched."""
        self.chosen.pop(key, None)
        self._sleeping.forget(key)
        self.waiting.get(key.namespace, set()).discard(key)
        if self._world.is_listed and self._world.is_enabled(key.namespace):
            await self._doors.meshes.forget(key.namespace, key.name, owner=key.source.value)

    async def _let_go(self, key: ModelKey, seen: Seen[ModelSpec]) -> None:
        """It is to go, or is none of ours any more: the mesh forgets it first.

        Without a mesh it goes at once, and is swept later.
        """
        await self._forget(key)
        finalizers = list(seen.manifest["metadata"].get("finalizers") or ())
        if FINALIZER not in finalizers:
            return
        finalizers.remove(FINALIZER)
        with suppress(ObjectConflict):  # it has changed since, and is looked at again
            if await self._doors.cluster.patch(seen.key, _finalizers(seen.manifest, finalizers)) is not None:
                log.info("model is let go", extra={"model": str(key)})

    async def _held(self, seen: Seen[ModelSpec]) -> Seen[ModelSpec] | None:
        """With the finalizer on it, before the mesh hears of it.

        None: somebody else was quicker.
        """
        finalizers = list(seen.manifest["metadata"].get("finalizers") or ())
        if FINALIZER in finalizers:
            return seen
        patch = _finalizers(seen.manifest, [*finalizers, FINALIZER])
        try:
            return await self._written(seen, self._doors.cluster.patch(seen.key, patch))
        except ObjectConflict:
            return None


def resolved(spec: ModelSpec, selection: Selection | None) -> ModelSpec:
    """With the runtime that KServe's rules choose: another one makes it another model, to be loaded anew."""
    if spec.mode is DeploymentMode.MODELMESH or not isinstance(selection, Chosen):
        return spec
    return replace(spec, runtime=selection.runtimes[0].name)


def fingerprint(selection: Selection | None) -> tuple[str, ...]:
    """All of a selection that a registration or a status depends on."""
    if selection is None:
        return ()
    if isinstance(selection, Chosen):
        return (selection.type, *(runtime.name for runtime in selection.runtimes))
    return (selection.type, selection.reason.value, *(refusal.because for refusal in selection.refusals))


def _status(manifest: Manifest) -> Mapping[str, Any]:
    status = manifest.get("status")
    return status if isinstance(status, Mapping) else {}


def _finalizers(manifest: Manifest, finalizers: list[str]) -> Manifest:
    """The list is written as a whole, so only if nobody else has changed it."""
    return {
        "metadata": {
            "finalizers": finalizers,
            "resourceVersion": manifest["metadata"].get("resourceVersion"),
        }
    }
