import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.telemetry.metrics_options import BadMetricsOptions, InfoMetric, MetricsOptions

PIECES = st.sampled_from(
    ["prometheus", "disabled", "statsd", ":", ";", "=", "port", "scheme", "80", "true", "x", " "]
)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        pytest.param("", MetricsOptions(scheme="http", local_only=True), id="unset"),
        pytest.param("disabled", MetricsOptions(is_served=False), id="disabled"),
        pytest.param("prometheus", MetricsOptions(), id="prometheus"),
        pytest.param(
            "prometheus:port=9000;scheme=http",
            MetricsOptions(port=9000, scheme="http"),
            id="as its controller says",
        ),
        pytest.param(
            "prometheus:fq_names=true;per_model_metrics=True;mem_detail=none",
            MetricsOptions(fq_names=True, per_model=True),
            id="all names, and the models",
        ),
    ],
)
def test_what_can_be_said(text: str, options: MetricsOptions) -> None:
    assert MetricsOptions.parse(text) == options


def test_prometheus_is_https_on_2112_unless_told_otherwise() -> None:
    options = MetricsOptions.parse("prometheus")
    assert (options.is_served, options.port, options.scheme, options.local_only) == (
        True,
        2112,
        "https",
        False,
    )


def test_an_unknown_parameter_only_disables_the_metrics() -> None:
    options = MetricsOptions.parse("prometheus:port=2112;per_model=true")
    assert not options.is_served
    assert options.complaint.startswith("MM_METRICS: per_model is unknown (known are port, scheme,")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("promethues", "must be disabled or prometheus", id="misspelt"),
        pytest.param("disabled:port=1", "must be disabled or prometheus", id="a parameter of nothing"),
        pytest.param("prometheus:", "must be name=value", id="a colon and nothing"),
        pytest.param("prometheus:port", "must be name=value", id="no value"),
        pytest.param("prometheus:port=1;", "must be name=value", id="nothing after the semicolon"),
        pytest.param("prometheus:port=1;port=2", "port is there twice", id="twice"),
        pytest.param("prometheus:port=http", "port must be a port's number", id="no number"),
        pytest.param("prometheus:port=65536", "port must be a port's number", id="no port"),
        pytest.param("prometheus:scheme=ftp", "scheme must be http or https", id="no scheme"),
        pytest.param("prometheus:fq_names=yes", "fq_names must be true or false", id="no boolean"),
        pytest.param("statsd:port=8126", "StatsD is not offered; say prometheus", id="statsd"),
    ],
)
def test_what_has_no_meaning_is_complained_about(text: str, complaint: str) -> None:
    with pytest.raises(BadMetricsOptions, match=f"^MM_METRICS: .*{re.escape(complaint)}"):
        MetricsOptions.parse(text)


@given(st.lists(PIECES, max_size=10).map("".join))
def test_any_text_is_understood_or_complained_about(text: str) -> None:
    with suppress(BadMetricsOptions):
        assert 0 <= MetricsOptions.parse(text).port <= 65535


def test_the_info_metric_takes_its_labels_from_variables() -> None:
    info = InfoMetric.parse("deployment_info;zone=MM_ZONE,version=VERSION", {"MM_ZONE": "a", "VERSION": "1"})
    assert info == InfoMetric(name="deployment_info", labels=(("zone", "a"), ("version", "1")))


@pytest.mark.parametrize(
    ("text", "info"),
    [
        pytest.param("", None, id="unset"),
        pytest.param("deployment_info", InfoMetric(name="deployment_info"), id="no labels"),
    ],
)
def test_the_info_metric_may_be_short(text: str, info: InfoMetric | None) -> None:
    assert InfoMetric.parse(text, {}) == info


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("a b;x=A", "must be name;label=VARIABLE", id="no name of a metric"),
        pytest.param(";x=A", "must be name;label=VARIABLE", id="no name"),
        pytest.param("info;x", "each label must be label=VARIABLE", id="no variable"),
        pytest.param("info;x-y=A", "each label must be label=VARIABLE", id="no name of a label"),
        pytest.param("info;__x=A", "each label must be label=VARIABLE", id="a label that is Prometheus' own"),
        pytest.param("info;x=NOT_SET", "the variable NOT_SET of label x is not set", id="not set"),
        pytest.param("info;v=A,w=A,x=A,y=A,z=A", "at most 4 labels", id="too many"),
    ],
)
def test_an_info_metric_that_cannot_be_is_complained_about(text: str, complaint: str) -> None:
    with pytest.raises(BadMetricsOptions, match=f"^MM_INFO_METRICS: .*{re.escape(complaint)}"):
        InfoMetric.parse(text, {"A": "1"})
