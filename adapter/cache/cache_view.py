"""What can be asked of the cache at any time. All times are seconds, all sizes bytes."""

from collections.abc import Iterator

from adapter.cache.copies import Copies
from adapter.cache.entry import CacheEntry, EntryState
from adapter.cache.failed import FailedLoads
from adapter.cache.failures import Failure
from adapter.cache.room import Room
from adapter.domain.ids import ModelId


class CacheView:
    """The side of a `ModelCache` that changes nothing."""

    _copies: Copies

    def __init__(self, *, room: Room, failed: FailedLoads) -> None:
        self._entries: dict[ModelId, CacheEntry] = {}
        self._room = room
        self._failed = failed

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

    def coldest_used_s(self) -> float | None:
        """When the copy that is unused for longest was last used; None: there is no copy. Looks at each."""
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
