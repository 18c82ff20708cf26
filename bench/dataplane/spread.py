"""Some measurements of the same thing."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and range of some measurements."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread | None":
        """None of nothing."""
        told = sorted(values)
        return cls(median=statistics.median(told), least=told[0], most=told[-1]) if told else None

    def __str__(self) -> str:
        return f"{_short(self.median)} [{_short(self.least)}-{_short(self.most)}]"

    def rounded(self) -> list[float]:
        """Median, least, most."""
        return [significant(value) for value in (self.median, self.least, self.most)]


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def significant(value: float, digits: int = 4) -> float:
    """Rounded to so many digits, wherever the point is."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))
