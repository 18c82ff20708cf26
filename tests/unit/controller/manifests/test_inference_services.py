from typing import Any

import pytest
from hypothesis import given

from adapter.controller.manifests.blocks import KSERVE_FRAMEWORKS
from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.inference_services import is_modelmesh, read_service
from adapter.domain.records import CopyRules
from adapter.domain.specs import DeploymentMode, ModelFormat, ModelSpec, Source, StorageSpec
from tests.unit.controller.manifests.written import KEY, complaints, isvc, json_values, model, plain_isvc

URI = "s3://modelmesh-example-models/sklearn/mnist-svm.joblib"
FOUND = StorageSpec(
    path="sklearn/mnist-svm.joblib",
    parameters={"type": "s3", "bucket": "modelmesh-example-models"},
    key="localMinIO",
)
NAMES = ["model", "modelFormat", "name", "storageUri", "storage", "path", "predictor", "runtime", "sklearn"]


def read(manifest: dict[str, Any]) -> ModelSpec:
    return read_service(manifest, on_this_machine=True)


def refused(manifest: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BadManifest) as raised:
        read(manifest)
    return complaints(raised.value)


def test_every_field_is_read() -> None:
    manifest = isvc(
        {
            "model": {
                "modelFormat": {"name": "sklearn", "version": "1"},
                "runtime": "mlserver-1.x",
                "protocolVersion": "grpc-v2",
                "storageUri": URI,
                "resources": {"limits": {}},
            },
            "minReplicas": 3,
        },
        {**KEY, "remesh.io/pin": "true"},
    )
    found = read(manifest)
    assert found == ModelSpec(
        identity=found.identity,
        source=Source.INFERENCE_SERVICE,
        format=ModelFormat(name="sklearn", version="1"),
        storage=FOUND,
        runtime="mlserver-1.x",
        protocol="grpc-v2",
        rules=CopyRules(pinned=True),
    )


def test_the_older_schema_means_the_same() -> None:
    assert read(isvc({"sklearn": {"storageUri": URI}}, KEY)) == read(isvc(model(storageUri=URI), KEY))


def test_an_annotation_names_the_runtime_of_the_older_schema() -> None:
    annotations = {"serving.kserve.io/servingRuntime": "mlserver-1.x"}
    assert read(isvc({"sklearn": {"storageUri": URI}}, annotations)).runtime == "mlserver-1.x"
    assert read(plain_isvc({"sklearn": {"storageUri": URI}}, annotations)).runtime is None


def test_an_empty_protocol_and_an_empty_runtime_count_as_none() -> None:
    found = read(isvc(model(storageUri=URI, protocolVersion="", runtime="")))
    assert (found.protocol, found.runtime) == (None, None)


@pytest.mark.parametrize(
    ("told", "mode"),
    [
        ("ModelMesh", DeploymentMode.MODELMESH),
        ("Standard", DeploymentMode.STANDARD),
        ("RawDeployment", DeploymentMode.STANDARD),
        ("", DeploymentMode.STANDARD),
        ("Knative", DeploymentMode.KNATIVE),
        ("Serverless", DeploymentMode.KNATIVE),
    ],
)
def test_each_mode_is_known_by_both_its_names(told: str, mode: DeploymentMode) -> None:
    manifest = plain_isvc(model(storageUri=URI), {"serving.kserve.io/deploymentMode": told})
    assert read(manifest).mode is mode
    assert is_modelmesh(manifest) == (mode is DeploymentMode.MODELMESH)


def test_without_an_annotation_the_mode_is_standard() -> None:
    assert read(plain_isvc(model(storageUri=URI))).mode is DeploymentMode.STANDARD


@pytest.mark.parametrize("name", KSERVE_FRAMEWORKS)
def test_kserve_maps_each_framework_to_its_format(name: str) -> None:
    found = read(plain_isvc({name: {"storageUri": URI}}))
    assert found.format == ModelFormat(name=name)
    assert found.protocol == ("v2" if name in {"triton", "onnx", "huggingface"} else None)


def test_what_modelmesh_passes_over_counts_in_kserves_modes() -> None:
    predictor = {**model(storageUri=URI), "workerSpec": {}}
    assert read(plain_isvc(predictor)).multi_node
    assert not read(isvc(predictor)).multi_node
    assert read(isvc({**predictor, "storageUris": []})).mode is DeploymentMode.MODELMESH


@pytest.mark.parametrize(
    ("manifest", "field", "told"),
    [
        pytest.param(isvc(None), "spec.predictor", "must be an object, not null", id="no predictor"),
        pytest.param(
            isvc({"model": {"storageUri": URI}}),
            "spec.predictor.model.modelFormat",
            "is missing",
            id="no format",
        ),
        pytest.param(
            isvc(model(storageUri=3)), "spec.predictor.model.storageUri", "must be a string", id="3"
        ),
        pytest.param(
            isvc({"sklearn": []}), "spec.predictor.sklearn", "must be an object, not a list", id="list"
        ),
        pytest.param(
            isvc({"sklearn": {"storageUri": "ftp://a/b"}}),
            "spec.predictor.sklearn.storageUri",
            "has an unsupported storageUri scheme, 'ftp'",
            id="a scheme",
        ),
        pytest.param(
            plain_isvc(model(storageUri=URI), {"serving.kserve.io/deploymentMode": "modelmesh"}),
            "metadata.annotations[serving.kserve.io/deploymentMode]",
            "must be ModelMesh, Standard (RawDeployment) or Knative (Serverless), not 'modelmesh'",
            id="a mode",
        ),
        pytest.param(
            plain_isvc(model(storageUri=URI), name="1a.b"),
            "metadata.name",
            "must begin with a letter",
            id="name",
        ),
        pytest.param(
            plain_isvc({**model(storageUri=URI), "storageUris": []}),
            "spec.predictor.storageUris",
            "are not served here",
            id="several places",
        ),
        pytest.param(
            plain_isvc(
                {**model(storageUri=URI), "workerSpec": {}}, {"serving.kserve.io/deploymentMode": "Knative"}
            ),
            "spec.predictor.workerSpec",
            "needs the deployment mode Standard",
            id="workers without Standard",
        ),
        pytest.param(
            plain_isvc({**model(storageUri=URI), "workerSpec": {"pipelineParallelSize": 0}}),
            "spec.predictor.workerSpec.pipelineParallelSize",
            "must be at least 1",
            id="no stages",
        ),
        pytest.param(
            plain_isvc({**model(storageUri=URI), "workerSpec": {"containers": [{}, {}]}}),
            "spec.predictor.workerSpec.containers",
            "must have at most 1 of them",
            id="two workers",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_field(manifest: dict[str, Any], field: str, told: str) -> None:
    found = refused(manifest)
    assert [*found] == [field]
    assert told in found[field]


def test_a_name_that_kserve_refuses_is_modelmeshs() -> None:
    assert read(isvc(model(storageUri=URI), name="1a.b")).identity.name == "1a.b"


def test_every_complaint_comes_at_once() -> None:
    manifest = isvc({"model": {}, "sklearn": {}}, {"remesh.io/minCopies": "x"}, labels={"a": 1})
    assert [*refused(manifest)] == [
        "metadata.labels.a",
        "spec.predictor",
        "spec.predictor.model.modelFormat",
        "spec.predictor.model",
    ]
    manifest["metadata"]["labels"] = {}
    assert "metadata.annotations[remesh.io/minCopies]" in refused(manifest)


@given(json_values(NAMES))
def test_whatever_comes_is_a_model_or_a_bad_manifest(value: Any) -> None:
    for make in (isvc, plain_isvc):
        metadata = {"metadata": {"name": "a", "namespace": "b", "annotations": value}}
        inner = value if isinstance(value, dict) else {"storageUri": value}
        for manifest in (
            make(value),
            make(model(**inner)),
            {**make({}), "spec": value},
            {**make({}), **metadata},
        ):
            try:
                assert read(manifest).storage is not None
            except BadManifest:
                continue
