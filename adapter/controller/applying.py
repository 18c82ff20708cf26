"""Has objects be as wanted, with no request for what is so already.

What was applied is remembered by a digest of it, with its generation: the same again is a request only after
somebody else has changed it, or after `RECHECK_S`, in case nobody heard of such a change. Server-side apply
of what is so already changes nothing.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from adapter.aio.clock import Clock
from adapter.cluster.cluster import Cluster, ClusterRefused, ClusterUnavailable, KindMissing
from adapter.controller.desired.names import CONTROLLER, FLEET_LABEL, MANAGED_BY_LABEL
from adapter.controller.desired.namespace import is_headless
from adapter.domain.kinds import AUTOSCALER, DEPLOYMENT, SERVICE, Key, Kind, Manifest, key_of

log = logging.getLogger(__name__)

RECHECK_S: Final = 300.0
CALM_S: Final = 5.0
"""Somebody else's change so soon after ours waits for the next look: two who disagree must not race."""

Adjust = Callable[[Manifest, Manifest | None], Manifest]
"""From what is wanted and what is there to what is applied."""


class NotOurs(ClusterRefused):
    """There is an object of the name that somebody else made."""


class StillThere(ClusterUnavailable):
    """An object of the name is being deleted; it can be made anew when it is gone."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object that is wanted."""

    kind: Kind
    key: Key
    manifest: Manifest
    digest: bytes

    @classmethod
    def of(cls, kind: Kind, manifest: Manifest) -> "Item":
        digest = hashlib.sha256(orjson.dumps(dict(manifest), option=orjson.OPT_SORT_KEYS)).digest()
        return cls(kind, key_of(manifest, kind), manifest, digest)


@dataclass(frozen=True, slots=True)
class _Applied:
    digest: bytes
    generation: int
    at_s: float


class Applier:
    """Applies and removes the objects of a fleet."""

    def __init__(self, cluster: Cluster, *, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._applied: dict[Key, _Applied] = {}
        self._gone: dict[Key, float] = {}
        """What is known not to be there, and since when."""

    async def have(self, item: Item, *, adjust: Adjust | None = None) -> Manifest | None:
        """Have it there; what the API server made of it, or None if nothing was to be done.

        Raises `NotOurs`, `StillThere`, and what `Cluster.apply` does.
        """
        applied = self._applied.get(item.key)
        if applied is not None and applied.digest == item.digest and self._is_fresh(applied.at_s):
            return None
        live = await self._made_room(item, await self._cluster.get(item.key))
        manifest = item.manifest if adjust is None else adjust(item.manifest, live)
        after = await self._cluster.apply(manifest, item.kind)
        self._gone.pop(item.key, None)
        self._applied[item.key] = _Applied(item.digest, _generation(after), self._clock.now_s())
        return after

    async def remove(self, key: Key) -> None:
        """Have it not there, unless somebody else made it."""
        if key in self._gone and self._is_fresh(self._gone[key]):
            return
        try:
            live = await self._cluster.get(key)
            # ModelMesh's label alone is no reason: installers put it on what is theirs, too.
            if live is not None and (
                is_of_fleet(live) or (key.kind == AUTOSCALER and _is_of_a_runtime(live))
            ):
                await self._cluster.delete(key, uid=str(live["metadata"].get("uid", "")))
        except KindMissing:
            pass  # then there is none of it
        self._applied.pop(key, None)
        self._gone[key] = self._clock.now_s()

    def drifted(self, key: Key, generation: int | None) -> bool:
        """Whether it is not what was applied any more, and should be looked at now; None: it is gone."""
        applied = self._applied.get(key)
        if applied is None or (generation is not None and generation <= applied.generation):
            return False
        del self._applied[key]
        return generation is None or self._clock.now_s() - applied.at_s >= CALM_S

    def forget(self, namespace: str) -> None:
        """Look at everything of this namespace anew."""
        for known in (self._applied, self._gone):
            for key in [key for key in known if key.namespace == namespace]:
                del known[key]

    def _is_fresh(self, at_s: float) -> bool:
        return self._clock.now_s() - at_s < RECHECK_S

    async def _made_room(self, item: Item, live: Manifest | None) -> Manifest | None:
        """What is there that may be applied to; what cannot become what is wanted is deleted."""
        if live is None:
            return None
        if live["metadata"].get("deletionTimestamp"):
            raise StillThere(f"{item.key} is being deleted; it is made anew when it is gone")
        if not is_of_fleet(live) and not _was_modelmeshs(item.kind, live):
            raise NotOurs(
                f"{item.key} is there already, and not made by this controller; delete or rename it"
            )
        # ModelMesh's pods have containers that would stay beside ours, and cannot be in one mesh with them.
        is_another = item.kind == DEPLOYMENT and not is_of_fleet(live)
        if is_another or (item.kind == SERVICE and is_headless(live) != is_headless(item.manifest)):
            log.info("an object is made anew", extra={"object": str(item.key)})
            await self._cluster.delete(item.key, uid=str(live["metadata"].get("uid", "")))
            return None
        return live


def is_of_fleet(live: Manifest) -> bool:
    """Whether a fleet made it."""
    return FLEET_LABEL in _labels(live)


def _is_of_a_runtime(live: Manifest) -> bool:
    owners = live["metadata"].get("ownerReferences") or ()
    return any(owner.get("kind") in {"ServingRuntime", "ClusterServingRuntime"} for owner in owners)


def _was_modelmeshs(kind: Kind, live: Manifest) -> bool:
    """Whether ModelMesh's controller made it, so that we may take it over."""
    if kind in {DEPLOYMENT, AUTOSCALER}:
        return _is_of_a_runtime(live)
    return _labels(live).get(MANAGED_BY_LABEL) == CONTROLLER


def _labels(live: Manifest) -> Mapping[str, Any]:
    return live["metadata"].get("labels") or {}


def _generation(manifest: Manifest) -> int:
    return int(manifest["metadata"].get("generation") or 0)
