"""What is remembered of earlier use, for the rules that look back (reference: ModelMesh core 4.11, 4.12).

A model that is used now, and was used between 7 and 40 minutes ago, is used *steadily*: it deserves a second
copy. The reference remembers two earlier uses, and a model that is used all the time overwrites both with
the latest ones, so that neither is ever old enough (its known issue 151). Here each model has one bit for
each of the last 41 minutes.

A model whose rate came near the threshold for more copies was *heavily* used; when that was last is
remembered too, for the rules that take copies away.
"""

from collections.abc import Iterable
from typing import Final

from adapter.domain.ids import ModelId

MINUTE_MS: Final = 60_000

STEADY_AFTER_MINUTES: Final = 7
STEADY_WITHIN_MINUTES: Final = 40
"""A use that lies so far back, with one now, makes the use steady."""

MODELS_MAX: Final = 50_000
"""Of so many models uses are remembered, and of so many heavy uses; what was unused for longest is
forgotten first.
"""

HEAVY_MINUTES_MAX: Final = 600
"""After that no rule asks any more when the heavy use was."""

_ALL: Final = (1 << (STEADY_WITHIN_MINUTES + 1)) - 1
_EARLIER: Final = _ALL & ~((1 << STEADY_AFTER_MINUTES) - 1)
"""The bits of the minutes from 7 to 40 ago."""


class UsageMarks:
    """In which of the last minutes each model was used, and when it was last used heavily."""

    def __init__(self, models_max: int = MODELS_MAX) -> None:
        self._models_max = models_max
        # The minute of the last use, and the bits: bit n stands for n minutes before that. Dictionaries keep
        # the order in which keys were added, so the first is the one that was not used for longest.
        self._used: dict[ModelId, tuple[int, int]] = {}
        self._heavy_ms: dict[ModelId, int] = {}

    def __len__(self) -> int:
        return len(self._used)

    def used(self, models: Iterable[ModelId], now_ms: int) -> list[ModelId]:
        """These were used just now. Returns those of them that are used steadily.

        Called every second; a model comes back at most once a minute.
        """
        minute = now_ms // MINUTE_MS
        steady = []
        for model in models:
            last, bits = self._used.get(model, (minute, 0))
            if bits and last >= minute:  # noted; or the clock went back, and will come here again
                continue
            bits = _shifted(bits, minute - last) | 1
            self._used.pop(model, None)
            self._used[model] = (minute, bits)
            if bits & _EARLIER:
                steady.append(model)
        self._forget_used(minute)
        return steady

    def used_heavily(self, models: Iterable[ModelId], now_ms: int) -> None:
        """Of these the rate is near the threshold for more copies, or above it."""
        for model in models:
            self._heavy_ms.pop(model, None)
            self._heavy_ms[model] = now_ms
        least_ms = now_ms - HEAVY_MINUTES_MAX * MINUTE_MS
        surplus = len(self._heavy_ms) - self._models_max
        gone: list[ModelId] = []
        for model, at_ms in self._heavy_ms.items():
            if len(gone) >= surplus and at_ms >= least_ms:
                break
            gone.append(model)
        for model in gone:
            del self._heavy_ms[model]

    def heavy_ms(self, model: ModelId) -> int | None:
        """When it was last used heavily; None: not in the last ten hours."""
        return self._heavy_ms.get(model)

    def forget(self, model: ModelId) -> None:
        """The model is not here any more."""
        self._used.pop(model, None)
        self._heavy_ms.pop(model, None)

    def _forget_used(self, minute: int) -> None:
        surplus = len(self._used) - self._models_max
        gone: list[ModelId] = []
        for model, (last, _) in self._used.items():
            if len(gone) >= surplus and minute - last <= STEADY_WITHIN_MINUTES:
                break
            gone.append(model)
        for model in gone:
            del self._used[model]

    def check(self) -> None:
        """Nothing is kept beyond its bound, and each model was used in its last minute."""
        assert len(self._used) <= self._models_max
        assert len(self._heavy_ms) <= self._models_max
        assert all(bits & 1 and bits <= _ALL for _, bits in self._used.values())


def _shifted(bits: int, minutes: int) -> int:
    """The bits as they stand so many minutes later."""
    return (bits << minutes) & _ALL if minutes <= STEADY_WITHIN_MINUTES else 0
