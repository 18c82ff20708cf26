"""Manifests as people write them, and as nobody should."""

from typing import Any

from hypothesis import strategies as st

from adapter.controller.manifests.complaints import BadManifest
from adapter.domain.kinds import SERVING

KEY = {"serving.kserve.io/secretKey": "localMinIO"}
MODELMESH = {"serving.kserve.io/deploymentMode": "ModelMesh"}


def metadata(annotations: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"name": "example", "namespace": "models", "annotations": annotations, **more}


def isvc(predictor: Any, annotations: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Of ModelMesh's mode."""
    return plain_isvc(predictor, {**MODELMESH, **(annotations or {})}, **more)


def plain_isvc(predictor: Any, annotations: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{SERVING}/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata(annotations or {}, **more),
        "spec": {"predictor": predictor},
    }


def predictor(annotations: dict[str, str] | None = None, /, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{SERVING}/v1alpha1",
        "kind": "Predictor",
        "metadata": metadata(annotations or {}),
        "spec": {"modelType": {"name": "sklearn"}, **spec},
    }


def runtime(annotations: dict[str, str] | None = None, /, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{SERVING}/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": metadata(annotations or {}),
        "spec": {"containers": [{"name": "server", "image": "server:1"}], **spec},
    }


def cluster_runtime(**spec: Any) -> dict[str, Any]:
    return {**runtime(**spec), "kind": "ClusterServingRuntime", "metadata": {"name": "example"}}


def model(**fields: Any) -> dict[str, Any]:
    """A `spec.predictor` of the new schema."""
    return {"model": {"modelFormat": {"name": "sklearn"}, **fields}}


def complaints(error: BadManifest) -> dict[str, str]:
    """By field."""
    return {complaint.field: complaint.text for complaint in error.complaints}


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["sklearn", "s3://b/p", "pvc://[", "http://h", "port:8085", "unix:/a/b", "{{.Name}}"])
)


def json_values(names: list[str]) -> st.SearchStrategy[Any]:
    """Whatever JSON there is, with these names often at the places of names."""
    keys = st.sampled_from(names) | st.text(max_size=8)
    return st.recursive(
        _LEAVES,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=5),
        max_leaves=25,
    )
