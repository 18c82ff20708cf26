"""What became of the copies that were here, for whoever asks why a model is cold."""

from dataclasses import dataclass
from typing import Final

from adapter.cache.entry import Cause
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId

DEPARTURES_MAX: Final = 10_000
"""So many models are remembered; the one that left first is forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """How the last copy of a model came to go, and what it was worth then."""

    at_s: float
    cause: Cause
    because: str
    """In words: for whom it was evicted, or by whose wish it went."""
    uses: int
    used_s: float
    load_s: float
    size_bytes: int

    def __str__(self) -> str:
        unused_s = max(self.at_s - self.used_s, 0.0)
        return f"{self.because}, after {self.uses} uses, the last {unused_s:.1f} s before"


class Departures:
    """The latest departure of each model."""

    def __init__(self, *, latest_max: int = DEPARTURES_MAX) -> None:
        self._latest_max = latest_max
        self._latest: dict[ModelId, Departure] = {}

    def __len__(self) -> int:
        return len(self._latest)

    def add(self, worth: Worth, *, cause: Cause, because: str, now_s: float) -> None:
        """The copy goes now."""
        self._latest.pop(worth.model, None)
        self._latest[worth.model] = Departure(
            at_s=now_s,
            cause=cause,
            because=because,
            uses=worth.uses,
            used_s=worth.used_s,
            load_s=worth.load_s,
            size_bytes=worth.size_bytes,
        )
        if len(self._latest) > self._latest_max:
            del self._latest[next(iter(self._latest))]

    def latest(self, model: ModelId) -> Departure | None:
        """None: no copy of it has left, or too long ago."""
        return self._latest.get(model)
