"""What a person reads at the end."""

import sys
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.dataplane.cases import CASES, MIB
from bench.dataplane.figures import QUANTILES
from bench.dataplane.results import OPEN, Results

WIDTH: Final = 150
"""Where there is no terminal."""


def tell(results: Results) -> None:
    """Tables of CPU, latency and memory, and what failed."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for table in (_cpu_table(results), _latency_table(results), _memory_table(results)):
        if table.row_count:
            console.print(table)
    for text in results.failed:
        console.print(Text(f"FAILED: {text}", style="bold red"))


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, box=box.SIMPLE_HEAD, title=Text(title))


def _cpu_table(results: Results) -> Table:
    table = _table("CPU of the proxy, us a call: median [range]", "CASE", *results.targets, "ours by nginx's")
    for name, case in CASES.items():
        cells = [_cell(results, target, name) for target in results.targets]
        if any(cells) and not case.open_loop:
            ratio = results.ratio("ours", name, "nginx")
            table.add_row(f"{case.about} ({name})", *cells, Text(str(ratio or "")))
    return table


def _cell(results: Results, target: str, case: str) -> Text:
    rate, cpu, busy = (
        results.rate(target, case),
        results.cpu_us(target, case),
        results.busy(target, case),
    )
    if not rate:
        return Text()
    if not cpu or not busy:
        return Text(f"\n{rate.median:.0f}/s")
    return Text(f"{cpu}\n{rate.median:.0f}/s, core {100 * busy.median:.0f} % busy")


def _latency_table(results: Results) -> Table:
    table = _table(
        "Latency from the time a call was due, ms: medians, and range of what is added",
        "",
        *QUANTILES,
        "p99 added",
    )
    for target in results.targets:
        if (target, OPEN) in results.runs:
            spreads = [results.latency_ms(target, quantile) for quantile in QUANTILES]
            medians = [f"{spread.median:.3f}" for spread in spreads if spread]
            table.add_row(target, *medians, Text(str(results.added_p99_ms(target) or "")))
    return table


def _memory_table(results: Results) -> Table:
    table = _table("Growth of memory over small calls, MiB: median [range]", "CASE", "", "")
    for target, case in results.grown_bytes:
        table.add_row(CASES[case].about, target, Text(str(results.grown(target, case, by=MIB))))
    return table
