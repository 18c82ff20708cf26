from typing import Any

import pytest

from adapter.controller.statuses.registering import loads_now, model_key, model_path, registration
from adapter.controller.statuses.standing import Failure, ModelState, Standing
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules, ModelInfo
from adapter.domain.specs import Identity, LegacyS3, ModelFormat, Source, StorageSpec
from adapter.mesh.vmodels import SetVModel
from tests.unit.controller.statuses.status_builders import a_model

S = ModelState
WAITING = Failure(reason="RuntimeUnhealthy")


def test_an_isvc_is_registered_under_modelmesh_s_id() -> None:
    rules = CopyRules(copies_min=2)
    assert registration(a_model(rules=rules), "mt:sklearn", load_now=True) == SetVModel(
        vmodel="mnist",
        target=ModelId("mnist__isvc-6b2eb0b8bf"),
        info=ModelInfo(
            type="mt:sklearn",
            path="sklearn/mnist-svm.joblib",
            key='{"storage_key":"localMinIO","model_type":{"name":"sklearn"}}',
        ),
        auto_delete=True,
        load_now=True,
        owner="isvc",
        rules=rules,
    )


def test_a_predictor_is_registered_under_its_own_source() -> None:
    model = a_model(
        source=Source.PREDICTOR,
        path="sklearn/mnist-svm.joblib",
        storage=StorageSpec(s3=LegacyS3(secret_key="localMinIO")),
    )
    asked = registration(model, "mt:sklearn", load_now=False)
    assert (asked.owner, asked.target) == ("ksp", "mnist__ksp-7702c1b55a")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        pytest.param({"storage": None}, '{"model_type":{"name":"sklearn"}}', id="no storage"),
        pytest.param(
            {"format": ModelFormat(name="sklearn", version="0")},
            '{"storage_key":"localMinIO","model_type":{"name":"sklearn","version":"0"}}',
            id="a version",
        ),
        pytest.param(
            {
                "storage": StorageSpec(
                    path="p", parameters={"type": "pvc", "name": "a<b>&c"}, schema_path="s.json"
                )
            },
            '{"storage_params":{"name":"a\\u003cb\\u003e\\u0026c","type":"pvc"},'
            '"model_type":{"name":"sklearn"},"schema_path":"s.json"}',
            id="parameters are sorted, and written as Go writes them",
        ),
        pytest.param(
            {"storage": StorageSpec(s3=LegacyS3(secret_key="k", bucket="b")), "schema_path": "old.json"},
            '{"storage_key":"k","storage_params":{"bucket":"b"},'
            '"model_type":{"name":"sklearn"},"schema_path":"old.json"}',
            id="the deprecated places",
        ),
        pytest.param(
            {"storage": StorageSpec(key="new", s3=LegacyS3(secret_key="old"))},
            '{"storage_key":"new","model_type":{"name":"sklearn"}}',
            id="the key before the deprecated one",
        ),
    ],
)
def test_the_key_is_modelmesh_s_to_the_byte(changes: dict[str, Any], key: str) -> None:
    assert model_key(a_model(**changes)) == key


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        pytest.param({"storage": StorageSpec(path="new")}, "new", id="storage.path"),
        pytest.param({"storage": StorageSpec(key="k"), "path": "old"}, "old", id="path"),
        pytest.param({"storage": None, "path": "old"}, "old", id="path without storage (D17)"),
        pytest.param({"storage": None}, "", id="none"),
    ],
)
def test_the_path_is_the_one_that_was_written(changes: dict[str, Any], path: str) -> None:
    assert model_path(a_model(**changes)) == path


@pytest.mark.parametrize(
    ("standing", "now"),
    [
        pytest.param(Standing(), True, id="pending"),
        pytest.param(Standing(active=S.FAILED), True, id="failed"),
        pytest.param(Standing(active=S.LOADED, target=S.LOADING), True, id="a target is shown"),
        pytest.param(Standing(active=S.LOADING, failure=WAITING), True, id="waiting for a runtime"),
        pytest.param(Standing(active=S.LOADING), False, id="loading"),
        pytest.param(Standing(active=S.LOADED), False, id="loaded"),
        pytest.param(Standing(active=S.STANDBY), False, id="standing by"),
        pytest.param(Standing(active=S.STANDBY, failure=WAITING), False, id="standing by without a pod"),
    ],
)
def test_it_is_loaded_now(standing: Standing, now: bool) -> None:
    assert loads_now(a_model(), standing) is now
    assert not loads_now(a_model(identity=Identity(name="mnist", deleted=True)), standing)
