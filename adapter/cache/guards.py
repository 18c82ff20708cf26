"""Against churn: what was loaded a moment ago is not evicted for another model.

Without that, a cache that is too small for what is asked of it spends all its time on loading (reference:
ModelMesh core 4.6, "Cache churn threshold exceeded", which goes by the timeout of loads; ours goes by how
long the load of this very copy took).
"""

from typing import Final

from adapter.cache.eviction import EvictionOrder
from adapter.cache.lazy_heap import LazyHeap
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId

GUARDED_S_MAX: Final = 300.0
SLACK_S: Final = 0.001
"""A guard may end so much sooner: timers do not keep their times to the last digit."""


class Guards:
    """The copies that are kept for `factor` times as long as their loads took, at most five minutes."""

    def __init__(self, order: EvictionOrder, *, factor: float) -> None:
        self._order = order
        self._factor = factor
        self._guarded: dict[ModelId, tuple[float, Worth]] = {}
        self._ends = LazyHeap[ModelId]()

    def __len__(self) -> int:
        return len(self._guarded)

    @property
    def guarded_bytes(self) -> int:
        """What they take. Looks at each."""
        return sum(worth.size_bytes for _, worth in self._guarded.values())

    @property
    def next_end_s(self) -> float | None:
        """When the next one may be evicted."""
        first = self._ends.first()
        return None if first is None else first[0][0]

    @property
    def last_end_s(self) -> float | None:
        """When all of them may be evicted. Looks at each."""
        return max((until_s for until_s, _ in self._guarded.values()), default=None)

    def until_s(self, model: ModelId) -> float | None:
        """How long the copy is guarded; None: it is not."""
        guarded = self._guarded.get(model)
        return None if guarded is None else guarded[0]

    def begin(self, worth: Worth, now_s: float) -> None:
        """The copy has just been loaded."""
        lasts_s = min(self._factor * worth.load_s, GUARDED_S_MAX)
        if lasts_s > 0.0:
            self._guarded[worth.model] = now_s + lasts_s, worth
            self._ends.put(worth.model, (now_s + lasts_s,))
            self._order.keep(worth)

    def end(self, worth: Worth) -> None:
        """The copy may go, if it was guarded at all."""
        if self._guarded.pop(worth.model, None) is not None:
            self._ends.discard(worth.model)
            self._order.let_go(worth)

    def end_all(self) -> None:
        """There is something worse than churn."""
        for _, worth in list(self._guarded.values()):
            self.end(worth)

    def expire(self, now_s: float) -> None:
        """End those whose time is over."""
        while (first := self._ends.first()) is not None and first[0][0] <= now_s + SLACK_S:
            self.end(self._guarded[first[1]][1])

    def check(self) -> None:
        self._ends.check()
        assert set(self._ends) == set(self._guarded)
        assert all(worth.keeps > 0 and worth.model == model for model, (_, worth) in self._guarded.items())
