import pytest

from adapter.cli.asked_for import Asked, asked_for, labels_of
from adapter.domain.errors import InvalidRequest
from adapter.domain.kinds import CLUSTER_SERVING_RUNTIME, INFERENCE_SERVICE, PREDICTOR, SERVING_RUNTIME


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        pytest.param(["isvc"], [Asked(kind=INFERENCE_SERVICE)], id="a type"),
        pytest.param(["isvc", "a", "b"], [Asked(kind=INFERENCE_SERVICE, names=("a", "b"))], id="names"),
        pytest.param(
            ["sr,csr"], [Asked(kind=SERVING_RUNTIME), Asked(kind=CLUSTER_SERVING_RUNTIME)], id="types"
        ),
        pytest.param(
            ["isvc/a", "predictor/b"],
            [Asked(kind=INFERENCE_SERVICE, names=("a",)), Asked(kind=PREDICTOR, names=("b",))],
            id="both in a word",
        ),
    ],
)
def test_words_are_read_as_kubectl_reads_them(words: list[str], asked: list[Asked]) -> None:
    assert asked_for(words) == asked


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "must specify the type"),
        (["pods"], "doesn't have a resource type"),
        (["isvc", "isvc/a"], "no need to specify"),
    ],
)
def test_what_cannot_be_meant_is_told(words: list[str], complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        asked_for(words)


def test_keys_are_in_the_namespace_if_there_is_one() -> None:
    assert [key.namespace for key in Asked(kind=PREDICTOR, names=("a",)).keys("ns")] == ["ns"]
    assert [key.namespace for key in Asked(kind=CLUSTER_SERVING_RUNTIME, names=("a",)).keys("ns")] == [""]


def test_selectors_are_labels() -> None:
    assert labels_of("a=b,c==d,") == {"a": "b", "c": "d"}
    for bad in ("a", "a!=b", "=b"):
        with pytest.raises(InvalidRequest, match="NAME=VALUE"):
            labels_of(bad)
