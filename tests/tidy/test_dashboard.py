"""The Grafana dashboard asks only for metrics that are told, by labels that they have."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from adapter.telemetry.metric_table import METRICS, Kind
from tests.tidy.tree import ROOT

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "ModelMeshMetricsDashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

SERIES = re.compile(r"\b((?:modelmesh|remesh|container)_\w+)\{([^}]*)\}")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
OF_CADVISOR = {"container_cpu_usage_seconds_total", "container_memory_working_set_bytes"}
ADDED_BY_PROMETHEUS = {"namespace", "pod", "container", "le"}
SUFFIXES = {Kind.HISTOGRAM: ("_sum", "_count", "_bucket"), Kind.COUNTER: ("", "_total"), Kind.GAUGE: ("",)}


def told() -> dict[str, tuple[str, ...]]:
    """The name of each series, and its labels."""
    return {
        name if name.endswith(suffix) else name + suffix: metric.labels
        for name, metric in METRICS.items()
        for suffix in SUFFIXES[metric.kind]
    }


def queries(panel: dict[str, Any]) -> Iterator[str]:
    for target in panel["targets"]:
        yield target["expr"]


def test_title_and_variables_are_modelmeshs() -> None:
    assert (DASHBOARD["title"], DASHBOARD["uid"]) == ("ModelMesh Dashboard", "vMm_rt-7z-new")
    names = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert names == ["datasource", "namespace", "servicename", "mm_container", "runtime"]


def test_rows_and_panels_are_modelmeshs_and_one_row_of_ours() -> None:
    rows: dict[str, int] = {}
    row = ""
    for panel in DASHBOARD["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            rows[row] = 0
        else:
            rows[row] += 1
    counts = {"Global Metrics": 18, "Deployment Metrics": 8, "Container Resource Utilization": 4, "Remesh": 7}
    assert rows == counts


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_asks_for_what_is_told(panel: dict[str, Any]) -> None:
    series = told()
    for query in queries(panel):
        asked = SERIES.findall(query)
        assert asked, query
        grouped = {label.strip() for labels in GROUPED.findall(query) for label in labels.split(",")}
        for name, _ in asked:
            labels = set() if name in OF_CADVISOR else set(series[name])
            assert grouped <= labels | ADDED_BY_PROMETHEUS, query


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_shows_one_mesh_only(panel: dict[str, Any]) -> None:
    for query in queries(panel):
        for _, selected in SERIES.findall(query):
            assert 'namespace="$namespace"' in selected
            assert 'pod=~"$servicename-' in selected


def test_no_two_panels_lie_upon_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
