from collections.abc import Callable

import pytest

from adapter.telemetry.model_metrics import ModelMetrics


def told(metrics: ModelMetrics) -> dict[str, dict[tuple[str, ...], float]]:
    """Of each histogram with values, the sum of each series."""
    return {
        histogram.name: sums
        for histogram in metrics.histograms
        if (sums := {values: series.total for values, series in histogram if any(series.counts)})
    }


@pytest.mark.parametrize(
    ("happens", "sums"),
    [
        pytest.param(
            lambda m: m.loaded("iris", took_ms=800), {"modelmesh_loadmodel_milliseconds": 800}, id="loaded"
        ),
        pytest.param(
            lambda m: m.load_waited("iris", waited_ms=20),
            {"modelmesh_loading_queue_delay_milliseconds": 20},
            id="came to its turn",
        ),
        pytest.param(
            lambda m: m.sized("iris", size_bytes=1 << 20, took_ms=3),
            {"modelmesh_loaded_model_size_bytes": 1 << 20, "modelmesh_model_sizing_milliseconds": 3},
            id="measured",
        ),
        pytest.param(
            lambda m: m.sized("iris", size_bytes=5),
            {"modelmesh_loaded_model_size_bytes": 5},
            id="its size told with the load",
        ),
        pytest.param(
            lambda m: m.evicted("iris", unused_ms=60_000),
            {"modelmesh_age_at_eviction_milliseconds": 60_000},
            id="evicted",
        ),
        pytest.param(
            lambda m: m.unloaded("iris", took_ms=40),
            {"modelmesh_unloadmodel_milliseconds": 40},
            id="unloaded",
        ),
    ],
)
def test_what_happens_to_a_model_is_measured(
    happens: Callable[[ModelMetrics], None], sums: dict[str, float]
) -> None:
    plain, per_model = ModelMetrics(), ModelMetrics(per_model=True)
    happens(plain)
    happens(per_model)
    assert told(plain) == {name: {(): total} for name, total in sums.items()}
    assert told(per_model) == {name: {("iris", ""): total} for name, total in sums.items()}


def test_failures_are_counted() -> None:
    metrics = ModelMetrics()
    metrics.load_failed()
    metrics.unload_attempt_failed()
    metrics.unload_attempt_failed()
    metrics.unload_failed()
    assert metrics.failures == {
        "modelmesh_loadmodel_failure": 1,
        "modelmesh_unloadmodel_attempt_failure": 2,
        "modelmesh_unloadmodel_failure": 1,
    }


def test_a_forgotten_model_is_not_told() -> None:
    metrics = ModelMetrics(per_model=True)
    metrics.loaded("iris", took_ms=800)
    metrics.forget("iris")
    assert told(metrics) == {}
