"""Who is evicted first: greedy-dual-size-frequency (Cherkasova, 1998), or the longest unused.

    priority = clock + uses x load seconds / size

Each use sets a model's priority; the clock is the priority of the model that was evicted last, so that
what is not used any more is overtaken in the end. What was cheap to load, is big, or is rarely used goes
first. With `lru` the priority is the time of the last use. Of equals the longest unused goes first, then the
one that came first.

A use costs O(1): it writes the new priority beside the model and leaves the heap alone. Since time goes
forward a priority only rises, and what the heap knows is a lower bound, put right when it comes to the top.
"""

from dataclasses import dataclass
from itertools import count
from typing import Literal

from adapter.cache.lazy_heap import LazyHeap
from adapter.domain.ids import ModelId

Policy = Literal["gdsf", "lru"]


@dataclass(slots=True, kw_only=True, eq=False)
class Worth:
    """What speaks for keeping one model. Its size and load time do not change while it is `listed`."""

    model: ModelId
    used_s: float
    size_bytes: int = 0
    load_s: float = 0.0
    """What it took to pull and load it, without the waits for a slot and for room."""
    uses: int = 1
    pins: int = 0
    """Requests that use it now: a pinned model is not evicted."""
    priority: float = 0.0
    order: int = 0
    listed: bool = False
    """Up for eviction, if it is not pinned."""

    @property
    def key(self) -> tuple[float, ...]:
        return self.priority, self.used_s, self.order


class EvictionOrder:
    """The loaded models, the least valuable first."""

    def __init__(self, policy: Policy = "gdsf") -> None:
        self._lru = policy == "lru"
        self._clock = 0.0
        self._orders = count(1)
        self._listed: dict[ModelId, Worth] = {}
        # The listed ones that are not pinned, and those pinned ones that have not yet come to the top.
        self._heap = LazyHeap[ModelId]()
        self._listed_bytes = 0
        self._pinned_bytes = 0

    def __len__(self) -> int:
        return len(self._listed)

    def __contains__(self, model: ModelId) -> bool:
        return model in self._listed

    @property
    def evictable_bytes(self) -> int:
        """What evicting all that is not pinned would free."""
        return self._listed_bytes - self._pinned_bytes

    @property
    def pinned_bytes(self) -> int:
        """What cannot be evicted, because it is in use."""
        return self._pinned_bytes

    def add(self, worth: Worth) -> None:
        """From now on the model may be evicted. Its size must be known, at least one byte."""
        assert not worth.listed, f"{worth.model} is listed twice"
        assert worth.size_bytes > 0, f"{worth.model} has no size"
        worth.order = next(self._orders)
        worth.listed = True
        self._rate(worth)
        self._listed[worth.model] = worth
        self._listed_bytes += worth.size_bytes
        self._pinned_bytes += worth.size_bytes if worth.pins else 0
        self._heap.put(worth.model, worth.key)

    def remove(self, worth: Worth) -> None:
        """The model is gone, or goes; nothing happens if it was not listed."""
        if not worth.listed:
            return
        worth.listed = False
        del self._listed[worth.model]
        self._listed_bytes -= worth.size_bytes
        self._pinned_bytes -= worth.size_bytes if worth.pins else 0
        self._heap.discard(worth.model)

    def use(self, worth: Worth, now_s: float) -> None:
        """A request begins to use the model: count it, and pin it. Every request comes by here."""
        worth.uses += 1
        worth.pins += 1
        worth.used_s = now_s
        if worth.listed:
            self._rate(worth)
            if worth.pins == 1:
                self._pinned_bytes += worth.size_bytes

    def pin(self, worth: Worth) -> None:
        """Keep it from being evicted, until `unpin` was called as often."""
        worth.pins += 1
        if worth.pins == 1 and worth.listed:
            self._pinned_bytes += worth.size_bytes

    def unpin(self, worth: Worth) -> None:
        assert worth.pins > 0, f"{worth.model} is released more often than it was acquired"
        worth.pins -= 1
        if worth.pins == 0 and worth.listed:
            self._pinned_bytes -= worth.size_bytes
            if worth.model not in self._heap:
                self._heap.put(worth.model, worth.key)

    def evict(self) -> Worth | None:
        """The least valuable model that is not pinned, taken out of the order."""
        while (first := self._heap.first()) is not None:
            key, model = first
            worth = self._listed[model]
            if worth.pins:
                self._heap.discard(model)  # `unpin` brings it back
            elif worth.key != key:
                self._heap.put(model, worth.key)
            else:
                if not self._lru:
                    self._clock = max(self._clock, worth.priority)
                self.remove(worth)
                return worth
        return None

    def _rate(self, worth: Worth) -> None:
        if self._lru:
            worth.priority = worth.used_s
        else:
            worth.priority = self._clock + worth.uses * worth.load_s / worth.size_bytes

    def check(self) -> None:
        """The sums are right, and everything that could be evicted can be found."""
        self._heap.check()
        worths = self._listed.values()
        assert all(worth.listed and self._listed[worth.model] is worth for worth in worths)
        assert self._listed_bytes == sum(worth.size_bytes for worth in worths)
        assert self._pinned_bytes == sum(worth.size_bytes for worth in worths if worth.pins)
        assert all(worth.pins or worth.model in self._heap for worth in worths)
        assert all(model in self._listed for model in self._heap)
