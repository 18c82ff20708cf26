"""Reviews of the tests of webhooks."""

from typing import Any, Final

NAMESPACE: Final = "serving"


def a_runtime(name: str = "mine", *, kind: str = "ServingRuntime", **spec: Any) -> dict[str, Any]:
    """One that is sound: multi-model, with a built-in adapter."""
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "multiModel": True,
            "supportedModelFormats": [{"name": "sklearn", "version": "0", "autoSelect": True}],
            "protocolVersions": ["grpc-v2"],
            "containers": [{"name": "mlserver", "image": "mlserver"}],
            "builtInAdapter": {"serverType": "mlserver"},
            **spec,
        },
    }


def annotated(manifest: dict[str, Any], **annotations: str) -> dict[str, Any]:
    """With annotations of `serving.kserve.io`; underscores stand for dashes."""
    named = {f"serving.kserve.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": named}}


def a_review(
    manifest: dict[str, Any], old: dict[str, Any] | None = None, *, namespace: str = NAMESPACE
) -> dict[str, Any]:
    """As the API server sends it, with the namespace beside the object."""
    request = {
        "uid": "a-uid",
        "operation": "CREATE" if old is None else "UPDATE",
        "namespace": namespace,
        "object": manifest,
        "oldObject": old,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
