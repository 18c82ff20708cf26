"""What becomes of the copies of an instance that drains (reference: ModelMesh core 4.19).

The reference takes a copy out of its cache before it asks for another one, so that its users wait for the new
load (its issue 142). Here a copy that is needed is loaded elsewhere first, and serves until that is done.
Most recently used first, since the time may not do for all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules
from adapter.mesh.copy_facts import NO_RULES
from adapter.mesh.view import InstanceState
from adapter.mesh.wording import ago, lasting

USED_LATELY_MS: Final = 3_600_000
"""Copies used since then are waited for."""
LOADS_PER_SLOT: Final = 2
"""So many loads each loading slot elsewhere is given at a time: one runs, one is being pulled."""
AT_ONCE_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A copy of the instance that leaves, or a load of it under way."""

    model: ModelId
    used_ms: int
    """Its last use, of the copy here."""
    load_s: float = 0.0
    """What it took to pull and load it; 0.0: not known."""
    rules: CopyRules = NO_RULES
    loaded_elsewhere: int = 0
    """Copies that others have loaded and keep."""
    busy: bool = False
    """It is used heavily: the other copies had better be one more."""
    loading: bool = False
    """It is not there yet."""
    in_use: int = 0
    """Calls that it works on now, or that wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A copy that is to be loaded elsewhere, and stays here until then."""

    model: ModelId
    because: str
    used_ms: int
    """For the one who places and queues it."""
    wait: bool
    """It goes only when the other copy is there, or when the time is up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneWithout:
    """A copy that is just given up."""

    model: ModelId
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingPlan:
    """What an instance does before it goes."""

    moves: tuple[Move, ...]
    """In this order: those that are waited for first, and of these the most recently used."""
    given_up: tuple[GoneWithout, ...]
    """At once, or when the calls that they work on have ended."""
    at_once: int
    """So many moves are under way at a time; 0: there are none."""
    expected_s: float
    """How long the moves that are waited for will take, by what their loads took here."""


def leaving_plan(
    held: Iterable[Held], others: Iterable[InstanceState], *, now_ms: int, budget_s: float
) -> LeavingPlan:
    """For all that the leaving instance has; `others` are those that stay, `budget_s` is what is left."""
    staying = [other for other in others if not other.record.draining]
    moves: list[Move] = []
    given_up: list[GoneWithout] = []
    load_s: dict[ModelId, float] = {}
    for copy in sorted(held, key=_newest_first):
        verdict = _verdict(copy, staying, now_ms=now_ms, budget_s=budget_s)
        if isinstance(verdict, Move):
            moves.append(verdict)
            load_s[copy.model] = copy.load_s
        else:
            given_up.append(verdict)
    moves.sort(key=_waited_for_first)
    slots = sum([max(other.record.loading_slots, 1) for other in staying])
    waited = [load_s[move.model] for move in moves if move.wait]
    return LeavingPlan(
        moves=tuple(moves),
        given_up=tuple(given_up),
        at_once=min(LOADS_PER_SLOT * slots, AT_ONCE_MAX, len(moves)),
        expected_s=_expected_s(waited, slots),
    )


def _verdict(
    copy: Held, staying: Sequence[InstanceState], *, now_ms: int, budget_s: float
) -> Move | GoneWithout:
    if not staying:
        return GoneWithout(model=copy.model, because="no other instance stays")
    needed = _needed(copy, now_ms)
    if needed:
        slow = copy.load_s > budget_s
        if slow:
            needed += f"; its load takes {lasting(copy.load_s)}, too long for the {lasting(budget_s)} left"
        return Move(model=copy.model, because=needed, used_ms=copy.used_ms, wait=not slow)
    enough = max(copy.rules.copies_min, 1)
    if copy.loaded_elsewhere < enough:
        if copy.rules.copies_min or copy.rules.pinned:
            because = "its registration asks for it"
            return Move(model=copy.model, because=because, used_ms=copy.used_ms, wait=False)
        because = "nobody waits for its load" if copy.loading else f"it was used {ago(copy.used_ms, now_ms)}"
        return GoneWithout(model=copy.model, because=because)
    if copy.busy and not (copy.rules.copies_max and copy.loaded_elsewhere >= copy.rules.copies_max):
        because = "it is used heavily, and the other copies would have to do its work"
        return Move(model=copy.model, because=because, used_ms=copy.used_ms, wait=False)
    return GoneWithout(model=copy.model, because=f"others have it loaded ({copy.loaded_elsewhere})")


def _needed(copy: Held, now_ms: int) -> str:
    """Why nobody can do without a copy elsewhere; empty: there is one, or nobody asks for it."""
    if copy.loaded_elsewhere:
        return ""
    if copy.in_use:
        return "it is in use, and nobody else has it"
    if copy.loading:
        return ""
    if copy.rules.pinned:
        return "it is pinned, and nobody else has it"
    if now_ms - copy.used_ms <= USED_LATELY_MS:
        return f"it was used {ago(copy.used_ms, now_ms)}, and nobody else has it"
    return ""


def _expected_s(load_s: Sequence[float], slots: int) -> float:
    """How long these loads take on so many slots: no less than the longest, nor than their share."""
    return max(*load_s, sum(load_s) / max(slots, 1)) if load_s else 0.0


def _newest_first(copy: Held) -> tuple[bool, int, ModelId]:
    return not copy.in_use, -copy.used_ms, copy.model


def _waited_for_first(move: Move) -> bool:
    return not move.wait
