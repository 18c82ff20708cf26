from typing import Any

import pytest

from adapter.controller.manifests.complaints import Complaint
from adapter.controller.manifests.identity import read_identity
from adapter.domain.kinds import CLUSTER_SERVING_RUNTIME, PREDICTOR
from adapter.domain.specs import Identity

WHOLE = {
    "name": "iris",
    "namespace": "models",
    "uid": "1-2",
    "generation": 3,
    "creationTimestamp": "2026-01-02T03:04:05Z",
    "labels": {"a": "b"},
    "annotations": {"c": "d"},
}


def test_what_names_an_object_is_read() -> None:
    assert read_identity({"metadata": WHOLE}, PREDICTOR, []) == Identity(
        name="iris",
        namespace="models",
        uid="1-2",
        generation=3,
        created="2026-01-02T03:04:05Z",
        labels={"a": "b"},
        annotations={"c": "d"},
    )


def test_an_object_that_waits_for_its_finalizers_is_to_go() -> None:
    manifest = {"metadata": {**WHOLE, "deletionTimestamp": "2026-01-02T03:04:06Z"}}
    identity = read_identity(manifest, PREDICTOR, [])
    assert identity is not None
    assert identity.deleted


def test_what_is_in_no_namespace_has_none() -> None:
    identity = read_identity({"metadata": WHOLE}, CLUSTER_SERVING_RUNTIME, [])
    assert identity is not None
    assert identity.namespace == ""


def test_what_only_the_api_server_writes_is_never_complained_of() -> None:
    manifest = {"metadata": {**WHOLE, "uid": 1, "generation": True, "creationTimestamp": []}}
    identity = read_identity(manifest, PREDICTOR, [])
    assert identity is not None
    assert (identity.uid, identity.generation, identity.created) == ("", 0, "")


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        pytest.param(None, "metadata.name", id="none"),
        pytest.param([], "metadata", id="no object"),
        pytest.param({"namespace": "models"}, "metadata.name", id="no name"),
        pytest.param({"name": "Iris", "namespace": "models"}, "metadata.name", id="a bad name"),
        pytest.param({"name": "iris"}, "metadata.namespace", id="no namespace"),
        pytest.param({**WHOLE, "annotations": {"pin": True}}, "metadata.annotations.pin", id="an annotation"),
    ],
)
def test_what_names_nothing_is_complained_of(metadata: Any, field: str) -> None:
    complaints: list[Complaint] = []
    assert read_identity({"metadata": metadata}, PREDICTOR, complaints) is None
    assert [each.field for each in complaints] == [field]
