"""When models are used again: what is learnt of that, to tell whose room will serve the most uses.

Models whose uses are about as far apart make a group, and each group learns for itself (`hit_density`). How
often uses come after so long is counted as they come; how many models wait for so long is estimated by
looking at a few of them, drawn at random, once a second. Models that are not loaded count like those that
are, so what is learnt does not depend on what was evicted. Old knowledge fades as new comes.

A use costs O(1), and one within a 64th of a second of the last is not looked at: a flurry is one use.
"""

from collections.abc import Callable
from typing import Final

from adapter.cache.hit_density import OCTAVES, densities, octave
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId

DEPARTED_MAX: Final = 30_000
"""So many models that are not here are remembered; the one that left first is forgotten first."""
LOOKED_AT: Final = 64
"""Models that are drawn at each look."""
LEARNT_AT_ONCE: Final = 4
"""Groups that are gone through at each look."""
USES_KEPT: Final = 512.0
"""When a group knows of more uses than that, each counts half."""
SHARE_MIN: Final = 0.15
"""Where the mean of a model's gaps stops to be that of all and becomes that of the latest."""
GROUPS: Final = OCTAVES + 1


class ReuseTimes:
    """What is known of all models that are here, and of those that were."""

    def __init__(self, chance: Callable[[], float], *, departed_max: int = DEPARTED_MAX) -> None:
        self._chance = chance
        self._departed_max = departed_max
        self._known: list[Worth] = []
        self._departed: dict[ModelId, Worth] = {}
        self._uses = [[0.0] * OCTAVES for _ in range(GROUPS)]
        self._seen_s = [[0.0] * OCTAVES for _ in range(GROUPS)]
        untaught = densities(self._uses[0], self._seen_s[0])
        self._densities = [untaught for _ in range(GROUPS)]
        self._looked_s: float | None = None
        self._turn = 0

    def __len__(self) -> int:
        return len(self._known)

    def density(self, worth: Worth, now_s: float) -> float:
        """How many uses a second of its room will serve."""
        return self._densities[worth.group][octave(now_s - worth.used_s)]

    def note(self, worth: Worth, gap_s: float) -> None:
        """The model is used so long after its last use. Almost every request comes by here."""
        number = int(gap_s * 64).bit_length()
        if number >= OCTAVES:
            number = OCTAVES - 1
        self._uses[worth.group][number] += 1.0
        share = worth.share
        gap = worth.gap
        worth.gap = gap = gap + (number - gap) * share
        worth.group = int(gap) + 1
        if share > SHARE_MIN:
            worth.share = share / (1.0 + share)

    def meet(self, worth: Worth) -> None:
        """The model is asked for, for the first time or again."""
        before = self._departed.pop(worth.model, None)
        if before is None:
            worth.rank = len(self._known)
            self._known.append(worth)
            return
        worth.gap, worth.share, worth.group = before.gap, before.share, before.group
        worth.rank, before.rank = before.rank, -1
        self._known[worth.rank] = worth
        gap_s = worth.used_s - before.used_s
        if gap_s > 0.0:
            self.note(worth, gap_s)
        else:
            worth.used_s = before.used_s

    def part(self, worth: Worth) -> None:
        """The model is not here any more, and may come back."""
        self._departed[worth.model] = worth
        if len(self._departed) > self._departed_max:
            self.forget(self._departed.pop(next(iter(self._departed))))

    def forget(self, worth: Worth) -> None:
        """The model will not come back."""
        last = self._known.pop()
        if last is not worth:
            self._known[worth.rank] = last
            last.rank = worth.rank
        worth.rank = -1

    def forget_departed(self, model: ModelId) -> None:
        """It was unregistered after it had left."""
        worth = self._departed.pop(model, None)
        if worth is not None:
            self.forget(worth)

    def look(self, now_s: float) -> None:
        """Time has passed: see who waits, and learn."""
        passed_s = 0.0 if self._looked_s is None else now_s - self._looked_s
        self._looked_s = now_s
        if passed_s <= 0.0 or not self._known:
            return
        stands_for_s = passed_s * len(self._known) / LOOKED_AT
        for _ in range(LOOKED_AT):
            worth = self._known[int(self._chance() * len(self._known))]
            self._seen_s[worth.group][octave(now_s - worth.used_s)] += stands_for_s
        for _ in range(LEARNT_AT_ONCE):
            self._turn = (self._turn + 1) % GROUPS
            self._learn(self._turn)

    def _learn(self, group: int) -> None:
        uses, seen_s = self._uses[group], self._seen_s[group]
        known = sum(uses)
        if known == 0.0 and sum(seen_s) == 0.0:
            return
        if known > USES_KEPT:
            for age in range(OCTAVES):
                uses[age] /= 2
                seen_s[age] /= 2
        self._densities[group] = densities(uses, seen_s)

    def check(self) -> None:
        """Every model that is known is in its place, once."""
        assert all(worth.rank == place for place, worth in enumerate(self._known))
        assert all(self._known[worth.rank] is worth for worth in self._departed.values())
        assert len({worth.model for worth in self._known}) == len(self._known)
        assert len(self._departed) <= self._departed_max
