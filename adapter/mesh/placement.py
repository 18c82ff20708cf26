"""Where a copy of a model is loaded (reference: ModelMesh core 4.7, the rules that it meant).

Who may not hold it is refused, each with the reason. Of the others the best by `ranking` leads; those close
to it are as good, less the busy ones. Among these the model's id decides, by rendezvous hashing: two
instances that see the same mesh choose the same place, so that a cold model that is asked of both is loaded
once, and the models spread evenly.

A full instance is no obstacle, since it can evict. When nobody may hold the model, the code is
RESOURCE_EXHAUSTED, also where no instance has the labels (ModelMesh has INTERNAL there): what is missing is
an instance, or memory in one.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyState
from adapter.mesh.constraints import Labels, TypeConstraints
from adapter.mesh.ranking import NEAR_NONE, SAME_LOCATION, SAME_ZONE, Standing, standing_key
from adapter.mesh.upgrades import leaving
from adapter.mesh.verdicts import Placed, Placement, Refused
from adapter.mesh.view import InstanceState
from adapter.mesh.wanted import Wanted
from adapter.mesh.wording import in_bytes, within

NOTHING_PENDING: Final[Mapping[InstanceId, int]] = MappingProxyType({})

COLDEST_CLOSE_MS: Final = 45_000
"""Full instances are close if their coldest copies were used at about the same time: so far apart at most,"""
COLDEST_CLOSE_SHARE: Final = 10
"""or a tenth of the age of the coldest of all."""
PREFERRED_CLOSE_MS: Final = 120_000
"""The same for those that the type prefers,"""
PREFERRED_CLOSE_SHARE: Final = 4
"""who may be a quarter of the age apart."""
FREE_CLOSE_SHARE: Final = 4
"""One with room is close if it has a quarter of the best's,"""
COPIES_ALWAYS_CLOSE: Final = 10
"""and few copies, or a quarter more than the best."""

RPM_IDLE: Final = 100
"""An instance with fewer requests a minute is never too busy."""
_BUSY_PERCENT: Final = ((-1_000, 110), (5_000, 150), (12 * 60_000, 300), (24 * 3_600_000, 400))
"""Milliseconds since the model was used: so much busier than the idlest an instance may be. A use in the
future marks a further copy for a busy model; one that was not used for a day may go anywhere."""

REASONS_MAX: Final = 5
"""So many instances are named when nobody may hold the model."""
NOWHERE: Final = "Nowhere available to load"


def place(
    wanted: Wanted,
    instances: Mapping[InstanceId, InstanceState],
    constraints: TypeConstraints,
    *,
    now_ms: int,
    pending: Mapping[InstanceId, int] = NOTHING_PENDING,
) -> Placement:
    """Where one more copy goes.

    `pending`: how many loads this instance has just sent somewhere that `instances` does not show yet. Of
    this instance itself `wanted.held_here` is believed, not the table of copies.
    """
    refused: dict[InstanceId, str] = {}
    fit: list[InstanceState] = []
    for id_, state in instances.items():
        reason = why_not(wanted, state, constraints, now_ms=now_ms)
        if reason:
            refused[id_] = reason
        else:
            fit.append(state)
    if not fit:
        return _nowhere(wanted, instances, constraints, refused)
    if len(fit) == 1:
        return Placed(instance=fit[0].id, because="the only instance that may hold it", refused=refused)
    fit = _staying(fit, leaving(instances, now_ms), refused)
    standings = _standings(wanted, fit, instances, now_ms=now_ms, pending=pending)
    pool = _preferred(wanted, standings, constraints, now_ms) if constraints else standings
    best = min(pool, key=standing_key)
    close = _close(pool, best, now_ms)
    if wanted.balanced and any(each.state.id == wanted.here for each in close):
        because = "the caller spreads its calls itself, and this instance is among the best"
        return Placed(instance=wanted.here, because=because, refused=refused)
    if len(close) > 1:
        close = _not_busy(close, now_ms - wanted.used_ms)
    chosen = _by_hash(wanted.model, close)
    return Placed(instance=chosen.state.id, because=_because(chosen, len(close), now_ms), refused=refused)


def why_not(wanted: Wanted, state: InstanceState, constraints: TypeConstraints, *, now_ms: int) -> str:
    """Why this instance may not hold a copy, or may not hold another one; empty: it may."""
    if state.id in wanted.excluded:
        return f"it was tried for this request: {wanted.excluded[state.id]}"
    return _has_or_had(wanted, state.id, now_ms) or _unfit(wanted, state, constraints)


def _has_or_had(wanted: Wanted, instance: InstanceId, now_ms: int) -> str:
    """What there is of the model there already."""
    copy = wanted.copies.get(instance)
    held = wanted.held_here if instance == wanted.here else None if copy is None else copy.state
    if held is CopyState.LOADED:
        return "it holds the model already"
    if held is CopyState.LOADING:
        return "it loads the model already"
    if copy is not None and copy.state is CopyState.FAILED:
        if now_ms >= copy.until_ms:
            return ""
        why = copy.failure or "for no reason that it told"
        return f"its load failed there ({why}), tried again {within(copy.until_ms, now_ms)}"
    return "its load failed there" if held is CopyState.FAILED else ""


def _unfit(wanted: Wanted, state: InstanceState, constraints: TypeConstraints) -> str:
    """What the instance lacks, to hold this model."""
    record = state.record
    if record.draining:
        return "it drains"
    missing = constraints.missing(wanted.type, record.labels)
    if missing:
        return f"it lacks the labels [{', '.join(missing)}] that type {wanted.type} requires"
    if wanted.size_bytes > record.capacity_bytes:
        needed, there_is = in_bytes(wanted.size_bytes), in_bytes(record.capacity_bytes)
        return f"it is too small: the model needs {needed}, and it has {there_is} in all"
    if record.capacity_bytes <= 0:
        return "it has no room for models, or has not said yet how much"
    return ""


def affinity(model: ModelId, instances: Sequence[InstanceId]) -> InstanceId:
    """The one of these to which the model belongs: the same in every process, and as long as it is there."""
    seed = blake2b(model.encode("utf-8", "surrogatepass"), digest_size=8)
    seed.update(b"\0")
    best, best_score = instances[0], b""
    for instance in instances:
        score = seed.copy()
        score.update(instance.encode("utf-8", "surrogatepass"))
        digest = score.digest()
        if digest > best_score or (digest == best_score and instance < best):
            best, best_score = instance, digest
    return best


# Who leads.


def _staying(
    fit: list[InstanceState], leavers: frozenset[InstanceId], refused: dict[InstanceId, str]
) -> list[InstanceState]:
    """Without those that are being replaced, unless nobody would be left."""
    if not leavers:
        return fit
    staying = [state for state in fit if state.id not in leavers]
    if not staying:
        return fit
    for state in fit:
        if state.id in leavers:
            refused[state.id] = "newer instances are replacing those of its ReplicaSet"
    return staying


def _standings(
    wanted: Wanted,
    fit: list[InstanceState],
    instances: Mapping[InstanceId, InstanceState],
    *,
    now_ms: int,
    pending: Mapping[InstanceId, int],
) -> list[Standing]:
    zones: set[str] = set()
    locations: set[str] = set()
    for id_, copy in wanted.copies.items():
        holder = instances.get(id_)
        if holder is not None and copy.state is not CopyState.FAILED and not holder.record.draining:
            zones.add(holder.record.zone)
            locations.add(holder.record.location)
    return [
        Standing(
            state,
            now_ms=now_ms,
            size_bytes=wanted.size_bytes,
            pending=pending.get(state.id, 0) if pending else 0,
            near=_near(state, zones, locations) if zones else NEAR_NONE,
        )
        for state in fit
    ]


def _near(state: InstanceState, zones: set[str], locations: set[str]) -> int:
    """How near the next copy of the model is. Zones and locations that have no name are one."""
    if state.record.zone not in zones:
        return NEAR_NONE
    return SAME_LOCATION if state.record.location in locations else SAME_ZONE


def _preferred(
    wanted: Wanted, standings: list[Standing], constraints: TypeConstraints, now_ms: int
) -> list[Standing]:
    """Those that the type prefers, if some of them are nearly as good as the best; else all."""
    all_labels: set[Labels] = {each.state.record.labels for each in standings}
    likes = {labels for labels in all_labels if constraints.prefers(wanted.type, labels, all_labels)}
    if not likes:
        return standings
    best = min(standings, key=standing_key)
    reach_ms = best.coldest_ms + max(PREFERRED_CLOSE_MS, (now_ms - best.coldest_ms) // PREFERRED_CLOSE_SHARE)
    preferred = [
        each
        for each in standings
        if each.state.record.labels in likes
        and (each.coldest_ms <= reach_ms if best.is_full else not each.is_full)
    ]
    return preferred or standings


def _close(pool: list[Standing], best: Standing, now_ms: int) -> list[Standing]:
    """Those about as good as the best, and the best itself."""
    alike = [each for each in pool if each.is_like(best)]
    if len(alike) == 1:
        return alike
    if best.is_full:
        reach_ms = best.coldest_ms + max(COLDEST_CLOSE_MS, (now_ms - best.coldest_ms) // COLDEST_CLOSE_SHARE)
        return [each for each in alike if each.coldest_ms <= reach_ms]
    copies_max = max(COPIES_ALWAYS_CLOSE - 1, best.copies + best.copies // 4)
    return [
        each
        for each in alike
        if each.copies <= copies_max and each.free_bytes * FREE_CLOSE_SHARE >= best.free_bytes
    ]


def _not_busy(close: list[Standing], unused_ms: int) -> list[Standing]:
    """Without those that are much busier than the idlest; less busy is enough the later it was used."""
    for unused_ms_max, percent in _BUSY_PERCENT:
        if unused_ms < unused_ms_max:
            idlest = min(each.state.record.rpm for each in close)
            rpm_max = max(RPM_IDLE, idlest) * percent // 100
            return [each for each in close if each.state.record.rpm <= rpm_max]
    return close


def _by_hash(model: ModelId, close: list[Standing]) -> Standing:
    if len(close) == 1:
        return close[0]
    chosen = affinity(model, [each.state.id for each in close])
    return next(each for each in close if each.state.id == chosen)


# What is said.


def _because(chosen: Standing, rivals: int, now_ms: int) -> str:
    if chosen.is_full:
        unused_s = max(now_ms - chosen.coldest_ms, 0) // 1000
        return f"it is full, and gives up what was not used for {unused_s} s"
    if rivals > 1:
        return f"chosen by the model's id among the {rivals} best"
    return f"no other is as good: it has {chosen.copies} copies, and {in_bytes(chosen.free_bytes)} free"


def _nowhere(
    wanted: Wanted,
    instances: Mapping[InstanceId, InstanceState],
    constraints: TypeConstraints,
    refused: Mapping[InstanceId, str],
) -> Refused:
    allowed = [
        state.record.capacity_bytes
        for state in instances.values()
        if not state.record.draining and not constraints.missing(wanted.type, state.record.labels)
    ]
    required = constraints.required(wanted.type)
    if not allowed and required:
        because = (
            "There are no running instances that meet the label requirements "
            f"of type {wanted.type}: [{', '.join(required)}]"
        )
    elif not instances:
        because = f"{NOWHERE}: there are no instances"
    elif allowed and max(allowed) < wanted.size_bytes:
        because = (
            f"{NOWHERE}: it needs {in_bytes(wanted.size_bytes)}, "
            f"the biggest instance that may hold it has {in_bytes(max(allowed))}"
        )
    else:
        because = f"{NOWHERE}: {_listed(refused)}"
    return Refused(code=Code.RESOURCE_EXHAUSTED, because=because, refused=refused)


def _listed(refused: Mapping[InstanceId, str]) -> str:
    named = [f"{id_}: {reason}" for id_, reason in sorted(refused.items())[:REASONS_MAX]]
    more = len(refused) - len(named)
    return "; ".join([*named, f"and {more} more"] if more else named)
