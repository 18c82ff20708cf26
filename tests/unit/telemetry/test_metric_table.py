import pytest

from adapter.telemetry.metric_table import METRICS, Kind, Metric
from tests.unit.telemetry.page import told

MODELMESH_HISTOGRAMS = {
    "api_request": 19,
    "invoke_model": 19,
    "cache_miss": 19,
    "loadmodel": 19,
    "unloadmodel": 19,
    "req_queue_delay": 19,
    "loading_queue_delay": 19,
    "model_sizing": 19,
    "age_at_eviction": 10,
}


def row(name: str, metric: Metric) -> str:
    labels = ", ".join(metric.labels + tuple(f"*{label}*" for label in metric.labels_per_model))
    return f"| `{name}` | {metric.kind.value} | {labels} | {metric.help} |"


def test_the_page_has_every_metric_and_no_other() -> None:
    found = told(of_controller=False)
    wanted = [row(name, metric) for name, metric in METRICS.items()]
    assert sorted(found) == sorted(wanted), "docs/metrics.md must have these rows:\n" + "\n".join(
        line for line in wanted if line not in found
    )


def test_histograms_of_times_have_modelmeshs_buckets() -> None:
    for name, buckets in MODELMESH_HISTOGRAMS.items():
        metric = METRICS[f"modelmesh_{name}_milliseconds"]
        assert (metric.kind, len(metric.bounds)) == (Kind.HISTOGRAM, buckets)


@pytest.mark.parametrize("name", METRICS)
def test_a_name_says_what_it_counts(name: str) -> None:
    metric = METRICS[name]
    assert name.startswith(("modelmesh_", "remesh_"))
    if name.startswith("remesh_"):
        assert name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert (metric.kind is Kind.HISTOGRAM) == bool(metric.bounds)
    assert list(metric.bounds) == sorted(set(metric.bounds))


def test_no_label_holds_a_model_unless_it_is_asked_for() -> None:
    assert not {"modelId", "vModelId", "model", "user", "path"} & {
        label for metric in METRICS.values() for label in metric.labels
    }
