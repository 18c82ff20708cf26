"""When this instance gives up a copy of which there are others (ModelMesh core 4.12, the intended rules).

Only where memory is scarce, and only the holder that comes first in an order which all holders see alike:
whose zone, or machine, has a further copy, and of those the one that model and instance draw by lot. The lot
depends on nothing that changes, so two holders whose views differ by a moment do not both give up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyState
from adapter.mesh.copy_facts import Copied, Mesh
from adapter.mesh.wording import lasting

HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000

CROWDED_FREE_SHARE: Final = 0.05
"""Memory is scarce when no more than this is free."""
RUN_SHARE: Final = 0.05
"""At most so much of its capacity an instance gives up at a time; the first copy always may go."""

IDLE_AGE_SHARE: Final = 0.1
IDLE_MS_MAX: Final = 10 * HOUR_MS
HEAVY_AGE_SHARE: Final = 0.2
"""A second copy goes when it was unused for a tenth of the age of what is evicted; for ten hours at most,
unless it was used heavily in the last fifth of that age.
"""
SETTLED_MS: Final = 10 * MINUTE_MS
"""Before that a second copy does not go at all: it may have been loaded for a burst that comes again."""

DEPARTED_MS: Final = 80_000
LOADED_MS: Final = 30 * MINUTE_MS
HEAVY_AGO_MS_MIN: Final = 10 * MINUTE_MS
HEAVY_AGO_MS_MAX: Final = 5 * HOUR_MS
"""Of more than two copies one goes when none went or came so lately, and none was used heavily for 3 % of
the age of what is evicted, within these bounds.
"""
CALM: Final = 2.0 / 3.0
"""At most so much load those that stay are to have afterwards; less than what asks for a further copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surplus:
    """A copy here that is to be unloaded."""

    model: ModelId
    because: str


def surplus_copies(judged: Iterable[tuple[Copied, Mesh]], *, capacity_bytes: int) -> list[Surplus]:
    """Which copies of this instance go in one run, the longest unused first, within what a run may take."""
    left_bytes = RUN_SHARE * capacity_bytes
    surplus: list[Surplus] = []
    for copied, mesh in sorted(judged, key=_used_ms):
        because = fewer_copies(copied, mesh)
        if because is None or (surplus and copied.size_bytes > left_bytes):
            continue
        left_bytes -= copied.size_bytes
        surplus.append(Surplus(model=copied.model, because=because))
    return surplus


def fewer_copies(copied: Copied, mesh: Mesh) -> str | None:
    """Why this instance is to give up its copy; None: it keeps it."""
    loaded = mesh.live(copied, CopyState.LOADED)
    others = len(loaded) - 1
    if mesh.here not in loaded or others < max(copied.rules.copies_min, 1) or copied.rules.pinned:
        return None
    if mesh.here != first_to_go(copied.model, loaded, mesh):
        return None
    if copied.rules.copies_max and others >= copied.rules.copies_max:
        return f"there are {others + 1} copies, and maxCopies is {copied.rules.copies_max}"
    if mesh.room.free_share > CROWDED_FREE_SHARE:
        return None
    newest_ms = max([copied.copies[id_].since_ms for id_ in loaded])
    new_for_ms = mesh.now_ms - newest_ms
    if others == 1:
        return _second(copied, mesh) if new_for_ms >= SETTLED_MS else None
    return _further(copied, mesh, others) if new_for_ms >= LOADED_MS else None


def first_to_go(model: ModelId, holders: Sequence[InstanceId], mesh: Mesh) -> InstanceId:
    """Of these the one whose copy is missed least; all of them come to the same answer."""
    zones = [mesh.instances[id_].record.zone for id_ in holders]
    places = [mesh.instances[id_].record.location for id_ in holders]

    def key(id_: InstanceId) -> tuple[bool, bool, bytes, str]:
        record = mesh.instances[id_].record
        alone_there = not record.location or places.count(record.location) == 1
        alone_in_zone = not record.zone or zones.count(record.zone) == 1
        return alone_there, alone_in_zone, blake2b(f"{model}\n{id_}".encode(), digest_size=8).digest(), id_

    return min(holders, key=key)


def _second(copied: Copied, mesh: Mesh) -> str | None:
    """Of two copies one goes when it is idle."""
    age_ms = mesh.room.age_ms(mesh.now_ms)
    limit_ms = IDLE_AGE_SHARE * age_ms
    heavy_ms = copied.heavy_ms
    if heavy_ms is None or mesh.now_ms - heavy_ms > HEAVY_AGE_SHARE * age_ms:
        limit_ms = min(limit_ms, float(IDLE_MS_MAX))
    idle_ms = mesh.now_ms - copied.used_ms
    if idle_ms <= limit_ms:
        return None
    return f"memory is scarce, there is another copy, and this one was not used for {lasting(idle_ms / 1e3)}"


def _further(copied: Copied, mesh: Mesh, others: int) -> str | None:
    """Of more than two copies one goes when those that stay can well do its work."""
    if mesh.now_ms - copied.departed_ms < DEPARTED_MS:
        return None
    heavy_ago_ms = 0.03 * mesh.room.age_ms(mesh.now_ms) + 104_000
    heavy_ago_ms = min(max(heavy_ago_ms, float(HEAVY_AGO_MS_MIN)), float(HEAVY_AGO_MS_MAX))
    if copied.heavy_ms is not None and mesh.now_ms - copied.heavy_ms < heavy_ago_ms:
        return None
    if copied.load(mesh.rules) * (others + 1) / others > CALM:
        return None
    return (
        f"memory is scarce, and {others} other copies can do the work of this one "
        f"({copied.rpm:.0f} calls a minute)"
    )


def _used_ms(judged: tuple[Copied, Mesh]) -> tuple[int, ModelId]:
    return judged[0].used_ms, judged[0].model
