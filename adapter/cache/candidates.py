"""Who could be evicted, and who is first. Whoever came to be in use is found out when he is looked at."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from adapter.cache.lazy_heap import LazyHeap
from adapter.cache.reuse import ReuseTimes
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId

SAMPLE: Final = 32
"""So many are drawn for one eviction; up to so many, all are looked at."""
SPARED: Final = 16
"""So many of the next in turn are looked at again with those drawn for the next eviction."""


class Candidates(ABC):
    """All listed models that are free, and some that were when they came."""

    @abstractmethod
    def put(self, worth: Worth) -> None:
        """It is free; it may be here already."""

    @abstractmethod
    def discard(self, worth: Worth) -> None:
        """It is not to be evicted, if it is here at all."""

    @abstractmethod
    def has(self, worth: Worth) -> bool:
        """Whether it is here."""

    @abstractmethod
    def first(self, now_s: float) -> Worth | None:
        """The one to evict, which stays here."""

    @abstractmethod
    def check(self) -> None:
        """All are in their places."""


class ByKey(Candidates):
    """The one with the smallest priority, of equals the one that is unused for longest. O(log n).

    A use leaves the heap alone. Since keys only rise, what the heap knows is a lower bound, put right when it
    comes to the top.
    """

    def __init__(self) -> None:
        self._heap = LazyHeap[ModelId]()
        self._worths: dict[ModelId, Worth] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, worth: Worth) -> None:
        if worth.model not in self._worths:
            self._worths[worth.model] = worth
            self._heap.put(worth.model, _key(worth))

    def discard(self, worth: Worth) -> None:
        if self._worths.pop(worth.model, None) is not None:
            self._heap.discard(worth.model)

    def has(self, worth: Worth) -> bool:
        return worth.model in self._worths

    def first(self, now_s: float) -> Worth | None:  # noqa: ARG002 - its order does not change by itself
        while (first := self._heap.first()) is not None:
            known, model = first
            worth = self._worths[model]
            if not worth.is_free:
                self.discard(worth)
            elif _key(worth) != known:
                self._heap.put(model, _key(worth))
            else:
                return worth
        return None

    def check(self) -> None:
        self._heap.check()
        assert set(self._heap) == set(self._worths)


def _key(worth: Worth) -> tuple[float, ...]:
    return worth.priority, worth.used_s, worth.order


class BySample(Candidates):
    """The one whose room saves the least loading, of some that are drawn at random. O(1).

    What a model's room saves changes as time passes, for each in its own way, so no order could be kept.
    """

    def __init__(self, reuse: ReuseTimes, chance: Callable[[], float]) -> None:
        self._reuse = reuse
        self._chance = chance
        self._here: list[Worth] = []
        self._spared: list[Worth] = []

    def __len__(self) -> int:
        return len(self._here)

    def put(self, worth: Worth) -> None:
        if worth.place < 0:
            worth.place = len(self._here)
            self._here.append(worth)

    def discard(self, worth: Worth) -> None:
        place = worth.place
        if place < 0:
            return
        last = self._here.pop()
        if last is not worth:
            self._here[place] = last
            last.place = place
        worth.place = -1

    def has(self, worth: Worth) -> bool:
        return worth.place >= 0

    def first(self, now_s: float) -> Worth | None:
        density = self._reuse.density
        drawn = [
            (density(worth, now_s) * worth.load_s / worth.size_bytes, worth.used_s, order, worth)
            for order, worth in self._draw().items()
        ]
        if not drawn:
            return None
        drawn.sort()
        self._spared = [worth for _, _, _, worth in drawn[1 : SPARED + 1]]
        return drawn[0][3]

    def _draw(self) -> dict[int, Worth]:
        """Free ones, by the order in which they were listed."""
        drawn = {worth.order: worth for worth in self._spared if worth.place >= 0 and worth.is_free}
        left = SAMPLE
        while left > 0 and len(self._here) > SAMPLE:
            worth = self._here[int(self._chance() * len(self._here))]
            if worth.is_free:
                drawn[worth.order] = worth
                left -= 1
            else:
                self.discard(worth)
        if len(self._here) > SAMPLE:
            return drawn
        for worth in self._here[:]:
            if worth.is_free:
                drawn[worth.order] = worth
            else:
                self.discard(worth)
        return drawn

    def check(self) -> None:
        assert all(worth.place == place for place, worth in enumerate(self._here))
