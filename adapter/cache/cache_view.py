"""What can be asked of the cache at any time. All times are seconds, all sizes bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

from adapter.cache.copies import Copies
from adapter.cache.departures import Departure
from adapter.cache.entry import CacheEntry, EntryState
from adapter.cache.eviction import Policy
from adapter.cache.failed import FailedLoads
from adapter.cache.failures import Failure
from adapter.cache.loads import Loads
from adapter.cache.room import Room
from adapter.cache.shadow import ShadowFigures
from adapter.domain.ids import ModelId


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one model is worth to the cache, and what keeps it."""

    uses: int
    used_s: float
    load_s: float
    size_bytes: int
    """Measured, or else predicted."""
    uses_expected: float | None
    """In a second of its room, by what was learnt of models that are used alike; None: nothing is learnt."""
    requests: int
    """That use it now."""
    pinned: bool
    guarded_until_s: float | None
    """It was loaded a moment ago, and is not evicted until then."""

    @property
    def saves(self) -> float | None:
        """Seconds of loading that a gigabyte of its room saves in an hour: the least is evicted first."""
        if self.uses_expected is None:
            return None
        return self.uses_expected * self.load_s / self.size_bytes * 1e9 * 3600


class CacheView:
    """The side of a `ModelCache` that changes nothing."""

    def __init__(self, *, room: Room, copies: Copies, loads: Loads, failed: FailedLoads) -> None:
        self._entries: dict[ModelId, CacheEntry] = {}
        self._room = room
        self._copies = copies
        self._loads = loads
        self._failed = failed
        self.misses = 0
        """Requests that had to wait for a load, or were told why there is none."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[ModelId]:
        """All models that the cache knows of, failed ones too."""
        return iter(self._entries)

    @property
    def capacity_bytes(self) -> int:
        """The room that there is, less what the runtime never let go."""
        return self._room.capacity_bytes

    @property
    def used_bytes(self) -> int:
        """What is loading, loaded or unloading."""
        return self._room.used_bytes

    @property
    def deficit_bytes(self) -> int:
        """By how much more is used than there is, since a size turned out bigger than predicted."""
        return self._room.deficit_bytes

    @property
    def stranded_bytes(self) -> int:
        """What the runtime never let go."""
        return self._room.stranded_bytes

    @property
    def copies(self) -> int:
        """How many models the runtime holds, those on their way out included."""
        return len(self._copies)

    @property
    def loading(self) -> int:
        """Loads that are queued or under way."""
        return len(self._loads)

    @property
    def loading_slots(self) -> int:
        """How many may be under way at once."""
        return self._loads.slots

    def coldest_used_s(self) -> float | None:
        """When the copy that is unused for longest was last used; None: there is no copy.

        After many uses at once it is too early, never too late; asked again, it comes nearer.
        """
        return self._copies.coldest_used_s()

    def used_s(self, model: ModelId) -> float | None:
        """When the model was last used, or asked for; None: the cache does not know of it."""
        entry = self._entries.get(model)
        return None if entry is None else entry.worth.used_s

    def state(self, model: ModelId) -> EntryState | None:
        """Where the model is; None: the cache does not know of it."""
        entry = self._entries.get(model)
        return None if entry is None else entry.state

    def failure(self, model: ModelId, now_s: float) -> Failure | None:
        """Why the last load failed, as long as that is remembered."""
        return self._failed.recall(model, now_s)

    def loading_since(self, model: ModelId) -> float | None:
        """When the load of what is here, or on its way here, was asked for; None: there is no such thing."""
        entry = self._entries.get(model)
        if entry is None or entry.state in (EntryState.UNLOADING, EntryState.FAILED):
            return None
        return entry.requested_s

    # For explanations.

    def departure(self, model: ModelId) -> Departure | None:
        """How its last copy here came to go; None: there was none, or it is long ago."""
        return self._copies.departures.latest(model)

    @property
    def policy(self) -> Policy:
        """By what it chooses whom to evict."""
        return self._copies.order.policy

    def queue_position(self, model: ModelId) -> int | None:
        """How many loads begin before this one; None: it is not queued. Looks at the whole queue."""
        return self._loads.position(model)

    def size_bytes(self, model: ModelId) -> int | None:
        """What it takes or will take, as well as is known; None: the cache does not know of it."""
        entry = self._entries.get(model)
        if entry is None:
            return None
        return entry.worth.size_bytes or self._loads.predicted_bytes(entry)

    def worth(self, model: ModelId, now_s: float) -> Standing | None:
        """What keeping it is worth; None: the cache does not know of it."""
        entry = self._entries.get(model)
        if entry is None:
            return None
        worth = entry.worth
        return Standing(
            uses=worth.uses,
            used_s=worth.used_s,
            load_s=worth.load_s,
            size_bytes=worth.size_bytes or self._loads.predicted_bytes(entry),
            uses_expected=self._copies.order.uses_expected(worth, now_s),
            requests=worth.pins,
            pinned=entry.pinned,
            guarded_until_s=self._copies.guards.until_s(model),
        )

    # How well it does.

    @property
    def hits(self) -> int:
        """Requests that found their model loaded."""
        return max(self._copies.uses - self.misses, 0)

    @property
    def shadow(self) -> ShadowFigures:
        """What was spent on loading, and what plain LRU would have spent."""
        return self._copies.shadow.figures
