"""What a sitting tells: the named figures, with their ranges, and what each is to be at most or at least."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.dataplane.spread import Spread, significant
from bench.mesh.cache import LoadSeconds
from bench.mesh.clients import Coldness
from bench.mesh.headline import MIB, Headline
from bench.mesh.registered import ManyRegistered
from bench.mesh.sklearn import RealModels

PROMISES: Final[Mapping[str, tuple[str, str]]] = {
    "loads_per_s": ("models registered and loaded, a second", ">= 690"),
    "writes_per_load": ("keys that etcd wrote for each of them", "<= 2"),
    "p50_ms": ("a warm call, at 1,000 a second over 20,000 models", ""),
    "p99_ms": ("the same, from the first second, median of the runs", "<= 2"),
    "failed": ("calls, loads and registrations of all that was measured", "0"),
    "cold_overhead_ms": ("a first call beyond a warm one, p50", "<= 3"),
    "rss_mib": ("memory with 20,000 loaded", ""),
    "rss_100k_mib": ("memory with 100,000 registered, after some were asked", "<= 200"),
    "ready_100k_s": ("start to ready with 100,000 registered", "<= 5"),
    "load_seconds_vs_lru": ("seconds of loading by LRU's, on three traces", "<= 0.75"),
    "load_seconds_worst": ("the same, on the worst of ten", "<= 1.02"),
}
"""What each figure is, and what it is to be."""


@dataclass(slots=True)
class Results:
    """What was measured; None: it was not."""

    headline: Headline | None = None
    cold: Coldness | None = None
    registered: ManyRegistered | None = None
    sklearn: RealModels | None = None
    load_seconds: LoadSeconds | None = None
    broken: list[str] = field(default_factory=list)


def figures(results: Results) -> dict[str, object]:
    """The named ones and some more, by name."""
    told: dict[str, object] = {}
    ranges: dict[str, list[float]] = {}
    for name, value in _values(results):
        if isinstance(value, Spread):
            told[name], ranges[name] = significant(value.median), value.rounded()
        elif isinstance(value, float):
            told[name] = significant(value)
        else:
            told[name] = value
    return {**told, "ranges": ranges, "broken": results.broken}


def _values(results: Results) -> Iterator[tuple[str, object]]:
    yield "failed", _failed(results)
    if headline := results.headline:
        yield from _of_headline(headline)
    if cold := results.cold:
        yield "cold_overhead_ms", cold.overhead_ms.p50_ms
        yield "cold_overhead_p99_ms", cold.overhead_ms.p99_ms
        yield "cold_first_ms", cold.first_ms.p50_ms
    if many := results.registered:
        yield "ready_100k_s", many.ready_s
        yield "rss_100k_mib", max(many.resident_bytes, many.asked_resident_bytes) / MIB
        yield "rss_100k_at_start_mib", many.resident_bytes / MIB
        yield "registered_models", many.registered.models
        yield "registers_per_s", many.registered.models_per_s
    if real := results.sklearn:
        yield from _of_real_models(real)
    if ratios := results.load_seconds:
        yield "load_seconds_vs_lru", list(ratios.promised.values())
        yield "load_seconds_traces", list(ratios.promised)
        yield "load_seconds_worst", max(ratios.every.values())
        yield "load_seconds_of_every_trace", dict(ratios.every)


def _failed(results: Results) -> int:
    failed = 0
    if results.headline:
        failed += results.headline.failed
    if results.cold:
        failed += sum(results.cold.failed.values())
    if results.registered:
        failed += results.registered.verdict.failed
    if results.sklearn:
        failed += results.sklearn.failed
    return failed


def _of_headline(headline: Headline) -> Iterator[tuple[str, object]]:
    models = headline.registered.models
    yield "models", models
    yield "loads_per_s", headline.registered.models_per_s
    if headline.counted:
        yield "writes_per_load", headline.counted.writes / models
        yield "syncs_per_load", headline.counted.syncs / models
    yield "p50_ms", Spread.of(run.p50_ms for run in headline.runs)
    yield "p99_ms", Spread.of(run.p99_ms for run in headline.runs)
    yield "p999_ms", Spread.of(run.p999_ms for run in headline.runs)
    yield "p99_first_second_ms", headline.runs[0].p99_ms_by_second[0]
    yield "zipf_p99_ms", headline.zipf.p99_ms
    yield "cpu_us", headline.cpu_us
    yield "rss_mib", headline.resident_bytes / MIB


def _of_real_models(real: RealModels) -> Iterator[tuple[str, object]]:
    yield "sklearn_models", real.registered.models
    yield "sklearn_loads_per_s", real.registered.models_per_s
    yield "sklearn_p50_ms", Spread.of(run.p50_ms for run in real.runs)
    yield "sklearn_p99_ms", Spread.of(run.p99_ms for run in real.runs)
    yield "sklearn_failed", real.failed
    yield "sklearn_bytes_per_model", round(real.bytes_per_model)
    yield "sklearn_instance_bytes_per_model", round(real.instance_bytes_per_model)


def table(told: Mapping[str, object]) -> Iterator[str]:
    """The promises that were measured, a line each."""
    ranges = told["ranges"]
    assert isinstance(ranges, dict)
    for name, (about, bound) in PROMISES.items():
        if name in told:
            spread = f" [{ranges[name][1]:g}-{ranges[name][2]:g}]" if name in ranges else ""
            yield f"  {name:20} {f'{told[name]}{spread}':28} {bound:8} {about}"
