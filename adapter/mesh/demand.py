"""What is wanted of this instance: told of each call, it says once a second for which models that may matter.

Joins the rates of the last seconds with the memory of earlier use, so that only the few models for which a
rule could ask for a further copy are looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from adapter.domain.ids import ModelId
from adapter.mesh.copy_facts import BUSY, HEAVY, ScalingRules
from adapter.mesh.rates import Rates
from adapter.mesh.usage_marks import UsageMarks

CONCURRENCY_NOTED: Final = 0.5
"""With fewer calls at a time, on average, no copy is used heavily."""


ASKED_KEPT_MS: Final = 60_000
"""So long is remembered that a copy was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Models that stand out in this second."""

    busy: tuple[ModelId, ...] = ()
    """Those whose copy here has more to do than the rules allow."""
    steady: tuple[ModelId, ...] = ()
    """Used now, and 7 to 40 minutes ago; each at most once a minute."""


def _no_limit(model: ModelId) -> int:
    del model
    return 0


class Demand:
    """The rates and the usage marks of one instance, kept in step."""

    def __init__(
        self,
        now_s: float,
        *,
        rules: ScalingRules | None = None,
        limit_of: Callable[[ModelId], int] = _no_limit,
    ) -> None:
        """`limit_of`: how many calls at a time the runtime allows for a model; 0: it does not say."""
        self.rules = rules or ScalingRules()
        """May be replaced as settings change."""
        self.rates = Rates(now_s)
        self.marks = UsageMarks()
        self._limit_of = limit_of
        self._asked_ms: dict[ModelId, int] = {}

    def tick(self, *, now_s: float, now_ms: int, in_flight: Mapping[ModelId, int]) -> Noted:
        """A second is over; `in_flight` has the models that work on calls now, and on how many."""
        steady = self.marks.used(self.rates.tick(now_s, in_flight), now_ms)
        loads = self._loads()
        self.marks.used_heavily(loads, now_ms)
        self._asked_ms = {
            m: at_ms for m, at_ms in self._asked_ms.items() if abs(now_ms - at_ms) < ASKED_KEPT_MS
        }
        busy = [model for model, load in loads.items() if load >= BUSY]
        return Noted(busy=tuple(busy), steady=tuple(steady))

    def asked(self, model: ModelId, now_ms: int) -> None:
        """This instance asks for further copies of the model."""
        self._asked_ms[model] = now_ms

    def asked_ms(self, model: ModelId) -> int:
        """When it asked last; 0: not in the last minute."""
        return self._asked_ms.get(model, 0)

    def _loads(self) -> dict[ModelId, float]:
        """Of the models that are used heavily, how much their copies have to do."""
        loads: dict[ModelId, float] = {}
        rpm = HEAVY * self.rules.rpm_max
        for model in self.rates.busy(rpm=rpm, concurrency=CONCURRENCY_NOTED):
            load = self.rules.load(
                rpm=self.rates.rpm(model),
                concurrency=self.rates.concurrency(model),
                limit=self._limit_of(model),
            )
            if load >= HEAVY:
                loads[model] = load
        return loads
