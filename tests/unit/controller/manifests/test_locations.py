from typing import Any

import pytest

from adapter.controller.manifests.complaints import Complaint
from adapter.controller.manifests.locations import read_location
from adapter.controller.manifests.model_shapes import ModelShape
from adapter.domain.specs import StorageSpec

ANNOTATIONS = {"serving.kserve.io/secretKey": "annotated", "serving.kserve.io/schemaPath": "annotated.json"}


def location(
    fields: dict[str, Any], complaints: list[Complaint], annotations: dict[str, str] | None = None
) -> StorageSpec | None:
    read = ModelShape.model_validate(fields)
    return read_location(
        read, annotations or {}, at="spec.predictor.model", on_this_machine=False, complaints=complaints
    )


@pytest.mark.parametrize(
    ("fields", "annotations", "storage"),
    [
        pytest.param(
            {"storageUri": "s3://b/p"},
            {},
            StorageSpec(path="p", parameters={"type": "s3", "bucket": "b"}),
            id="a URI",
        ),
        pytest.param(
            {"storage": {"path": "p", "key": "k", "schemaPath": "s"}},
            ANNOTATIONS,
            StorageSpec(path="p", parameters={}, key="k", schema_path="s"),
            id="storage wins over annotations",
        ),
        pytest.param(
            {"storage": {"path": "p"}},
            ANNOTATIONS,
            StorageSpec(path="p", parameters={}, key="annotated", schema_path="annotated.json"),
            id="annotations",
        ),
        pytest.param(
            {"storageUri": "s3://b/p", "storage": {"key": "k", "parameters": {"bucket": "c", "region": "r"}}},
            {},
            StorageSpec(path="p", parameters={"type": "s3", "bucket": "b", "region": "r"}, key="k"),
            id="a URI wins over parameters",
        ),
    ],
)
def test_a_location_is_storage(
    fields: dict[str, Any], annotations: dict[str, str], storage: StorageSpec
) -> None:
    assert location(fields, [], annotations) == storage


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param(
            {}, "spec.predictor.model: must have either the storageUri or the storage.path", id="neither"
        ),
        pytest.param(
            {"storage": {"key": "k"}},
            "spec.predictor.model: must have either the storageUri or the storage.path",
            id="a key",
        ),
        pytest.param(
            {"storageUri": "s3://b/p", "storage": {"path": "p"}},
            "spec.predictor.model: cannot have both the storageUri and the storage.path",
            id="both",
        ),
        pytest.param(
            {"storageUri": "s3:///p"},
            "spec.predictor.model.storageUri: must name the bucket: s3://BUCKET/PATH",
            id="bad",
        ),
    ],
)
def test_what_is_no_location_is_complained_of(fields: dict[str, Any], told: str) -> None:
    complaints: list[Complaint] = []
    assert location(fields, complaints) is None
    assert [*map(str, complaints)] == [told]
