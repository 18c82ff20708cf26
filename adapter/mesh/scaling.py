"""When a model is to have more copies (reference: ModelMesh core 4.11, the intended rules).

Four reasons: its registration asks for more; it is used steadily, and there is room; its copy here has more
calls a minute than a copy should have; or more at a time. Each holder judges by its own share of the calls,
once a second. So that not all holders ask at once, the seconds are dealt to them in turn, in order of their
ids; and nobody asks while a copy is being loaded, or before a new one took its share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from adapter.domain.ids import InstanceId
from adapter.domain.records import CopyRecord, CopyState
from adapter.mesh.copy_facts import BUSY, Copied, Mesh
from adapter.mesh.failed_copies import failures_of

STEADY_FREE_SHARE_MIN: Final = 0.10
STEADY_AGE_MS_MIN: Final = 20 * 3_600_000
"""Steady use gets a second copy when so much is free, or nothing was evicted that was used since then."""

SETTLES_S: Final = 6.0
"""So long after a further copy was loaded the rates tell what it changed: their window, and one second."""
STARTS_S: Final = 2.0
"""So long after a load the copy here is busy with those who waited for it; that is no rate."""
ASKED_S: Final = 5.0
"""So long after it asked for a copy an instance does not ask again: others may not see yet that it comes."""
AT_ONCE_FREELY: Final = 2
"""More copies than this are not added at once unless they are at most a third of the instances."""
STRICT_MS: Final = 20_000
"""So far in the future lies the use for which a busy model's copies are placed: by load above all."""

_LIVE: Final = (CopyState.LOADING, CopyState.LOADED)


class Why(Enum):
    """The rule that asks for more copies, for counting."""

    COPIES_MIN = "min_copies"
    STEADY = "steady_use"
    RATE = "rate"
    CONCURRENCY = "concurrency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """More copies are to be loaded."""

    why: Why
    copies: int
    """How many; at least one."""
    because: str
    used_ms: int
    """What counts as the model's last use where they are placed and queued."""
    excluded: Mapping[InstanceId, str] = field(default_factory=dict)
    """Who may not be asked, each with the reason: who holds it, has failed, leaves or is too busy."""


def more_copies(copied: Copied, mesh: Mesh, *, registered_here: bool = False) -> Wish | None:
    """What is missing; None: nothing, or nobody could hold it, or somebody else is to ask.

    `registered_here`: it was registered a moment ago by a call to this instance.
    """
    if abs(mesh.now_ms - copied.asked_ms) < 1000.0 * ASKED_S:
        return None
    if failures_of(copied.copies, mesh.now_ms).refusal(mesh.now_ms):
        return None
    return (
        _too_few(copied, mesh, registered_here=registered_here)
        or _too_busy(copied, mesh)
        or _steady(copied, mesh)
    )


def _too_few(copied: Copied, mesh: Mesh, *, registered_here: bool) -> Wish | None:
    live = mesh.live(copied, *_LIVE)
    missing = copied.rules.copies_min - len(live)
    responsible = registered_here or (live[0] == mesh.here if live else mesh.leads)
    if missing <= 0 or not responsible:
        return None
    return _wish(
        copied,
        mesh,
        Wish(
            why=Why.COPIES_MIN,
            copies=missing,
            because=f"minCopies is {copied.rules.copies_min}, and there are {len(live)}",
            used_ms=copied.used_ms or mesh.now_ms,
        ),
    )


def _too_busy(copied: Copied, mesh: Mesh) -> Wish | None:
    live, loaded = mesh.live(copied, *_LIVE), mesh.live(copied, CopyState.LOADED)
    if mesh.here not in loaded or not _is_its_turn(mesh, loaded) or _settles(copied, mesh, live):
        return None
    load, rules = copied.load(mesh.rules), mesh.rules
    if load < BUSY:
        return None
    by_rate = copied.rpm / rules.rpm_max >= load
    most = rules.rpm_max if by_rate else rules.concurrency_wanted(copied.concurrency_limit)
    wish = Wish(
        why=Why.RATE if by_rate else Why.CONCURRENCY,
        copies=int(load),
        because=f"its copy has {copied.rpm:.0f} calls a minute, and should have less than {most:.0f}"
        if by_rate
        else f"its copy has {copied.concurrency:.1f} calls at a time, and should have less than {most:.1f}",
        used_ms=mesh.now_ms + STRICT_MS,
        excluded=_busy_instances(mesh),
    )
    return _wish(copied, mesh, wish)


def _steady(copied: Copied, mesh: Mesh) -> Wish | None:
    if not copied.steady or mesh.live(copied, *_LIVE) != [mesh.here]:
        return None
    if copied.copies[mesh.here].state is not CopyState.LOADED:
        return None
    room, age_ms = mesh.room, mesh.room.age_ms(mesh.now_ms)
    if room.free_share < STEADY_FREE_SHARE_MIN and age_ms < STEADY_AGE_MS_MIN:
        return None
    return _wish(
        copied,
        mesh,
        Wish(
            why=Why.STEADY,
            copies=1,
            because=f"it is used steadily, and {room.free_share:.0%} of the memory is free"
            if room.free_share >= STEADY_FREE_SHARE_MIN
            else f"it is used steadily, and nothing used in the last {age_ms // 3_600_000} h was evicted",
            used_ms=copied.used_ms or mesh.now_ms,
        ),
    )


def _wish(copied: Copied, mesh: Mesh, wish: Wish) -> Wish | None:
    """The wish within its bounds, with all who cannot fulfil it; None if nothing of it is left."""
    excluded = {**wish.excluded, **_unable(copied, mesh)}
    copies = min(wish.copies, len(mesh.instances.keys() - excluded.keys()))
    if copied.rules.copies_max:
        copies = min(copies, copied.rules.copies_max - len(mesh.live(copied, *_LIVE)))
    if copies > AT_ONCE_FREELY and wish.why is not Why.COPIES_MIN:
        copies = min(copies, max(AT_ONCE_FREELY, mesh.room.instances // 3))
    if copies < 1:
        return None
    return Wish(why=wish.why, copies=copies, because=wish.because, used_ms=wish.used_ms, excluded=excluded)


def _unable(copied: Copied, mesh: Mesh) -> dict[InstanceId, str]:
    """Who cannot be given a further copy."""
    unable = {id_: "it leaves" for id_, instance in mesh.instances.items() if instance.record.draining}
    for id_, copy in copied.copies.items():
        if copy.state is not CopyState.FAILED:
            unable[id_] = f"it has a copy, which is {copy.state.value}"
        elif copy.until_ms > mesh.now_ms:
            unable[id_] = f"the load failed there: {copy.failure}"
    return unable


def _busy_instances(mesh: Mesh) -> dict[InstanceId, str]:
    """Those to which a busy model had better not go; this instance is never one of them."""
    most = max(4.0 * mesh.rules.rpm_max, mesh.rpm - 2.0 * mesh.rules.rpm_max)
    return {
        id_: f"it has {instance.record.rpm} calls a minute already, more than {most:.0f}"
        for id_, instance in mesh.instances.items()
        if instance.record.rpm > most and id_ != mesh.here
    }


def _is_its_turn(mesh: Mesh, holders: list[InstanceId]) -> bool:
    return mesh.now_ms // 1000 % len(holders) == holders.index(mesh.here)


def _settles(copied: Copied, mesh: Mesh, live: list[InstanceId]) -> bool:
    """Whether a copy is on its way, or so new that nobody can tell yet what it changes."""
    return any(_is_new(copied.copies[id_], mesh.now_ms, is_here=id_ == mesh.here) for id_ in live)


def _is_new(copy: CopyRecord, now_ms: int, *, is_here: bool) -> bool:
    if copy.state is CopyState.LOADING:
        return True
    waits_s = copy.load_s + STARTS_S if is_here else 2.0 * copy.load_s + SETTLES_S
    # The other's clock may be ahead of ours: far ahead is not new.
    return abs(now_ms - copy.since_ms) < 1000.0 * waits_s
