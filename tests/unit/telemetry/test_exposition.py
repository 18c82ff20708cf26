import pytest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from adapter.telemetry.exposition import (
    PART_SERIES_MAX,
    PIECE_BYTES,
    HistogramCollector,
    Reading,
    ReadingCollector,
    java_double,
    pieces,
)
from adapter.telemetry.histograms import LabelledHistogram
from adapter.telemetry.metric_table import AGES_MS, MODEL_BYTES, PAYLOAD_BYTES, TIMES_MS, Kind

LOADS = "modelmesh_loadmodel_milliseconds"


def loads(models: int) -> LabelledHistogram:
    histogram = LabelledHistogram(LOADS, per_model=True)
    for number in range(models):
        histogram.at((f"m{number}", ""), f"m{number}").observe(number)
    return histogram


def figures(kind: Kind, name: str, reading: Reading, *labels: str) -> str:
    collector = ReadingCollector(name, "Some figure", kind, labels, lambda: reading)
    return b"".join(pieces(collector.collect())).decode()


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        pytest.param(
            TIMES_MS,
            "0.5 1.0 2.0 5.0 10.0 20.0 50.0 75.0 100.0 200.0 500.0 1000.0 2000.0 5000.0 10000.0 20000.0 "
            "60000.0 120000.0 300000.0",
            id="times",
        ),
        pytest.param(
            AGES_MS,
            "30000.0 300000.0 900000.0 3600000.0 1.44E7 4.32E7 8.64E7 6.048E8 2.592E9 7.776E9",
            id="ages",
        ),
        pytest.param(
            MODEL_BYTES,
            "262144.0 1048576.0 4194304.0 1.6777216E7 6.7108864E7 2.68435456E8 1.073741824E9 4.294967296E9",
            id="models",
        ),
        pytest.param(
            PAYLOAD_BYTES, "128.0 512.0 2048.0 8192.0 32768.0 131072.0 524288.0 2097152.0", id="payloads"
        ),
    ],
)
def test_bounds_are_written_as_modelmesh_writes_them(bounds: tuple[float, ...], text: str) -> None:
    assert " ".join(map(java_double, bounds)) == text


def test_a_round_ten_million_is_written_as_java_does() -> None:
    assert java_double(10_000_000) == "1.0E7"


def test_a_histogram_is_told_in_rising_counts() -> None:
    histogram = LabelledHistogram(LOADS, per_model=False)
    for value in (0.5, 3, 400_000):
        histogram.at(()).observe(value)
    (family,) = HistogramCollector(histogram).collect()
    told = {(s.name.removeprefix(LOADS), s.labels.get("le")): s.value for s in family.samples}
    assert (told["_bucket", "0.5"], told["_bucket", "5.0"], told["_bucket", "300000.0"]) == (1, 2, 2)
    assert (told["_bucket", "+Inf"], told["_count", None], told["_sum", None]) == (3, 3, 400_003.5)


def test_a_large_family_comes_in_parts_that_are_told_as_one() -> None:
    collector = HistogramCollector(loads(5 * PART_SERIES_MAX))
    assert max(len(part.samples) for part in collector.collect()) <= PART_SERIES_MAX * (len(TIMES_MS) + 3)
    told = list(pieces(collector.collect()))
    (family,) = text_string_to_metric_families(b"".join(told).decode())
    assert {s.labels["modelId"] for s in family.samples} == {f"m{n}" for n in range(5 * PART_SERIES_MAX)}
    assert b"".join(told).count(b"# TYPE") == 1
    assert all(PIECE_BYTES <= len(piece) < 4 * PIECE_BYTES for piece in told[:-1])


def test_a_family_without_series_is_not_told() -> None:
    assert list(pieces([GaugeMetricFamily("some_gauge", "Some figure")])) == []


def test_a_gauge_is_told_as_it_is_read() -> None:
    text = figures(Kind.GAUGE, "remesh_relay_open_connections", [(("client",), 3)], "side")
    assert 'remesh_relay_open_connections{side="client"} 3.0\n' in text


def test_a_counter_of_ours_has_one_name() -> None:
    text = figures(Kind.COUNTER, "remesh_relay_retries_total", [(("goaway",), 2)], "cause")
    assert text.splitlines()[1:] == [
        "# TYPE remesh_relay_retries_total counter",
        'remesh_relay_retries_total{cause="goaway"} 2.0',
    ]


def test_a_counter_of_modelmesh_has_its_bare_name_too() -> None:
    text = figures(Kind.COUNTER, "modelmesh_loadmodel_failure", [((), 2)])
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "modelmesh_loadmodel_failure_total 2.0",
        "modelmesh_loadmodel_failure 2.0",
    ]


def test_what_a_label_holds_cannot_break_the_text() -> None:
    value = 'a"b\\c\nd'
    text = figures(Kind.GAUGE, "some_gauge", [((value,), 1)], "word")
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels == {"word": value}
