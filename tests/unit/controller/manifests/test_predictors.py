from typing import Any

import pytest
from hypothesis import given

from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.predictors import read_predictor
from adapter.domain.records import CopyRules
from adapter.domain.specs import LegacyS3, ModelFormat, ModelSpec, Source, StorageSpec
from tests.unit.controller.manifests.written import complaints, json_values, predictor

NAMES = [
    "modelType",
    "name",
    "path",
    "schemaPath",
    "storage",
    "s3",
    "secretKey",
    "key",
    "parameters",
    "runtime",
]


def test_every_field_is_read() -> None:
    read = read_predictor(
        predictor(
            {"remesh.io/minCopies": "2"},
            modelType={"name": "onnx", "version": "1"},
            storage={"path": "a", "schemaPath": "b", "parameters": {"bucket": "c"}, "key": "d"},
            runtime={"name": "triton-2.x"},
            protocolVersion="grpc-v2",
            gpu="required",
            serviceAccountName="me",
        )
    )
    assert read == ModelSpec(
        identity=read.identity,
        source=Source.PREDICTOR,
        format=ModelFormat(name="onnx", version="1"),
        storage=StorageSpec(path="a", schema_path="b", parameters={"bucket": "c"}, key="d"),
        runtime="triton-2.x",
        protocol="grpc-v2",
        gpu="required",
        service_account="me",
        rules=CopyRules(copies_min=2),
    )


def test_the_deprecated_places_are_kept_where_they_are() -> None:
    s3 = {"secretKey": "localMinIO", "bucket": "b"}
    read = read_predictor(predictor(path="p", schemaPath="s", storage={"s3": s3}))
    assert (read.path, read.schema_path) == ("p", "s")
    assert read.storage == StorageSpec(s3=LegacyS3(secret_key="localMinIO", bucket="b"))


def test_without_storage_there_is_none() -> None:
    assert read_predictor(predictor(path="p")).storage is None
    assert read_predictor(predictor(storage={})).storage == StorageSpec()


@pytest.mark.parametrize("name", [{"runtime": {"name": ""}}, {"runtime": {}}, {"runtime": None}])
def test_an_empty_runtime_counts_as_none(name: dict[str, Any]) -> None:
    assert read_predictor(predictor(**name)).runtime is None


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param(
            {"path": "a", "storage": {"path": "b"}},
            "Only one of spec.path and spec.storage.path can be specified",
            id="two paths",
        ),
        pytest.param(
            {"schemaPath": "a", "storage": {"schemaPath": "b"}},
            "Only one of spec.schemaPath and spec.storage.schemaPath can be specified",
            id="two schemas",
        ),
        pytest.param(
            {"storage": {"persistentVolumeClaim": {"claimName": "c"}}},
            "spec.storage.PersistentVolumeClaim is not supported",
            id="a claim",
        ),
        pytest.param(
            {"storage": {"s3": {"secretKey": "k"}, "key": "k"}},
            "spec.storage.s3 cannot be specified with any other keys in spec.storage",
            id="s3 and more",
        ),
    ],
)
def test_contradictions_are_told_in_modelmeshs_words(spec: dict[str, Any], told: str) -> None:
    with pytest.raises(BadManifest) as raised:
        read_predictor(predictor(**spec))
    assert str(raised.value) == told


def test_every_complaint_comes_at_once() -> None:
    manifest = predictor(
        {"remesh.io/pin": "perhaps"}, modelType={}, gpu="some", storage={"parameters": {"a": 1}}
    )
    with pytest.raises(BadManifest) as raised:
        read_predictor(manifest)
    assert complaints(raised.value) == {
        "metadata.annotations[remesh.io/pin]": "must be true or false, not 'perhaps'",
        "spec.modelType.name": "is missing",
        "spec.storage.parameters.a": "must be a string, not a number; put it in quotes",
        "spec.gpu": "must be 'required' or 'preferred'",
    }


@given(json_values(NAMES))
def test_whatever_comes_is_a_model_or_a_bad_manifest(value: Any) -> None:
    fields = value if isinstance(value, dict) else {"modelType": value}
    for manifest in ({**predictor(), "spec": value}, predictor(**fields), {**predictor(), "metadata": value}):
        try:
            assert read_predictor(manifest).identity.name == "example"
        except BadManifest:
            continue
