"""Who is evicted first.

    lhd   the least loading that its room will save: uses in a second of room x load seconds / size, with the
          uses foretold by what was learnt of models that are used alike (see `reuse`, `hit_density`)
    gdsf  greedy-dual-size-frequency (Cherkasova, 1998): clock + uses x load seconds / size as of the last
          use; the clock is the priority of the model that was evicted last, so that what is not used any more
          is overtaken in the end
    lru   the longest unused

Of equals the longest unused goes first, then the one that came first. A use costs O(1), an eviction
O(log n) or better. `bench/mesh_cache` measures the three against each other.
"""

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Final, Literal

from adapter.cache.candidates import ByKey, BySample, Candidates
from adapter.cache.hit_density import SHORTEST_S
from adapter.cache.reuse import ReuseTimes
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId

Policy = Literal["lhd", "gdsf", "lru"]

_SEED: Final = 1998
"""Two caches that are told the same evict the same."""


class EvictionOrder:
    """The loaded models, and who of them is worth the least."""

    def __init__(self, policy: Policy = "gdsf", chance: Callable[[], float] | None = None) -> None:
        chance = chance or Random(_SEED).random  # noqa: S311 - it guards nothing
        self.policy: Final = policy
        self._gdsf = policy == "gdsf"
        self._lhd = policy == "lhd"
        self._clock = 0.0
        self._orders = count(1)
        self._listed: dict[ModelId, Worth] = {}
        self.reuse: Final = ReuseTimes(chance)
        self._free: Candidates = BySample(self.reuse, chance) if self._lhd else ByKey()
        # All listed ones that are free, and those others that have not been looked at since.
        self._listed_bytes = 0
        self._bound_bytes = 0

    def __len__(self) -> int:
        return len(self._listed)

    def __contains__(self, model: ModelId) -> bool:
        return model in self._listed

    @property
    def evictable_bytes(self) -> int:
        """What evicting all that is free would free."""
        return self._listed_bytes - self._bound_bytes

    @property
    def pinned_bytes(self) -> int:
        """What cannot be evicted, because it is in use or a rule keeps it."""
        return self._bound_bytes

    # Coming and going.

    def meet(self, worth: Worth) -> None:
        """The model is asked for."""
        if self._lhd:
            self.reuse.meet(worth)

    def part(self, worth: Worth, *, for_good: bool) -> None:
        """The model is neither here nor on its way here any more."""
        if not self._lhd:
            return
        if for_good:
            self.reuse.forget(worth)
        else:
            self.reuse.part(worth)

    def forget(self, model: ModelId) -> None:
        """The model, which is not here, was unregistered."""
        if self._lhd:
            self.reuse.forget_departed(model)

    def add(self, worth: Worth) -> None:
        """From now on the model may be evicted. Its size must be known, at least one byte."""
        assert not worth.listed, f"{worth.model} is listed twice"
        assert worth.size_bytes > 0, f"{worth.model} has no size"
        worth.order = next(self._orders)
        worth.listed = True
        self._rate(worth)
        self._listed[worth.model] = worth
        self._listed_bytes += worth.size_bytes
        if worth.is_free:
            self._free.put(worth)
        else:
            self._bound_bytes += worth.size_bytes

    def remove(self, worth: Worth) -> None:
        """The model is gone, or goes; nothing happens if it was not listed."""
        if not worth.listed:
            return
        worth.listed = False
        del self._listed[worth.model]
        self._listed_bytes -= worth.size_bytes
        self._bound_bytes -= 0 if worth.is_free else worth.size_bytes
        self._free.discard(worth)

    # Use.

    def use(self, worth: Worth, now_s: float) -> bool:
        """A request begins to use the model: count it, and pin it. Every request comes by here.

        Whether that is more than one of a flurry.
        """
        worth.uses += 1
        worth.pins += 1
        gap_s = now_s - worth.used_s
        worth.used_s = now_s
        if worth.listed:
            if self._gdsf:
                worth.priority = self._clock + worth.uses * worth.load_s / worth.size_bytes
            if worth.pins == 1 and worth.keeps == 0:
                self._bound_bytes += worth.size_bytes
        if gap_s < SHORTEST_S:
            return False
        if self._lhd:
            self.reuse.note(worth, gap_s)
        return True

    def pin(self, worth: Worth) -> None:
        """Keep it from being evicted, until `unpin` was called as often."""
        self._bind(worth)
        worth.pins += 1

    def unpin(self, worth: Worth) -> None:
        assert worth.pins > 0, f"{worth.model} is released more often than it was acquired"
        worth.pins -= 1
        if worth.listed and worth.pins == 0 and worth.keeps == 0:
            self._bound_bytes -= worth.size_bytes
            self._free.put(worth)

    def keep(self, worth: Worth) -> None:
        """Keep it by a rule, until `let_go` was called as often."""
        self._bind(worth)
        worth.keeps += 1

    def let_go(self, worth: Worth) -> None:
        assert worth.keeps > 0, f"{worth.model} is let go more often than it was kept"
        worth.keeps -= 1
        if worth.listed and worth.is_free:
            self._bound_bytes -= worth.size_bytes
            self._free.put(worth)

    def _bind(self, worth: Worth) -> None:
        if worth.listed and worth.is_free:
            self._bound_bytes += worth.size_bytes

    # Eviction.

    def uses_expected(self, worth: Worth, now_s: float) -> float | None:
        """In a second of its room; None: with this policy nothing is learnt of that."""
        return self.reuse.density(worth, now_s) if self._lhd else None

    def look(self, now_s: float) -> None:
        """Time has passed."""
        if self._lhd:
            self.reuse.look(now_s)

    def evict(self, now_s: float) -> Worth | None:
        """The least valuable model that is free, taken out of the order."""
        worth = self._free.first(now_s)
        if worth is not None:
            self._clock = max(self._clock, worth.priority)
            self.remove(worth)
        return worth

    def _rate(self, worth: Worth) -> None:
        if self._gdsf:
            worth.priority = self._clock + worth.uses * worth.load_s / worth.size_bytes

    def check(self) -> None:
        """The sums are right, and everything that could be evicted can be found."""
        self._free.check()
        self.reuse.check()
        worths = self._listed.values()
        assert all(worth.listed and self._listed[worth.model] is worth for worth in worths)
        assert self._listed_bytes == sum(worth.size_bytes for worth in worths)
        assert self._bound_bytes == sum(worth.size_bytes for worth in worths if not worth.is_free)
        assert all(self._free.has(worth) for worth in worths if worth.is_free)
