from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapter.http2.flow import Counts
from adapter.instance.relay_figures import tell_relay
from adapter.telemetry.metric_table import METRICS
from adapter.telemetry.metrics import Metrics

RELAYS = sorted(name for name in METRICS if name.startswith("remesh_relay_"))


def told(counts: Counts) -> Mapping[str, list[tuple[Mapping[str, str], float]]]:
    """What a scrape says of the relay: by name, labels and figures."""
    metrics = Metrics()
    tell_relay(metrics, counts)
    text = b"".join(metrics.render(frozenset(RELAYS))).decode()
    return {
        sample.name: [(each.labels, each.value) for each in family.samples]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_figure_of_the_relay_is_told() -> None:
    counts = Counts()
    for named in (counts.retries, counts.limits_hit, counts.connection_errors, counts.stream_errors):
        counts.note(named, "X")
    assert sorted(told(counts)) == RELAYS


@pytest.mark.parametrize(
    ("name", "counts", "figures"),
    [
        pytest.param("open_calls", Counts(calls_open=3), [({}, 3)], id="calls"),
        pytest.param("received_bytes_total", Counts(bytes_in=7), [({}, 7)], id="bytes"),
        pytest.param(
            "open_connections",
            Counts(connections_open=2, upstream_connections_open=1),
            [({"side": "client"}, 2), ({"side": "upstream"}, 1)],
            id="connections of both sides",
        ),
        pytest.param(
            "limit_hits_total",
            Counts(limits_hit={"streams_max": 4}),
            [({"limit": "streams_max"}, 4)],
            id="by name",
        ),
    ],
)
def test_figures_are_those_of_now(name: str, counts: Counts, figures: object) -> None:
    assert told(counts)[f"remesh_relay_{name}"] == figures
