"""What plain LRU in the same room would have spent on loading.

It is told what is used and loaded here, and keeps the list that LRU would have. With many models it follows
a sample of them in a room that is smaller by as much (SHARDS: Waldspurger et al., FAST 2015): those whose
digest ends in so many zeros, one more whenever the list becomes too long. Both sides are summed over the same
models, so that what the sample has by chance is on both.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId

FOLLOWED_MAX: Final = 4096
"""So many models are on the list at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFigures:
    """Since the start, estimated from the sample. Loads that nobody waited for are not counted."""

    spent_s: float
    """Seconds of loading here."""
    lru_spent_s: float
    """The same, had it been LRU."""
    lru_hits: int
    lru_misses: int


class ShadowLru:
    """The list that LRU would have."""

    def __init__(self, *, followed_max: int = FOLLOWED_MAX) -> None:
        self._followed_max = followed_max
        self._sizes: OrderedDict[ModelId, int] = OrderedDict()
        self._used_bytes = 0
        self._one_in = 1
        self._spent_s = 0.0
        self._lru_spent_s = 0.0
        self._hits = 0
        self._misses = 0

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, model: ModelId) -> bool:
        return model in self._sizes

    @property
    def figures(self) -> ShadowFigures:
        return ShadowFigures(
            spent_s=self._spent_s,
            lru_spent_s=self._lru_spent_s,
            lru_hits=self._hits,
            lru_misses=self._misses,
        )

    def loaded(self, worth: Worth, *, waiting: bool, room_bytes: int) -> None:
        """A model was loaded here; nothing is counted unless somebody waits for it."""
        worth.sampled = self._follows(worth.model)
        if worth.sampled and waiting:
            self._spent_s += worth.load_s * self._one_in
            self._touch(worth, room_bytes)

    def used(self, worth: Worth, *, room_bytes: int) -> None:
        """A sampled model that is here is used."""
        worth.sampled = self._follows(worth.model)
        if worth.sampled:
            self._touch(worth, room_bytes)

    def discard(self, model: ModelId) -> None:
        """It left for a reason that LRU could not have helped."""
        self._used_bytes -= self._sizes.pop(model, 0)

    def clear(self) -> None:
        """The runtime lost everything."""
        self._sizes.clear()
        self._used_bytes = 0

    def _follows(self, model: ModelId) -> bool:
        return self._one_in == 1 or crc32(model.encode()) % self._one_in == 0

    def _touch(self, worth: Worth, room_bytes: int) -> None:
        model = worth.model
        if model in self._sizes:
            self._hits += self._one_in
            self._sizes.move_to_end(model)
            return
        self._misses += self._one_in
        self._lru_spent_s += worth.load_s * self._one_in
        self._sizes[model] = worth.size_bytes
        self._used_bytes += worth.size_bytes
        if len(self._sizes) > self._followed_max:
            self._thin_out()
        while self._used_bytes > room_bytes // self._one_in and self._sizes:
            self._used_bytes -= self._sizes.popitem(last=False)[1]

    def _thin_out(self) -> None:
        self._one_in *= 2
        for model in [model for model in self._sizes if not self._follows(model)]:
            self.discard(model)

    def check(self) -> None:
        assert self._used_bytes == sum(self._sizes.values())
        assert len(self._sizes) <= self._followed_max
        assert all(self._follows(model) for model in self._sizes)
