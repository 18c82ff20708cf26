"""How big a model will be in memory: predicted from its files, and from how others of its type turned out.

For each type, the ratio of measured to pulled bytes is kept as a maximum that decays slowly: a type with
some noise is predicted a little too big rather than too small, because what is predicted too small
overfills the runtime. Ratios are kept apart for each magnitude of the files (powers of two), and hold only
for magnitudes near their own: in a small model the fixed cost outweighs the files, and says nothing of a big
one.
"""

from dataclasses import dataclass, field
from math import ceil
from typing import Final

DEFAULT_RATIO: Final = 1.25
"""Memory over disk while nothing is known (reference: runtime adapter 3.2, `MODELSIZE_MULTIPLIER`)."""

DECAY: Final = 0.05
"""How far a kept ratio moves towards a smaller new one."""

MAGNITUDES_NEAR: Final = 2
"""How many powers of two away a ratio still holds."""

TYPES_MAX: Final = 256
"""Types that something is known of; a further one displaces the one that was learnt of longest ago."""


@dataclass(slots=True)
class _Learnt:
    """What is known of one type."""

    ratios: dict[int, float] = field(default_factory=dict)
    """By magnitude of the files."""
    mean_bytes: float | None = None
    """The mean size, for models whose files are not ours to know."""


class SizePredictor:
    """Sizes in bytes, by the type of the model."""

    def __init__(self, default_size_bytes: int) -> None:
        self.default_size_bytes = default_size_bytes
        self._types: dict[str, _Learnt] = {}

    def predict(self, type_: str, disk_bytes: int | None, *, room_bytes: int) -> int:
        """The size to reserve, at least one byte; more than `room_bytes` says that the model cannot fit.

        Only a learnt ratio may say so, or files that by themselves are bigger than the room: a mere guess
        is cut to what there is.
        """
        learnt = self._types.get(type_, _Learnt())
        if disk_bytes is None:
            guess = self.default_size_bytes if learnt.mean_bytes is None else ceil(learnt.mean_bytes)
            return max(min(guess, room_bytes), 1)
        ratio = _nearest(learnt.ratios, disk_bytes.bit_length())
        if ratio is not None:
            return max(ceil(disk_bytes * ratio), 1)
        return max(min(ceil(disk_bytes * DEFAULT_RATIO), max(disk_bytes, room_bytes)), 1)

    def learn(self, type_: str, disk_bytes: int | None, *, size_bytes: int) -> None:
        """A model of this type turned out to be so big."""
        learnt = self._types.pop(type_, None) or _Learnt()
        self._types[type_] = learnt
        if len(self._types) > TYPES_MAX:
            del self._types[next(iter(self._types))]
        if not disk_bytes:
            mean = size_bytes if learnt.mean_bytes is None else learnt.mean_bytes
            learnt.mean_bytes = mean + (size_bytes - mean) * DECAY
            return
        magnitude, ratio = disk_bytes.bit_length(), size_bytes / disk_bytes
        kept = learnt.ratios.get(magnitude, ratio)
        learnt.ratios[magnitude] = max(ratio, kept - (kept - ratio) * DECAY)


def _nearest(ratios: dict[int, float], magnitude: int) -> float | None:
    """The ratio of the nearest magnitude, of two equally near the greater one."""
    near = [
        (abs(known - magnitude), -ratio)
        for known, ratio in ratios.items()
        if abs(known - magnitude) <= MAGNITUDES_NEAR
    ]
    return -min(near)[1] if near else None
