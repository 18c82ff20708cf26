"""The plot of docs/dataplane.md: CPU beside nginx's, and latency."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.dataplane.cases import CASES

COLOURS: Final = {
    "ours": "#0b5fa5",
    "ours-plain": "#7fb2dd",
    "nginx": "#767676",
    "aio": "#c2571a",
    "direct": "#b5b5b5",
}
LABELS: Final = {
    "ours": "Remesh",
    "ours-plain": "Remesh, plain Python",
    "nginx": "nginx",
    "aio": "grpc.aio",
    "direct": "no proxy",
}
CPU_OF: Final = ("ours", "ours-plain", "nginx", "aio")
LATENCY_OF: Final = ("ours", "nginx", "direct")
QUANTILES: Final = {"p50": "median", "p90": "p90", "p99": "p99"}
RATIOS: Final = {0.25: "1/4", 0.5: "1/2", 1: "1", 2: "2", 4: "4", 8: "8", 16: "16"}
OFFSET: Final = 0.2
"""Between the marks of one row."""

Spreads = Mapping[str, list[float]]
"""By target: median, least, most."""


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """Write the plot as SVG, the same bytes for the same figures."""
    # A figure of its own, since pyplot keeps the figures that it makes.
    with mpl.rc_context({"svg.hashsalt": "remesh", "svg.fonttype": "path", "font.size": 9}):
        figure = Figure(figsize=(10, 5), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[2, 1])
        _draw_cpu(left, figures["cpu_us"], figures["vs_nginx"])
        _draw_latency(right, figures["latency_ms"])
        for target, colour in COLOURS.items():
            left.plot([], [], "o", color=colour, label=LABELS[target])
        figure.legend(loc="outside lower center", ncols=len(COLOURS), frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _draw_cpu(axes: Axes, cpu_us: Mapping[str, Spreads], vs_nginx: Mapping[str, Spreads]) -> None:
    """On a logarithmic axis where nginx is 1; beside each mark its time."""
    cases = [name for name in vs_nginx if not CASES[name].open_loop]
    for row, case in enumerate(cases):
        for height, target in _heights(row, CPU_OF):
            if spread := vs_nginx[case].get(target):
                _mark(axes, spread, height, COLOURS[target])
                place = (spread[2], height)
                text = _time(cpu_us[case][target][0])
                axes.annotate(text, place, (5, 0), textcoords="offset points", va="center", fontsize=7)
    axes.axvline(1, color=COLOURS["nginx"], linewidth=0.8, zorder=0)
    axes.set_xscale("log")
    axes.set_xticks([*RATIOS], [*RATIOS.values()])
    axes.minorticks_off()
    axes.margins(x=0.12)
    axes.set_yticks(range(len(cases)), [CASES[name].about for name in cases])
    _finish(axes, "CPU of the proxy for a call; nginx = 1, less is better")


def _draw_latency(axes: Axes, latency_ms: Mapping[str, Spreads]) -> None:
    quantiles = [name for name in QUANTILES if name in latency_ms]
    for row, quantile in enumerate(quantiles):
        for height, target in _heights(row, LATENCY_OF):
            if spread := latency_ms[quantile].get(target):
                _mark(axes, spread, height, COLOURS[target])
    axes.set_xlim(left=0)
    axes.set_yticks(range(len(quantiles)), [QUANTILES[name] for name in quantiles])
    _finish(axes, "Latency at 1,000 calls/s, ms")


def _heights(row: int, targets: Sequence[str]) -> list[tuple[float, str]]:
    middle = (len(targets) - 1) / 2
    return [(row + (place - middle) * OFFSET, target) for place, target in enumerate(targets)]


def _mark(axes: Axes, spread: list[float], height: float, colour: str) -> None:
    """A dot for the median, a line for the range."""
    median, least, most = spread
    axes.plot([least, most], [height, height], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot([median], [height], "o", color=colour, markersize=5)


def _time(microseconds: float) -> str:
    return f"{microseconds:.3g} us" if microseconds < 1000 else f"{microseconds / 1000:.2g} ms"


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left")
    axes.grid(axis="x", linewidth=0.4, color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.invert_yaxis()
