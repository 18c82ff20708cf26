import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.controller.manifests.models import read_model
from adapter.controller.manifests.spec_hash import canonical_json, spec_hash, target_id
from adapter.domain.specs import Identity, ModelFormat, ModelSpec, Source, StorageSpec
from tests.unit.controller.manifests.written import KEY, isvc, model, predictor

MNIST = "sklearn/mnist-svm.joblib"
CLAIM = {"type": "pvc", "name": "my-models-pvc"}


def legacy(name: str, path: str) -> dict[str, Any]:
    return predictor(modelType={"name": name}, path=path, storage={"s3": {"secretKey": "localMinIO"}})


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(legacy("sklearn", MNIST), "example__ksp-7702c1b55a", id="sklearn"),
        pytest.param(legacy("keras", "keras/mnist.h5"), "example__ksp-f3ccc51d50", id="keras"),
        pytest.param(legacy("lightgbm", "lightgbm/mushroom.bst"), "example__ksp-297b372253", id="lightgbm"),
        pytest.param(legacy("onnx", "onnx/mnist.onnx"), "example__ksp-0dbc77db1a", id="onnx"),
        pytest.param(legacy("pytorch", "pytorch/cifar"), "example__ksp-d2b754f2bf", id="pytorch"),
        pytest.param(
            legacy("tensorflow", "tensorflow/mnist.savedmodel"), "example__ksp-c3597b719f", id="tensorflow"
        ),
        pytest.param(legacy("xgboost", "xgboost/mushroom.json"), "example__ksp-f624b27e99", id="xgboost"),
        pytest.param(
            isvc(model(storage={"key": "localMinIO", "path": MNIST})),
            "example__isvc-6b2eb0b8bf",
            id="storage",
        ),
        pytest.param(
            isvc({"sklearn": {"storageUri": f"s3://modelmesh-example-models/{MNIST}"}}, KEY),
            "example__isvc-3642375d03",
            id="a URI",
        ),
        pytest.param(
            isvc(model(storage={"parameters": CLAIM, "path": MNIST})),
            "example__isvc-3d2daa3370",
            id="a claim",
        ),
        pytest.param(
            isvc(
                model(
                    modelFormat={"name": "custom-model"},
                    runtime="my-custom-model-0.x",
                    storage={"parameters": CLAIM, "path": "mnist-svm.joblib"},
                )
            ),
            "example__isvc-72fbffc584",
            id="a runtime",
        ),
        pytest.param(
            isvc(model(protocolVersion="v1", storageUri="s3://model-serving-scikit/v4/model.pkl"), KEY),
            "example__isvc-b789ab6f4a",
            id="a protocol",
        ),
    ],
)
def test_ids_are_modelmeshs(manifest: dict[str, Any], expected: str) -> None:
    spec = read_model(manifest)
    assert spec is not None
    assert target_id(spec) == expected


def spec(**fields: Any) -> ModelSpec:
    return ModelSpec(
        identity=Identity(name="a"), source=Source.PREDICTOR, format=ModelFormat(name="sklearn"), **fields
    )


def test_members_come_in_modelmeshs_order_and_parameters_sorted() -> None:
    whole = spec(
        storage=StorageSpec(path="p", schema_path="s", parameters={"type": "s3", "bucket": "b"}, key="k"),
        schema_path="x",
        runtime="r",
        protocol="v2",
        gpu="required",
        service_account="me",
    )
    assert canonical_json(whole) == (
        '{"serviceAccountName":"me","modelType":{"name":"sklearn"},"path":"","schemaPath":"x",'
        '"storage":{"path":"p","schemaPath":"s","parameters":{"bucket":"b","type":"s3"},"key":"k"},'
        '"gpu":"required","runtime":{"name":"r"},"protocolVersion":"v2"}'
    )


@pytest.mark.parametrize(
    ("path", "written"),
    [
        pytest.param("a<b>&c", r"a\u003cb\u003e\u0026c", id="HTML"),
        pytest.param("\u2028\u2029", r"\u2028\u2029", id="line ends"),
        pytest.param("ä\x7f", "ä\x7f", id="as it is"),
        pytest.param('"\\\n\x01', r"\"\\\n\u0001", id="control characters"),
        pytest.param("\ud800", "\ufffd", id="half a character"),
    ],
)
def test_texts_are_escaped_as_go_does(path: str, written: str) -> None:
    assert canonical_json(spec(path=path)) == f'{{"modelType":{{"name":"sklearn"}},"path":"{written}"}}'


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_every_spec_has_a_hash_and_the_text_means_the_spec(path: str, parameters: dict[str, str]) -> None:
    whole = spec(path=path, storage=StorageSpec(parameters=parameters))
    assert re.fullmatch("[0-9a-f]{10}", spec_hash(whole))
    read = json.loads(canonical_json(whole))
    assert (read["path"], read["storage"]["parameters"]) == (path, parameters)
