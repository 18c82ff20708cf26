"""Every run of a sitting. Ratios and differences are formed in each round, where all met the same machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.dataplane.spread import Spread

OPEN = "open"
"""The case that is about latency."""

ByRound = Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a number of calls took."""

    calls: int
    seconds: float
    cpu_us: float | None
    """Of the proxy, a call; None: there is no proxy."""
    busy: float | None
    """How much of its core the proxy used."""
    latency_us: Mapping[str, float] = field(default_factory=dict)
    """By quantile; h2load tells none."""


@dataclass(slots=True)
class Results:
    """Runs by target, case and round; and what failed."""

    runs: dict[tuple[str, str], dict[int, Run]] = field(default_factory=dict)
    grown_bytes: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    """What the memory of a new process grew by, by target and case, then by round."""
    failed: list[str] = field(default_factory=list)
    compiled: bool | None = None
    """Whether the core of `ours` was."""

    def add(self, target: str, case: str, number: int, run: Run) -> None:
        self.runs.setdefault((target, case), {})[number] = run

    def add_growth(self, target: str, case: str, number: int, grown_bytes: int) -> None:
        self.grown_bytes.setdefault((target, case), {})[number] = grown_bytes

    def fail(self, target: str, case: str, number: int, error: Exception) -> None:
        self.failed.append(f"round {number + 1}, {target}, {case}: {error}")

    @property
    def targets(self) -> list[str]:
        """Whoever ended a run, in the order in which they were started."""
        return list(dict.fromkeys(target for target, _ in self.runs))

    def cpu_us(self, target: str, case: str) -> Spread | None:
        """Of the proxy, a call."""
        return Spread.of(self._cpu_us(target, case).values())

    def rate(self, target: str, case: str) -> Spread | None:
        """Calls a second."""
        return Spread.of(run.calls / run.seconds for run in self._runs(target, case).values())

    def busy(self, target: str, case: str) -> Spread | None:
        runs = self._runs(target, case).values()
        return Spread.of(run.busy for run in runs if run.busy is not None)

    def ratio(self, target: str, case: str, other: str, other_case: str | None = None) -> Spread | None:
        """CPU of one by that of another, in the rounds that both ended."""
        theirs = self._cpu_us(other, other_case or case)
        return _joined(self._cpu_us(target, case), theirs, lambda mine, its: mine / its)

    def latency_ms(self, target: str, quantile: str) -> Spread | None:
        """Of the open loop."""
        return Spread.of(self._latency_ms(target, quantile).values())

    def added_p99_ms(self, target: str) -> Spread | None:
        """What the proxy adds to the 99th percentile of the calls that had none between."""
        direct = self._latency_ms("direct", "p99")
        return _joined(self._latency_ms(target, "p99"), direct, lambda mine, bare: mine - bare)

    def grown(self, target: str, case: str, *, by: int) -> Spread | None:
        """Memory, in units of so many bytes."""
        return Spread.of(grown / by for grown in self.grown_bytes.get((target, case), {}).values())

    def _runs(self, target: str, case: str) -> dict[int, Run]:
        return self.runs.get((target, case), {})

    def _cpu_us(self, target: str, case: str) -> ByRound:
        runs = self._runs(target, case)
        return {number: run.cpu_us for number, run in runs.items() if run.cpu_us is not None}

    def _latency_ms(self, target: str, quantile: str) -> ByRound:
        return {number: run.latency_us[quantile] / 1e3 for number, run in self._runs(target, OPEN).items()}


def _joined(mine: ByRound, others: ByRound, join: Callable[[float, float], float]) -> Spread | None:
    return Spread.of(join(mine[number], others[number]) for number in mine if number in others)
