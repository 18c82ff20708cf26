import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.telemetry import histograms
from adapter.telemetry.histograms import OTHER, Histogram, LabelledHistogram

REQUESTS = "modelmesh_api_request_milliseconds"
LOADS = "modelmesh_loadmodel_milliseconds"


def told(histogram: LabelledHistogram) -> dict[tuple[str, ...], int]:
    return {values: sum(series.counts) for values, series in histogram}


@given(st.lists(st.floats(min_value=0, max_value=1e6)))
def test_every_value_is_in_the_first_bucket_whose_bound_it_does_not_exceed(values: list[float]) -> None:
    histogram = Histogram((1.0, 10.0, 100.0))
    for value in values:
        histogram.observe(value)
    up_to = [sum(value <= bound for value in values) for bound in (1.0, 10.0, 100.0)]
    assert [sum(histogram.counts[: place + 1]) for place in range(3)] == up_to
    assert sum(histogram.counts) == len(values)
    assert histogram.total == pytest.approx(sum(values))


def test_one_without_labels_is_told_from_the_start() -> None:
    assert told(LabelledHistogram(LOADS, per_model=False)) == {(): 0}


def test_one_with_labels_is_told_once_it_has_something_to_tell() -> None:
    histogram = LabelledHistogram(REQUESTS, per_model=False)
    unused = histogram.at(("ModelInfer", "OK"))
    assert told(histogram) == {}
    unused.observe(3)
    assert told(histogram) == {("ModelInfer", "OK"): 1}


def test_the_same_labels_are_the_same_series() -> None:
    histogram = LabelledHistogram(LOADS, per_model=True)
    assert histogram.at(("iris", ""), "iris") is histogram.at(("iris", ""), "iris")


def test_models_beyond_the_bound_share_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histograms, "SERIES_MAX", 2)
    histogram = LabelledHistogram(REQUESTS, per_model=True)
    for model in ("a", "b", "c", "d"):
        histogram.at(("M", "OK", model, ""), model).observe(1)
    assert told(histogram) == {
        ("M", "OK", "a", ""): 1,
        ("M", "OK", "b", ""): 1,
        ("M", "OK", OTHER, OTHER): 2,
    }


def test_a_forgotten_model_is_not_told_and_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histograms, "SERIES_MAX", 1)
    histogram = LabelledHistogram(LOADS, per_model=True)
    histogram.at(("a", ""), "a").observe(1)
    histogram.forget("a")
    histogram.forget("never seen")
    histogram.at(("b", ""), "b").observe(1)
    assert told(histogram) == {("b", ""): 1}


def test_series_may_come_and_go_while_they_are_told() -> None:
    histogram = LabelledHistogram(LOADS, per_model=True)
    for model in ("a", "b"):
        histogram.at((model, ""), model).observe(1)
    telling = iter(histogram)
    next(telling)
    histogram.forget("b")
    histogram.at(("c", ""), "c")
    assert len(list(telling)) <= 1
