"""What the leader has loaded before anybody asks, where there is room (reference: ModelMesh core 4.13).

The registry is scanned page by page and may be larger than memory: `Candidates` keeps only the best of what
goes by. Most recently used first. An instance fills half of what it has free above an eighth of its capacity;
beyond that, a twentieth of its capacity is given to models that were used later than much of what it holds.
Where each copy goes is for placement to say; here is only counted how many there is room for.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from heapq import heappush, heapreplace
from typing import Final

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState
from adapter.mesh.failed_copies import failures_of
from adapter.mesh.view import InstanceState
from adapter.mesh.wording import ago, in_bytes

CANDIDATES_MAX: Final = 5_000
LOADS_MAX: Final = 1_000
"""In one run; the next one goes on."""

FREE_SHARE_KEPT: Final = 0.125
FILLED_SHARE: Final = 0.5
REPLACED_SHARE: Final = 0.05
REPLACED_AGE_SHARE: Final = 1.0 / 3.0
REPLACED_AGE_MS_MIN: Final = 20 * 60_000
LOADS_PER_SLOT: Final = 50
FAILURES_MAX: Final = 1
"""A model whose load failed in more instances than this is left alone until that is forgotten."""
COPIES_FOR_MEAN: Final = 10
COPIES_FOR_HALF_MEAN: Final = 3
"""With so many copies in the mesh their mean size is a good guess; it counts half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A registered model without any copy."""

    model: ModelId
    type: str
    used_ms: int
    size_bytes: int = 0
    """0: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProactiveLoad:
    """A model that is to be loaded, wherever placement says."""

    candidate: Candidate
    because: str


def may_be_loaded(copies: Mapping[InstanceId, CopyRecord], now_ms: int) -> bool:
    """Whether a model of which the table says this is a candidate."""
    if any(copy.state is not CopyState.FAILED for copy in copies.values()):
        return False
    failures = failures_of(copies, now_ms)
    return len(failures.by_instance) <= FAILURES_MAX and failures.refusal(now_ms) is None


class Candidates:
    """The most recently used of all that were offered."""

    def __init__(self, most: int = CANDIDATES_MAX) -> None:
        assert most > 0, f"no room for candidates: {most}"
        self._most = most
        self._heap: list[tuple[int, ModelId, Candidate]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def offer(self, candidate: Candidate) -> None:
        """One more, each model once."""
        item = (candidate.used_ms, candidate.model, candidate)
        if len(self._heap) < self._most:
            heappush(self._heap, item)
        elif item[:2] > self._heap[0][:2]:
            heapreplace(self._heap, item)

    def best_first(self) -> list[Candidate]:
        return [candidate for _, _, candidate in sorted(self._heap, key=_newest_first)]


def _newest_first(item: tuple[int, ModelId, Candidate]) -> tuple[int, ModelId]:
    return -item[0], item[1]


def proactive_loads(
    candidates: Iterable[Candidate],
    instances: Iterable[InstanceState],
    *,
    may_hold: Callable[[str, InstanceState], bool],
    default_size_bytes: int,
    now_ms: int,
) -> list[ProactiveLoad]:
    """Which of the candidates, given in their order, there is room for. At most `LOADS_MAX`.

    `may_hold`: whether models of a type may be in an instance.
    """
    rooms = [_Room(instance, now_ms) for instance in instances if not instance.record.draining]
    estimate_bytes = _estimate_bytes(rooms, default_size_bytes)
    rooms_of: dict[str, list[_Room]] = {}
    loads: list[ProactiveLoad] = []
    for candidate in candidates:
        if len(loads) >= LOADS_MAX or not any(room.slots > 0 for room in rooms):
            break
        if candidate.type not in rooms_of:
            rooms_of[candidate.type] = [room for room in rooms if may_hold(candidate.type, room.instance)]
        size_bytes = candidate.size_bytes or estimate_bytes
        because = _because(candidate, rooms_of[candidate.type], size_bytes, now_ms)
        if because:
            loads.append(ProactiveLoad(candidate=candidate, because=because))
    return loads


class _Room:
    """What may still be loaded into one instance in this run."""

    def __init__(self, instance: InstanceState, now_ms: int) -> None:
        record = instance.record
        self.instance = instance
        self.slots = LOADS_PER_SLOT * record.loading_slots - max(record.loading, instance.loading)
        self.free_bytes = max(
            FILLED_SHARE * (instance.free_bytes - FREE_SHARE_KEPT * record.capacity_bytes), 0.0
        )
        self.replaced_bytes = max(REPLACED_SHARE * record.capacity_bytes - self.free_bytes, 0.0)
        coldest_ms = now_ms if record.coldest_ms is None else min(record.coldest_ms, now_ms)
        younger_ms = max(REPLACED_AGE_SHARE * (now_ms - coldest_ms), float(REPLACED_AGE_MS_MIN))
        self.replaces_used_after_ms = coldest_ms + younger_ms

    def fills(self, size_bytes: int) -> bool:
        return self.slots > 0 and size_bytes <= self.free_bytes

    def replaces(self, candidate: Candidate, size_bytes: int) -> bool:
        """Whether the model may be loaded in place of what was used much earlier."""
        recent = candidate.used_ms > self.replaces_used_after_ms
        return recent and self.slots > 0 and size_bytes <= self.free_bytes + self.replaced_bytes

    def take(self, size_bytes: int) -> None:
        self.slots -= 1
        self.replaced_bytes -= max(size_bytes - self.free_bytes, 0.0)
        self.free_bytes = max(self.free_bytes - size_bytes, 0.0)


def _because(candidate: Candidate, rooms: list[_Room], size_bytes: int, now_ms: int) -> str:
    """Why there is room for it, which is taken then; empty: there is none."""
    used = f"it was used {ago(candidate.used_ms, now_ms)}"
    filled = [room for room in rooms if room.fills(size_bytes)]
    if filled:
        room = max(filled, key=_free_bytes)
        because = f"{used}, and {room.instance.id} has {in_bytes(int(room.free_bytes))} to fill"
    elif replacing := [room for room in rooms if room.replaces(candidate, size_bytes)]:
        room = max(replacing, key=_all_bytes)
        because = f"{used}, later than much of what {room.instance.id} holds"
    else:
        return ""
    room.take(size_bytes)
    return because


def _free_bytes(room: _Room) -> tuple[float, InstanceId]:
    return room.free_bytes, room.instance.id


def _all_bytes(room: _Room) -> tuple[float, InstanceId]:
    return room.free_bytes + room.replaced_bytes, room.instance.id


def _estimate_bytes(rooms: list[_Room], default_size_bytes: int) -> int:
    """The size of a model of which nothing is known."""
    copies = sum([room.instance.copies for room in rooms])
    if copies < COPIES_FOR_HALF_MEAN:
        return default_size_bytes
    mean_bytes = sum([room.instance.used_bytes for room in rooms]) // copies
    return mean_bytes if copies > COPIES_FOR_MEAN else (default_size_bytes + mean_bytes) // 2
