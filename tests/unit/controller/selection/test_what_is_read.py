"""What selection takes from a runtime's manifest."""

from typing import Any

import pytest

from adapter.controller.manifests.complaints import BadManifest
from adapter.controller.manifests.runtimes import read_runtime
from adapter.domain.specs import RuntimeSpec

CONTAINERS = [{"name": "kserve-container", "image": "server"}]


def read(**spec: Any) -> RuntimeSpec:
    return read_runtime(
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ClusterServingRuntime",
            "metadata": {"name": "a-runtime"},
            "spec": spec,
        }
    )


@pytest.mark.parametrize(
    ("spec", "disabled"),
    [
        pytest.param({}, False, id="row 20, unset"),
        pytest.param({"disabled": True}, True, id="row 20, true"),
    ],
)
def test_a_runtime_is_enabled_unless_it_says_otherwise(spec: dict[str, Any], *, disabled: bool) -> None:
    assert read(containers=CONTAINERS, **spec).disabled is disabled


@pytest.mark.parametrize(
    ("spec", "multi_model"),
    [
        pytest.param({}, False, id="row 21, unset"),
        pytest.param({"multiModel": True}, True, id="row 21, true"),
    ],
)
def test_a_runtime_serves_single_models_unless_it_says_otherwise(
    spec: dict[str, Any], *, multi_model: bool
) -> None:
    assert read(containers=CONTAINERS, **spec).multi_model is multi_model


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param({}, "spec.containers", id="row 22"),
        pytest.param({"containers": CONTAINERS, "workerSpec": {}}, "spec.workerSpec.containers", id="row 23"),
    ],
)
def test_a_runtime_without_containers_is_invalid(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(BadManifest) as refused:
        read(**spec)
    assert [complaint.field for complaint in refused.value.complaints] == [field]


def test_row_24_a_runtime_of_several_nodes() -> None:
    assert read(containers=CONTAINERS, workerSpec={"containers": CONTAINERS}).multi_node
