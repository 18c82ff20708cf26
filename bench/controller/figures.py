"""What a sitting tells: the named figures, with their ranges, and what each is to be at most."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Final

from bench.controller.measures import Measured
from bench.dataplane.spread import Spread, significant

MIB: Final = 2**20

PROMISES: Final[Mapping[str, tuple[str, str]]] = {
    "reconcile_ms": ("a change of one spec until its status says that it is loaded, p50", "< 200"),
    "reconcile_p99_ms": ("the same, p99", "< 200"),
    "reconcile_cpu_ms": ("CPU that the controller takes for it", ""),
    "rss_mib": ("memory of the controller after all changes", "< 300"),
    "rss_peak_mib": ("the most that it ever had", "< 300"),
    "resync_s": ("a start with all of them there, until each was looked at", ""),
    "resync_cpu_s": ("CPU that the controller takes for that", ""),
    "declared_s": ("all of them created and loaded", ""),
}
"""What each figure is, and what it is to be."""


def figures(measured: Measured) -> dict[str, object]:
    """By name."""
    told: dict[str, object] = {"models": measured.models, "changes": len(measured.changes_ms)}
    ranges: dict[str, list[float]] = {}
    for name, value in _values(measured):
        if isinstance(value, Spread):
            told[name], ranges[name] = significant(value.median), value.rounded()
        elif value is not None:
            told[name] = significant(value)
    told["failures"] = measured.failures
    return {**told, "ranges": ranges}


def _values(measured: Measured) -> Iterator[tuple[str, Spread | float | None]]:
    resyncs = measured.resyncs
    yield "reconcile_ms", Spread.of(measured.changes_ms)
    yield "reconcile_p99_ms", _p99(measured.changes_ms)
    yield "reconcile_cpu_ms", measured.change_cpu_ms
    yield "rss_mib", measured.resident_bytes / MIB
    yield "rss_peak_mib", measured.peak_bytes / MIB
    yield "resync_s", Spread.of(each.seconds for each in resyncs)
    yield "resync_cpu_s", Spread.of(each.cpu_s for each in resyncs)
    yield "resync_looks", Spread.of(each.looks for each in resyncs)
    yield "resync_rss_mib", Spread.of(each.resident_bytes / MIB for each in resyncs)
    yield "declared_s", measured.settled_s
    yield "declared_cpu_s", measured.settled_cpu_s


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else values[0]


def table(told: Mapping[str, object]) -> Iterator[str]:
    """The promises, a line each."""
    ranges = told["ranges"]
    assert isinstance(ranges, dict)
    for name, (about, bound) in PROMISES.items():
        if name in told:
            spread = f" [{ranges[name][1]:g}-{ranges[name][2]:g}]" if name in ranges else ""
            yield f"  {name:18} {f'{told[name]}{spread}':28} {bound:8} {about}"
