"""Which copy is unused for longest, without looking at each: uses are caught up with when that is asked."""

from collections.abc import Sequence
from typing import Final

from adapter.cache.lazy_heap import LazyHeap
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId

STEPS_MAX: Final = 64
"""So many uses are caught up with at one time."""


class Coldest:
    """The copies by the time of their last use, as far as it was caught up with."""

    def __init__(self) -> None:
        self._heap = LazyHeap[ModelId]()
        self._worths: dict[ModelId, Worth] = {}

    def put(self, worth: Worth) -> None:
        self._worths[worth.model] = worth
        self._heap.put(worth.model, (worth.used_s,))

    def discard(self, worth: Worth) -> None:
        if self._worths.pop(worth.model, None) is not None:
            self._heap.discard(worth.model)

    def used_s(self) -> float | None:
        """When the coldest was last used; None: there is none.

        After many uses at once it is too early, never too late; asked again, it comes nearer.
        """
        for _ in range(STEPS_MAX):
            first = self._heap.first()
            if first is None:
                return None
            (known_s, *_), model = first
            used_s = self._worths[model].used_s
            if used_s == known_s:
                return used_s
            self._heap.put(model, (used_s,))
        first = self._heap.first()
        return None if first is None else first[0][0]

    def check(self, worths: Sequence[Worth]) -> None:
        self._heap.check()
        assert set(self._heap) == set(self._worths)
        assert {worth.model for worth in worths} == set(self._worths)
        assert all(self._worths[worth.model] is worth for worth in worths)
