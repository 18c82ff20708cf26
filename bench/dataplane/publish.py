"""Puts the figures of a sitting into docs/: the plot, and the tables of docs/dataplane.md.

python -m bench.dataplane --save result.json
python -m bench.dataplane.publish result.json
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bench.dataplane.cases import CASES
from bench.dataplane.plot import draw

DOCS: Final = Path(__file__).parents[2] / "docs"
BEGIN: Final = "<!-- figures: python -m bench.dataplane.publish -->"
END: Final = "<!-- end of the figures -->"

NAMES: Final = {
    "direct": "no proxy",
    "nginx": "nginx",
    "aio": "`grpc.aio`",
    "aio-uvloop": "`grpc.aio`, uvloop",
    "ours": "Remesh",
    "ours-plain": "Remesh, plain Python",
}
PROMISES: Final = {
    "cpu_1k_vs_nginx": ("CPU of a 1 KiB call, by nginx's", "1.0"),
    "cpu_1k_vs_grpc_aio": ("the same, by that of a `grpc.aio` proxy", "0.15"),
    "cpu_64k_vs_nginx": ("CPU of a 64 KiB call, by nginx's", "1.2"),
    "cpu_4m_vs_nginx": ("CPU of a 4 MiB call, by nginx's", "1.3"),
    "added_p99_ms": ("p99 added at 1,000 calls a second, ms", "1.5"),
    "cpu_1k_us": ("CPU of a 1 KiB call, us", ""),
    "rest_64_us": ("CPU of 64 FP32 in V2 JSON over REST, us", ""),
    "rest_64_vs_nginx_1k": ("the same, by nginx's 1 KiB call", "5"),
    "plain_cpu_1k_vs_nginx": ("plain Python: CPU of a 1 KiB call, by nginx's", ""),
    "plain_cpu_64k_vs_nginx": ("plain Python: of a 64 KiB call", ""),
    "plain_cpu_4m_vs_nginx": ("plain Python: of a 4 MiB call", ""),
    "plain_rest_64_vs_nginx_1k": ("plain Python: REST, by nginx's 1 KiB call", ""),
    "memory_4m_1_messages": ("memory grown by 4 MiB calls, one at a time, in messages", "4"),
    "memory_4m_4_messages": ("the same, four at a time", ""),
}
"""What each named figure is, and what it is to be at most."""

Figures = Mapping[str, Any]


def main() -> None:
    """Write the plot and the page."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    result = json.loads(Path(sys.argv[1]).read_text())
    draw(result["figures"], DOCS / "dataplane.svg")
    page = DOCS / "dataplane.md"
    page.write_text(filled(page.read_text(), result["figures"], result["machine"]))


def filled(page: str, figures: Figures, machine: Mapping[str, object]) -> str:
    """The page with these figures between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"the page has no {BEGIN} and {END}")
    lines = [BEGIN, "", *_told(figures, machine), "", END]
    return before + "\n".join(lines) + after


def _told(figures: Figures, machine: Mapping[str, object]) -> Iterator[str]:
    yield f"{machine['cpus']} cores of {machine['cpu']}, Python {machine['python']}; median [least-most]."
    yield ""
    yield from _table(["Figure", "Measured", "At most"], _promises(figures))
    targets = list(dict.fromkeys(name for row in figures["cpu_us"].values() for name in row))
    yield ""
    yield from _table(
        ["CPU of the proxy, us a call", *(NAMES[name] for name in targets), "Remesh by nginx"],
        _costs(figures, targets),
    )
    yield ""
    yield from _table(
        ["Latency at 1,000 calls a second, ms", *figures["latency_ms"]],
        _latencies(figures["latency_ms"]),
    )
    if figures["failed"]:
        yield ""
        yield from (f"- failed: {text}" for text in figures["failed"])


def _promises(figures: Figures) -> Iterator[list[str]]:
    for name, (about, most) in PROMISES.items():
        if name in figures:
            yield [f"`{name}`: {about}", _cell(figures["ranges"][name]), most]


def _costs(figures: Figures, targets: list[str]) -> Iterator[list[str]]:
    for case, row in figures["cpu_us"].items():
        if not CASES[case].open_loop:
            ratio = figures["vs_nginx"].get(case, {}).get("ours")
            yield [CASES[case].about, *(_cell(row.get(name)) for name in targets), _cell(ratio)]


def _latencies(latency_ms: Mapping[str, Mapping[str, list[float]]]) -> Iterator[list[str]]:
    targets = dict.fromkeys(name for row in latency_ms.values() for name in row)
    for name in targets:
        yield [NAMES[name], *(_cell(row.get(name)) for row in latency_ms.values())]


def _cell(spread: list[float] | None) -> str:
    if not spread:
        return ""
    median, least, most = (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" for value in spread)
    return f"{median} [{least}-{most}]"


def _table(head: list[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    main()
