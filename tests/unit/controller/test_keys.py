import pytest

from adapter.controller.keys import ModelKey, NamespaceKey, RuntimeKey, WorkKey
from adapter.domain.kinds import INFERENCE_SERVICE, PREDICTOR, Key, Kind
from adapter.domain.specs import Source


@pytest.mark.parametrize(
    ("source", "kind"), [(Source.PREDICTOR, PREDICTOR), (Source.INFERENCE_SERVICE, INFERENCE_SERVICE)]
)
def test_a_model_says_what_declares_it(source: Source, kind: Kind) -> None:
    assert ModelKey(source, "ns", "iris").object == Key(kind=kind, name="iris", namespace="ns")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (ModelKey(Source.PREDICTOR, "ns", "iris"), "ksp_ns/iris"),
        (ModelKey(Source.INFERENCE_SERVICE, "ns", "iris"), "isvc_ns/iris"),
        (RuntimeKey("ns", "mlserver"), "runtime ns/mlserver"),
        (NamespaceKey("ns"), "namespace ns"),
    ],
    ids=["a Predictor", "an InferenceService", "a runtime", "a namespace"],
)
def test_a_log_line_says_what_it_is_about(key: WorkKey, text: str) -> None:
    assert str(key) == text


def test_two_models_of_one_name_are_looked_at_apart() -> None:
    assert len({ModelKey(source, "ns", "iris") for source in Source}) == len(Source)
