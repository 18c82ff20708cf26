import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapter.telemetry.metric_table import METRICS, Kind
from adapter.telemetry.metrics import InstanceFigures, MeshFigures, Metrics
from adapter.telemetry.metrics_options import BadMetricsOptions, InfoMetric

NONE_OF_OURS = ("process_", "python_")


def told(metrics: Metrics, *names: str) -> dict[str, float]:
    """The samples without labels, by name."""
    text = b"".join(metrics.render(frozenset(names))).decode()
    return {s.name: s.value for f in text_string_to_metric_families(text) for s in f.samples if not s.labels}


def full() -> Metrics:
    metrics = Metrics()
    metrics.watch_instance(
        lambda: InstanceFigures(capacity_bytes=800, used_bytes=200, models=3, last_used_s=1e9, unused_s=60)
    )
    metrics.watch_mesh(lambda: MeshFigures(managed=9, loaded=5, failed=1))
    return metrics


def test_the_instance_is_told_as_it_is_at_the_scrape() -> None:
    samples = told(full())
    assert samples["modelmesh_instance_capacity_bytes"] == 800
    assert samples["modelmesh_instance_used_bytes"] == 200
    assert samples["modelmesh_instance_used_bps"] == 2500
    assert samples["modelmesh_instance_models_total"] == 3
    assert samples["modelmesh_instance_lru_seconds"] == 1e9
    assert samples["modelmesh_instance_lru_age_seconds"] == 60


def test_an_empty_instance_has_no_last_use_and_is_not_full() -> None:
    metrics = Metrics()
    metrics.watch_instance(lambda: InstanceFigures(capacity_bytes=0, used_bytes=0, models=0))
    samples = told(metrics)
    assert samples["modelmesh_instance_used_bps"] == 0
    assert "modelmesh_instance_lru_seconds" not in samples


def test_only_the_leader_tells_of_the_mesh() -> None:
    figures: list[MeshFigures | None] = [MeshFigures(managed=9, loaded=5, failed=1)]
    metrics = Metrics()
    metrics.watch_mesh(lambda: figures[0])
    assert told(metrics)["modelmesh_models_managed_total"] == 9
    assert told(metrics)["modelmesh_models_loaded_total"] == 5
    assert told(metrics)["modelmesh_models_with_failure_total"] == 1
    figures[0] = None
    assert not {name for name in told(metrics) if name.startswith("modelmesh_models_")}


def test_failures_are_told_from_the_start() -> None:
    metrics = Metrics()
    assert told(metrics)["modelmesh_loadmodel_failure"] == 0
    metrics.models.load_failed()
    assert (
        told(metrics)["modelmesh_loadmodel_failure"]
        == told(metrics)["modelmesh_loadmodel_failure_total"]
        == 1
    )


def test_the_process_is_told_too() -> None:
    samples = told(Metrics())
    assert samples["process_resident_memory_bytes"] > 0
    assert b"python_gc_collections_total" in b"".join(Metrics().render())


@pytest.mark.parametrize(
    "name",
    ["modelmesh_loadmodel_milliseconds", "modelmesh_loadmodel_milliseconds_count"],
    ids=["metric", "sample"],
)
def test_a_filter_names_metrics_or_samples(name: str) -> None:
    samples = told(full(), name)
    assert samples["modelmesh_loadmodel_milliseconds_count"] == 0
    assert all(sample.startswith(name) for sample in samples)


def test_a_filter_may_name_several_and_unknown_ones() -> None:
    names = ("modelmesh_instance_used_bytes", "modelmesh_loadmodel_failure", "no_such_metric")
    assert set(told(full(), *names)) == {
        "modelmesh_instance_used_bytes",
        "modelmesh_loadmodel_failure",
        "modelmesh_loadmodel_failure_total",
    }


def test_figures_of_others_are_read_at_the_scrape() -> None:
    metrics, connections = Metrics(), {"client": 0}
    metrics.expose("remesh_relay_open_connections", lambda: [((side,), n) for side, n in connections.items()])
    metrics.register("remesh_extra_total", "Something", "counter", (), lambda: [((), 7)])
    connections["client"] = 4
    text = b"".join(metrics.render())
    assert b'remesh_relay_open_connections{side="client"} 4.0' in text
    assert b"remesh_extra_total 7.0" in text


def test_a_figure_that_the_table_does_not_declare_cannot_be_exposed() -> None:
    with pytest.raises(KeyError):
        Metrics().expose("remesh_made_up", list)


def test_a_name_is_told_once() -> None:
    with pytest.raises(ValueError, match="Duplicated"):
        Metrics().register("modelmesh_loadmodel_failure", "Again", "counter", (), list)


def test_a_forgotten_model_is_not_told() -> None:
    metrics = Metrics(per_model=True)
    metrics.requests.api_request("a.B/C", "OK", 1, 2, 3, "iris")
    metrics.models.loaded("iris", took_ms=3)
    assert b"iris" in b"".join(metrics.render())
    metrics.forget("iris")
    assert b"iris" not in b"".join(metrics.render())


def test_the_info_metric_is_one_with_its_labels() -> None:
    info = InfoMetric(name="deployment_info", labels=(("version", "1.2"), ("zone", "a")))
    assert b'deployment_info{version="1.2",zone="a"} 1.0' in b"".join(Metrics(info=info).render())
    assert b"\nplain_info 1.0" in b"".join(Metrics(info=InfoMetric(name="plain_info")).render())


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("modelmesh_loadmodel_milliseconds", id="one that is told already"),
        pytest.param("remesh_relay_open_calls", id="one that may be told later"),
        pytest.param("remesh_relay_calls", id="the same without what counters have"),
        pytest.param("modelmesh_loadmodel_failure_total", id="the same with it"),
        pytest.param("process_open_fds", id="one of the process"),
    ],
)
def test_the_info_metric_cannot_have_the_name_of_another(name: str) -> None:
    with pytest.raises(BadMetricsOptions, match=f"MM_INFO_METRICS: {name} is the name"):
        Metrics(info=InfoMetric(name=name))


def test_all_that_is_told_is_declared_in_the_table() -> None:
    metrics = full()
    metrics.requests.api_request("a.B/C", "OK", 1, 2, 3)
    metrics.requests.invoked("a.B/C", "OK", 1)
    text = b"".join(metrics.render()).decode()
    for family in text_string_to_metric_families(text):
        # The parser takes `_total` off a counter's name.
        declared = METRICS.get(family.name) or METRICS.get(f"{family.name}_total")
        assert declared or family.name.startswith(NONE_OF_OURS), family.name
        if declared and declared.kind is Kind.HISTOGRAM:
            assert {label for s in family.samples for label in s.labels} - {"le"} == set(declared.labels)
