from typing import Any

import pytest

from adapter.controller.manifests.blocks import (
    KSERVE_FRAMEWORKS,
    MODELMESH_FRAMEWORKS,
    Block,
    block_of,
    kserve_protocol,
)
from adapter.controller.manifests.complaints import Complaint
from adapter.controller.manifests.model_shapes import ServiceShape
from adapter.domain.specs import DeploymentMode, Identity

MODELMESH, STANDARD = DeploymentMode.MODELMESH, DeploymentMode.STANDARD


def block(mode: DeploymentMode, fields: dict[str, Any], **annotations: str) -> tuple[str | None, list[str]]:
    """The name of the block that counts, and what is complained of."""
    complaints: list[Complaint] = []
    service = ServiceShape.model_validate(fields)
    named = {f"serving.kserve.io/{name}": value for name, value in annotations.items()}
    found = block_of(mode, service, Identity(name="a", annotations=named), complaints)
    return (None if found is None else found.name), [*map(str, complaints)]


@pytest.mark.parametrize("mode", DeploymentMode)
def test_the_new_schema_counts_in_every_mode(mode: DeploymentMode) -> None:
    assert block(mode, {"model": {"storageUri": "s3://b/p"}}) == ("model", [])


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        *((MODELMESH, name) for name in MODELMESH_FRAMEWORKS),
        *((STANDARD, name) for name in KSERVE_FRAMEWORKS),
    ],
)
def test_a_framework_of_the_older_schema_counts(mode: DeploymentMode, name: str) -> None:
    assert block(mode, {name: {}}) == (name, [])


def test_modelmesh_takes_the_first_of_several_frameworks() -> None:
    assert block(MODELMESH, {"sklearn": {}, "xgboost": {}, "lightgbm": {}}) == ("xgboost", [])


@pytest.mark.parametrize("name", ["paddle", "huggingface"])
def test_modelmesh_does_not_know_every_framework(name: str) -> None:
    found, (told,) = block(MODELMESH, {name: {}})
    assert found is None
    assert "no valid InferenceService predictor framework found" in told


def test_modelmesh_takes_no_model_beside_a_framework() -> None:
    _, (told,) = block(MODELMESH, {"model": {}, "sklearn": {}})
    assert "cannot have both the model spec and a framework spec" in told


def test_modelmesh_takes_no_annotation_for_the_runtime_beside_a_model() -> None:
    _, (told,) = block(MODELMESH, {"model": {}}, servingRuntime="mlserver-1.x")
    assert told.startswith(
        "metadata.annotations[serving.kserve.io/servingRuntime]: cannot have both the model"
    )
    assert "the model spec and the runtime annotation" in told
    assert block(MODELMESH, {"sklearn": {}}, servingRuntime="mlserver-1.x") == ("sklearn", [])


@pytest.mark.parametrize("fields", [{}, {"sklearn": {}, "onnx": {}}, {"model": {}, "onnx": {}}])
def test_kserve_takes_exactly_one(fields: dict[str, Any]) -> None:
    found, (told,) = block(STANDARD, fields)
    assert found is None
    assert "exactly one of [sklearn, " in told
    assert told.endswith("] must be specified in PredictorSpec")


def test_a_container_of_ones_own_is_told_what_it_is_here() -> None:
    _, (told,) = block(STANDARD, {"containers": [{"name": "kserve-container"}]})
    assert told.endswith("a server of one's own is a ServingRuntime here, which model.runtime names")


def test_kserve_takes_no_name_in_a_block() -> None:
    _, (told,) = block(STANDARD, {"sklearn": {"name": "a"}})
    assert told == "spec.predictor.sklearn.name: the 'name' field is not allowed in standard predictor"
    assert block(MODELMESH, {"sklearn": {"name": "a"}}) == ("sklearn", [])


@pytest.mark.parametrize(
    ("name", "format_name", "protocol"),
    [
        *((old, old, "v2") for old in ("triton", "onnx", "huggingface")),
        *((old, old, None) for old in ("sklearn", "tensorflow", "pytorch", "pmml", "paddle")),
        ("model", "triton", "v2"),
        ("model", "vLLM", "v2"),
        ("model", "onnx", None),
        ("model", "huggingface", None),
    ],
)
def test_some_formats_have_a_protocol_by_default(name: str, format_name: str, protocol: str | None) -> None:
    assert kserve_protocol(Block(name=name, content={}), format_name) == protocol
