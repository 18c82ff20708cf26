from typing import Any

import pytest

from adapter.cluster.local_kinds import KindUnknown, NotAnObject, checked, kind_named, kind_of
from adapter.domain.kinds import CLUSTER_SERVING_RUNTIME, INFERENCE_SERVICE, PREDICTOR, SERVING_RUNTIME, Kind


def isvc(**changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris"},
        "spec": {},
        **changes,
    }


def secret(**parts: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "storage-config"}, **parts}


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("isvc", INFERENCE_SERVICE),
        ("InferenceServices", INFERENCE_SERVICE),
        ("inferenceservice.serving.kserve.io", INFERENCE_SERVICE),
        ("predictor", PREDICTOR),
        ("sr", SERVING_RUNTIME),
        ("clusterservingruntimes", CLUSTER_SERVING_RUNTIME),
        ("predictors.example.com", None),
        ("pods", None),
        ("", None),
    ],
)
def test_kinds_go_by_many_words(word: str, kind: Kind | None) -> None:
    assert kind_named(word) == kind


def test_an_object_is_in_the_namespace_that_it_names_or_else_in_the_usual_one() -> None:
    key, whole = checked(isvc(), namespace="here")
    assert (key.name, key.namespace) == ("iris", "here")
    assert whole["metadata"]["namespace"] == "here"
    assert (
        checked(isvc(metadata={"name": "iris", "namespace": "there"}), namespace="here")[0].namespace
        == "there"
    )


def test_what_is_in_no_namespace_gets_none() -> None:
    runtime = isvc(
        apiVersion="serving.kserve.io/v1alpha1",
        kind="ClusterServingRuntime",
        metadata={"name": "r", "namespace": "x"},
    )
    key, whole = checked(runtime, namespace="here")
    assert key.namespace == ""
    assert "namespace" not in whole["metadata"]


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        pytest.param({}, "apiVersion, kind", id="nothing"),
        pytest.param(isvc(apiVersion=["v1"]), "apiVersion, kind", id="a version that is a list"),
        pytest.param(isvc(apiVersion="serving.kserve.io/v1"), "v1beta1, not", id="another version"),
        pytest.param(isvc(metadata=None), "metadata: must be", id="no metadata"),
        pytest.param(isvc(metadata={}), "metadata.name", id="no name"),
        pytest.param(isvc(metadata={"name": "A/../b"}), "metadata.name", id="a name that is a path"),
        pytest.param(isvc(metadata={"name": "a" * 250}), "metadata.name", id="a long name"),
        pytest.param(isvc(metadata={"name": "a", "namespace": "A"}), "metadata.namespace", id="a namespace"),
        pytest.param(isvc(metadata={"name": "a", "labels": {"a": 1}}), "metadata.labels", id="labels"),
        pytest.param(
            isvc(metadata={"name": "a", "annotations": []}), "metadata.annotations", id="annotations"
        ),
        pytest.param(isvc(spec="x"), "spec: must be", id="no spec"),
        pytest.param(secret(data={"a": "%"}), "data.a: is not base64", id="no base64"),
        pytest.param(secret(stringData={"a": {}}), "stringData: must be", id="no text"),
    ],
)
def test_what_cannot_be_kept_is_told(manifest: dict[str, Any], complaint: str) -> None:
    with pytest.raises(NotAnObject, match=complaint):
        checked(manifest, namespace="default")


def test_every_complaint_is_made_at_once() -> None:
    with pytest.raises(NotAnObject, match=r"metadata.name.*; .*labels.*; spec"):
        checked(isvc(metadata={"labels": 7}, spec=None), namespace="default")


def test_a_kind_of_somebody_else_is_told_apart() -> None:
    with pytest.raises(KindUnknown, match="no Deployment of apps/v1"):
        kind_of({"apiVersion": "apps/v1", "kind": "Deployment"})


def test_what_a_secret_says_in_plain_text_is_kept_encoded() -> None:
    _, whole = checked(secret(stringData={"a": "b"}, data={"c": "ZA=="}), namespace="default")
    assert whole["data"] == {"a": "Yg==", "c": "ZA=="}
    assert "stringData" not in whole
