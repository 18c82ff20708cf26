"""From the runs of a sitting to the figures that are told: named ones, and a table of everything."""

from collections.abc import Callable, Iterable
from typing import Final

from bench.dataplane.cases import CASES, MIB
from bench.dataplane.results import Results
from bench.dataplane.spread import Spread, significant

QUANTILES: Final = ("p50", "p90", "p99", "p999", "max")
MESSAGE_BYTES: Final = 4 * MIB
"""The unit in which growth is told."""

Row = dict[str, list[float]]
"""By target: median, least, most."""


def figures(results: Results) -> dict[str, object]:
    """The named ones, with their ranges, and what failed. One that was not measured is left out."""
    known = {name: spread for name, spread in named(results).items() if spread}
    return {
        **{name: significant(spread.median) for name, spread in known.items()},
        "ranges": {name: spread.rounded() for name, spread in known.items()},
        "compiled": results.compiled,
        "failed": results.failed,
    }


def everything(results: Results) -> dict[str, object]:
    """The same, and a row for each case and quantile."""
    return {
        **figures(results),
        "cpu_us": _rows(results, CASES, results.cpu_us),
        "vs_nginx": _rows(results, CASES, lambda target, case: results.ratio(target, case, "nginx")),
        "calls_a_second": _rows(results, CASES, results.rate),
        "latency_ms": _rows(results, QUANTILES, results.latency_ms),
        "added_p99": _rows(results, ("ms",), lambda target, _: results.added_p99_ms(target)),
        "grown_messages": _rows(
            results, CASES, lambda target, case: results.grown(target, case, by=MESSAGE_BYTES)
        ),
    }


def named(results: Results) -> dict[str, Spread | None]:
    """What the project promises; 64 in flight for `1k`, and beside nginx in the same run."""
    return {
        "cpu_1k_vs_nginx": results.ratio("ours", "1k", "nginx"),
        "cpu_1k_vs_grpc_aio": results.ratio("ours", "1k", "aio"),
        "cpu_64k_vs_nginx": results.ratio("ours", "64k", "nginx"),
        "cpu_4m_vs_nginx": results.ratio("ours", "4m", "nginx"),
        "added_p99_ms": results.added_p99_ms("ours"),
        "cpu_1k_us": results.cpu_us("ours", "1k"),
        "rest_64_us": results.cpu_us("ours", "rest"),
        "rest_64_vs_nginx_1k": results.ratio("ours", "rest", "nginx", "1k"),
        "plain_cpu_1k_vs_nginx": results.ratio("ours-plain", "1k", "nginx"),
        "plain_cpu_64k_vs_nginx": results.ratio("ours-plain", "64k", "nginx"),
        "plain_cpu_4m_vs_nginx": results.ratio("ours-plain", "4m", "nginx"),
        "plain_rest_64_vs_nginx_1k": results.ratio("ours-plain", "rest", "nginx", "1k"),
        "memory_4m_1_messages": results.grown("ours", "4m-one", by=MESSAGE_BYTES),
        "memory_4m_4_messages": results.grown("ours", "4m", by=MESSAGE_BYTES),
    }


def _rows(results: Results, names: Iterable[str], of: Callable[[str, str], Spread | None]) -> dict[str, Row]:
    targets = list(dict.fromkeys([*results.targets, *(target for target, _ in results.grown_bytes)]))
    rows = {
        name: {target: spread.rounded() for target in targets if (spread := of(target, name))}
        for name in names
    }
    return {name: row for name, row in rows.items() if row}
