from typing import Any

import pytest

from adapter.controller.manifests.complaints import Complaint
from adapter.controller.manifests.reading import fitted
from adapter.controller.manifests.runtime_shapes import AdapterShape, ContainerShape


@pytest.mark.parametrize("value", ["1Gi", 1, 0.5])
def test_a_quantity_may_be_a_number(value: object) -> None:
    container = {"name": "server", "resources": {"limits": {"memory": value}}}
    assert fitted(ContainerShape, container, at="", complaints=[]) is not None


def test_a_quantity_of_another_kind_is_told_with_its_field() -> None:
    complaints: list[Complaint] = []
    container = {"name": "server", "resources": {"limits": {"memory": True, "cpu": {}}}}
    assert fitted(ContainerShape, container, at="c", complaints=complaints) is None
    assert [each.field for each in complaints] == ["c.resources.limits.memory", "c.resources.limits.cpu"]


@pytest.mark.parametrize("name", ["runtimeManagementPort", "modelLoadingTimeoutMillis"])
def test_zero_is_as_if_it_were_not_written(name: str) -> None:
    read = fitted(AdapterShape, {"serverType": "mlserver", name: 0}, at="", complaints=[])
    assert read == AdapterShape.model_validate({"serverType": "mlserver"})


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"runtimeManagementPort": False}, id="false"),
        pytest.param({"modelLoadingTimeoutMillis": -1}, id="less than nothing"),
        pytest.param({"memBufferBytes": 10**20}, id="more than there is"),
        pytest.param({"env": [{"value": "a"}]}, id="a variable without a name"),
    ],
)
def test_what_is_no_setting_of_an_adapter_is_complained_of(fields: dict[str, Any]) -> None:
    complaints: list[Complaint] = []
    assert fitted(AdapterShape, {"serverType": "mlserver", **fields}, at="", complaints=complaints) is None
    assert len(complaints) == 1
