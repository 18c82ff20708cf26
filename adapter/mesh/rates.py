"""How much is used: of each model that this instance answers for, and in all.

A call costs one increment. Once a second `tick` puts the counts of that second aside, and rates are worked
out for those who ask, so that a second costs the same whether three or thirty thousand models are loaded.
What is not called for five seconds is forgotten: what is known are the models of five seconds, no more.

The reference looks at whole intervals of ten seconds (reference: ModelMesh core 4.11), longer than a burst
may have to wait. Here the mean of five seconds counts; or the last second alone when it is far above that,
since then a burst has only begun.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from adapter.domain.ids import ModelId

WINDOW_TICKS: Final = 5
"""The rate of a model is that of so many seconds."""

BURST_FACTOR: Final = 2.0
"""So many times the mean is far above it: more than chance makes of a steady rate that is worth a copy."""

_NONE: Final[Mapping[ModelId, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Second:
    """What was counted between two ticks; a model of which there is nothing to say is in neither."""

    took_s: float
    calls: Mapping[ModelId, int]
    """Calls that began."""
    in_flight: Mapping[ModelId, int] = field(default_factory=dict)
    """Calls that were under way at its end."""


class Rates:
    """The counts of the last seconds, by model; and those of the last minutes, in all."""

    def __init__(self, now_s: float) -> None:
        self._counts: dict[ModelId, int] = {}
        self._ticked_s = now_s
        self.used_s = now_s
        """When the last call began, or was under way; to the second. At first: when counting began."""
        self._seconds = deque[_Second](maxlen=WINDOW_TICKS)
        self._minute = _Window(span_s=60.0, part_s=0.0)

    def __repr__(self) -> str:
        return f"<Rates {self.total_rpm:.0f} calls a minute>"

    # What is told.

    def count(self, model: ModelId) -> None:
        """One more call. Every call that is answered here comes by."""
        self._counts[model] = self._counts.get(model, 0) + 1

    def tick(self, now_s: float, in_flight: Mapping[ModelId, int] = _NONE) -> Mapping[ModelId, int]:
        """A second is over. Returns its calls, by model; those without any are not in it.

        `in_flight` says how many calls each model works on now; those with none need not be in it.
        """
        took_s = now_s - self._ticked_s
        if took_s <= 0.0:
            return _NONE
        calls, self._counts, self._ticked_s = self._counts, {}, now_s
        self._seconds.append(_Second(took_s=took_s, calls=calls, in_flight=dict(in_flight)))
        if calls or in_flight:
            self.used_s = now_s
        total = sum(calls.values())
        self._minute.add(total, took_s)
        return calls

    # What is asked.

    def rpm(self, model: ModelId) -> float:
        """Calls of this model here, a minute, as of now; 0.0 before the first tick."""
        calls, took_s, last = 0, 0.0, 0.0
        for second in self._seconds:
            there = second.calls.get(model, 0)
            calls += there
            took_s += second.took_s
            last = there / second.took_s
        mean = calls / took_s if took_s else 0.0
        return 60.0 * (last if last > BURST_FACTOR * mean else mean)

    def concurrency(self, model: ModelId) -> float:
        """How many calls of this model were under way here at a time, on average."""
        weighed, took_s = 0.0, 0.0
        for second in self._seconds:
            weighed += second.in_flight.get(model, 0) * second.took_s
            took_s += second.took_s
        return weighed / took_s if took_s else 0.0

    def busy(self, *, rpm: float, concurrency: float) -> list[ModelId]:
        """The models with at least that rate, or at least so many calls at a time; in order of name."""
        # What has that rate on average, or in the last second alone, has it in one of these seconds.
        peaked: set[ModelId] = set()
        crowded: set[ModelId] = set()
        for second in self._seconds:
            least = rpm * second.took_s / 60.0
            peaked.update([model for model, calls in second.calls.items() if calls >= least])
            crowded.update([model for model, calls in second.in_flight.items() if calls >= concurrency])
        found = {model for model in peaked if self.rpm(model) >= rpm}
        found.update([model for model in crowded if self.concurrency(model) >= concurrency])
        return sorted(found)

    @property
    def total_rpm(self) -> float:
        """Calls of all models here, a minute, over the last minute."""
        return self._minute.rpm

    def check(self) -> None:
        """What is known is of the last seconds alone, and the sums are right."""
        assert len(self._seconds) <= WINDOW_TICKS
        assert all(calls > 0 for second in self._seconds for calls in second.calls.values())
        self._minute.check()


class _Window:
    """The calls of the last `span_s`, in parts of at least `part_s`, the oldest of which goes as a whole."""

    def __init__(self, *, span_s: float, part_s: float) -> None:
        self._span_s = span_s
        self._part_s = part_s
        self._parts = deque[tuple[int, float]]()

    @property
    def rpm(self) -> float:
        took_s = sum([took_s for _, took_s in self._parts])
        return 60.0 * sum([calls for calls, _ in self._parts]) / took_s if took_s else 0.0

    def add(self, calls: int, took_s: float) -> None:
        if self._parts and self._parts[-1][1] < self._part_s:
            under_way_calls, under_way_s = self._parts.pop()
            calls, took_s = calls + under_way_calls, took_s + under_way_s
        self._parts.append((calls, took_s))
        covered_s = sum([part_s for _, part_s in self._parts])
        while covered_s - self._parts[0][1] >= self._span_s:
            covered_s -= self._parts.popleft()[1]

    def check(self) -> None:
        """It covers the span, and at most one part more."""
        spans = [took_s for _, took_s in self._parts]
        assert sum(spans[1:]) < self._span_s + 1e-6, spans
        assert all(calls >= 0 and took_s > 0.0 for calls, took_s in self._parts)
