from dataclasses import replace
from typing import get_args

import pytest

from adapter.controller.desired.ways import DRIVEN, Way, way_of
from adapter.domain.specs import BuiltInAdapter
from adapter.instance.settings import RuntimeKind
from tests.unit.controller.desired.examples import RUNTIMES


@pytest.mark.parametrize(
    ("server_type", "helper_disabled", "way"),
    [
        pytest.param("mlserver", False, Way.DRIVEN, id="a server that we drive"),
        pytest.param("python", True, Way.DRIVEN, id="the helper says nothing then"),
        pytest.param("ovms", False, Way.FOREIGN_ADAPTER, id="a server that we do not drive"),
        pytest.param(None, False, Way.PULLED, id="a runtime with the SPI"),
        pytest.param(None, True, Way.PASSED_ON, id="one that pulls itself"),
    ],
)
def test_who_drives_a_runtime(server_type: str | None, helper_disabled: bool, way: Way) -> None:
    adapter = None if server_type is None else BuiltInAdapter(server_type=server_type)
    told = replace(RUNTIMES["custom-paths"], adapter=adapter, storage_helper_disabled=helper_disabled)
    assert way_of(told) is way


def test_the_instance_drives_what_is_said_to_be_driven() -> None:
    assert {*get_args(RuntimeKind)} - {"model-runtime", "none"} == DRIVEN
