import time

import pytest

from adapter.telemetry import request_metrics
from adapter.telemetry.request_metrics import RequestMetrics

INFER = "inference.GRPCInferenceService/ModelInfer"
API, INVOKE, REQUEST, RESPONSE, MISS, SLOT = (
    "modelmesh_api_request_milliseconds",
    "modelmesh_invoke_model_milliseconds",
    "modelmesh_request_size_bytes",
    "modelmesh_response_size_bytes",
    "modelmesh_cache_miss_milliseconds",
    "modelmesh_req_queue_delay_milliseconds",
)


def told(metrics: RequestMetrics, name: str) -> dict[tuple[str, ...], tuple[int, float]]:
    """Of each series the number of values and their sum."""
    (histogram,) = (h for h in metrics.histograms if h.name == name)
    return {values: (sum(series.counts), series.total) for values, series in histogram}


def call(
    metrics: RequestMetrics, method: str = INFER, code: str = "OK", model: str = "", vmodel: str = ""
) -> None:
    metrics.api_request(method, code, 2.5, 1000, 500 if code == "OK" else None, model, vmodel)


def test_a_call_from_outside_is_measured_in_time_and_in_bytes() -> None:
    metrics = RequestMetrics()
    call(metrics)
    call(metrics)
    assert told(metrics, API) == {("ModelInfer", "OK"): (2, 5.0)}
    assert told(metrics, REQUEST) == {("ModelInfer", "OK"): (2, 2000)}
    assert told(metrics, RESPONSE) == {("ModelInfer", "OK"): (2, 1000)}


def test_a_call_without_a_response_has_no_size_of_it() -> None:
    metrics = RequestMetrics(known_methods=frozenset({INFER}))
    call(metrics, code="UNAVAILABLE")
    assert told(metrics, REQUEST) == {("ModelInfer", "UNAVAILABLE"): (1, 1000)}
    assert told(metrics, RESPONSE) == {}


def test_calls_to_the_runtime_and_waits_are_measured_apart() -> None:
    metrics = RequestMetrics()
    metrics.invoked(INFER, "OK", 2.0)
    metrics.cache_miss(800)
    metrics.slot_waited(5)
    assert told(metrics, INVOKE) == {("ModelInfer", "OK"): (1, 2.0)}
    assert told(metrics, MISS) == {(): (1, 800.0)}
    assert told(metrics, SLOT) == {(): (1, 5.0)}
    assert told(metrics, API) == {}


def test_the_label_is_the_whole_name_of_the_method_if_asked_for() -> None:
    metrics = RequestMetrics(fq_names=True)
    call(metrics)
    assert list(told(metrics, API)) == [(INFER, "OK")]


def test_methods_of_one_name_share_a_label() -> None:
    metrics = RequestMetrics()
    call(metrics, "a.Service/Predict")
    call(metrics, "b.Service/Predict")
    assert told(metrics, API) == {("Predict", "OK"): (2, 5.0)}


def test_models_are_labels_only_if_asked_for() -> None:
    plain, per_model = RequestMetrics(), RequestMetrics(per_model=True)
    for metrics in (plain, per_model):
        call(metrics, model="iris", vmodel="flowers")
        metrics.cache_miss(800, "iris")
    assert list(told(plain, API)) == [("ModelInfer", "OK")]
    assert list(told(per_model, API)) == [("ModelInfer", "OK", "iris", "flowers")]
    assert list(told(per_model, MISS)) == [("iris", "")]


def test_an_alias_of_no_model_is_no_label() -> None:
    metrics = RequestMetrics(per_model=True)
    call(metrics, model="", vmodel="any word of a client's")
    assert list(told(metrics, API)) == [("ModelInfer", "OK", "", "")]


@pytest.mark.parametrize(
    ("method", "code"),
    [
        pytest.param("", "UNIMPLEMENTED", id="refused"),
        pytest.param("made.Up/Method", "UNIMPLEMENTED", id="refused by the runtime"),
        pytest.param("made.Up/Method", "CANCELLED", id="cancelled at once"),
    ],
)
def test_a_method_that_may_be_made_up_is_no_label(method: str, code: str) -> None:
    metrics = RequestMetrics()
    call(metrics, method, code)
    metrics.invoked(method, code, 1.0)
    assert list(told(metrics, API)) == list(told(metrics, INVOKE)) == [("unknown", code)]


def test_a_method_is_a_label_once_a_call_has_proved_it() -> None:
    metrics = RequestMetrics()
    call(metrics, code="UNAVAILABLE")
    call(metrics, code="OK")
    call(metrics, code="UNAVAILABLE")
    assert set(told(metrics, API)) == {
        ("unknown", "UNAVAILABLE"),
        ("ModelInfer", "OK"),
        ("ModelInfer", "UNAVAILABLE"),
    }


def test_a_code_that_is_none_is_unknown() -> None:
    metrics = RequestMetrics()
    call(metrics, code="99")
    assert list(told(metrics, API)) == [("ModelInfer", "UNKNOWN")]


def test_methods_beyond_the_bound_share_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_metrics, "METHODS_MAX", 1)
    metrics = RequestMetrics()
    for name in ("A", "B", "C"):
        call(metrics, f"my.Service/{name}")
    assert told(metrics, API) == {("A", "OK"): (1, 2.5), ("other", "OK"): (2, 5.0)}


def test_what_is_not_found_at_once_is_measured_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_metrics, "CALLS_MAX", 1)
    metrics = RequestMetrics(per_model=True)
    for model in ("a", "b", "a", "b"):
        call(metrics, model=model)
        metrics.invoked(INFER, "OK", 1.0, model)
    assert {values[2]: count for values, (count, _) in told(metrics, API).items()} == {"a": 2, "b": 2}
    assert {values[2]: count for values, (count, _) in told(metrics, INVOKE).items()} == {"a": 2, "b": 2}


def test_a_forgotten_model_begins_anew() -> None:
    metrics = RequestMetrics(per_model=True)
    for _ in range(3):
        call(metrics, model="iris")
        metrics.invoked(INFER, "OK", 1.0, "iris")
    metrics.forget("iris")
    assert told(metrics, API) == told(metrics, INVOKE) == {}
    call(metrics, model="iris")
    assert told(metrics, API) == {("ModelInfer", "OK", "iris", ""): (1, 2.5)}


@pytest.mark.parametrize("per_model", [False, True])
def test_all_metrics_of_a_call_cost_a_few_microseconds_at_most(per_model: bool) -> None:
    metrics, rounds = RequestMetrics(per_model=per_model), []
    for _ in range(5):
        began_s = time.process_time()
        for _ in range(2000):
            metrics.api_request(INFER, "OK", 1.3, 1024, 1024, "iris")
            metrics.invoked(INFER, "OK", 1.1, "iris")
        rounds.append((time.process_time() - began_s) / 2000 * 1e6)
    assert min(rounds) < 5  # about 1 on the machine it was written on; the bound is for any that runs tests
