from dataclasses import replace
from typing import Any

import pytest

from adapter.controller.desired.adapter_container import adapter_container
from adapter.controller.plans import RuntimePlan
from adapter.domain.specs import BuiltInAdapter, Endpoint
from tests.unit.controller.desired.examples import RUNTIME_PLANS

PLAN = RUNTIME_PLANS["foreign-adapter"]


def env_of(plan: RuntimePlan, adapter: BuiltInAdapter) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in adapter_container(plan, adapter)["env"]}


def told(**changes: Any) -> tuple[RuntimePlan, BuiltInAdapter]:
    adapter = PLAN.runtime.adapter
    assert adapter is not None
    return replace(PLAN, runtime=replace(PLAN.runtime, **changes)), adapter


def test_without_a_grpc_endpoint_the_adapter_is_where_the_instance_calls_it() -> None:
    assert env_of(*told(grpc_endpoint=None))["ADAPTER_PORT"] == "8085"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(Endpoint(port=9000), "port:9000", id="a port"),
        pytest.param(Endpoint(socket="/run/t/grpc.sock"), "unix:/run/t/grpc.sock", id="a socket"),
        pytest.param(None, "port:8001", id="the management port"),
    ],
)
def test_the_adapter_knows_where_inference_goes(data: Endpoint | None, expected: str) -> None:
    assert env_of(*told(grpc_data_endpoint=data))["RUNTIME_DATA_ENDPOINT"] == expected


def test_what_is_not_known_is_not_said() -> None:
    plan, _ = told(grpc_data_endpoint=None)
    assert "RUNTIME_DATA_ENDPOINT" not in env_of(plan, BuiltInAdapter(server_type="triton"))


def test_people_have_the_last_word() -> None:
    assert env_of(*told())["LOADTIME_TIMEOUT"] == "120000"
