from typing import Any

import pytest
from hypothesis import given

from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.models import read_model
from adapter.domain.specs import Source
from tests.unit.controller.manifests.written import isvc, json_values, model, plain_isvc, predictor

PLAIN = plain_isvc(model(storageUri="s3://b/p"))


@pytest.mark.parametrize(
    ("manifest", "source"),
    [
        pytest.param(predictor(), Source.PREDICTOR, id="Predictor"),
        pytest.param(isvc(model(storageUri="s3://b/p")), Source.INFERENCE_SERVICE, id="InferenceService"),
    ],
)
def test_both_kinds_are_read(manifest: dict[str, Any], source: Source) -> None:
    read = read_model(manifest)
    assert read is not None
    assert read.source is source


@pytest.mark.parametrize("mode", [None, "Standard", "Knative", "modelmesh", "Other"])
def test_an_inference_service_of_another_mode_is_not_ours(mode: str | None) -> None:
    annotations = {} if mode is None else {"serving.kserve.io/deploymentMode": mode}
    assert read_model(plain_isvc(["even if it is malformed"], annotations)) is None


def test_on_the_local_cluster_each_is_ours() -> None:
    assert read_model(PLAIN, every_mode=True) is not None


def test_on_the_local_cluster_a_model_may_be_in_a_folder() -> None:
    read = read_model(isvc(model(storageUri="file:///models/mnist")), every_mode=True)
    assert read is not None
    assert read.storage is not None
    assert (read.storage.path, read.storage.parameters) == ("/models/mnist", {"type": "local"})
    with pytest.raises(BadManifest, match="unsupported storageUri scheme"):
        read_model(isvc(model(storageUri="file:///models/mnist")))


def test_an_object_of_another_kind_is_refused() -> None:
    with pytest.raises(BadManifest, match="must be InferenceService or Predictor"):
        read_model({**PLAIN, "kind": "Deployment"})


@given(json_values(["kind", "apiVersion", "metadata", "spec"]))
def test_whatever_comes_is_a_model_or_a_bad_manifest(value: Any) -> None:
    whole = value if isinstance(value, dict) else {"kind": value}
    for manifest in (whole, {**PLAIN, **whole}, {**isvc({}), **whole}):
        try:
            read_model(manifest, every_mode=True)
        except BadManifest:
            continue
