"""The entries that FAILED, and are not tried again for a while."""

from collections.abc import Iterator, Sequence

from adapter.cache.entry import CacheEntry, Cause, EntryState
from adapter.cache.failures import Failure
from adapter.domain.ids import ModelId


class FailedLoads:
    """At most `failed_max` entries, the oldest failure first."""

    def __init__(self, *, expiry_s: float, failed_max: int) -> None:
        self._expiry_s = expiry_s
        self._failed_max = failed_max
        self._entries: dict[ModelId, CacheEntry] = {}

    def __iter__(self) -> Iterator[CacheEntry]:
        return iter(self._entries.values())

    def add(self, entry: CacheEntry, failure: Failure) -> None:
        """The entry has FAILED."""
        entry.failure = failure.dated(expiry_s=self._expiry_s, used_s=entry.worth.used_s)
        self._entries[entry.model] = entry

    def discard(self, entry: CacheEntry) -> None:
        self._entries.pop(entry.model, None)

    def recall(self, model: ModelId, now_s: float) -> Failure | None:
        """Why the model's load failed, as long as that counts."""
        entry = self._entries.get(model)
        if entry is None or entry.failure is None or not entry.failure.counts(now_s):
            return None
        return entry.failure

    def use(self, entry: CacheEntry) -> None:
        """Somebody waits for the model, so it is in use, and is tried again sooner."""
        assert entry.failure is not None, f"{entry} has not failed"
        entry.failure = entry.failure.in_use(expiry_s=self._expiry_s)

    def outdated(self, now_s: float) -> Sequence[tuple[CacheEntry, Cause]]:
        """Those to be forgotten: their failures do not count, or there are too many."""
        surplus = len(self._entries) - self._failed_max
        return [
            (entry, Cause.CROWDED_FAILURES if place < surplus else Cause.EXPIRED)
            for place, entry in enumerate(self)
            if place < surplus or self.recall(entry.model, now_s) is None
        ]

    def check(self) -> None:
        assert len(self._entries) <= self._failed_max
        assert all(entry.state is EntryState.FAILED and entry.failure for entry in self)
