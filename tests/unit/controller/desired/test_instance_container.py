from dataclasses import replace
from typing import Any

import pytest
from pydantic import AliasChoices

from adapter.controller.config import ControllerConfig, Image
from adapter.controller.desired.instance_container import instance_container
from adapter.controller.plans import RuntimePlan
from adapter.domain.specs import BuiltInAdapter, Endpoint
from adapter.instance.settings import InstanceSettings
from tests.unit.controller.desired.examples import RUNTIME_PLANS, a_plan

EVERY_PLAN = pytest.mark.parametrize("plan", RUNTIME_PLANS.values(), ids=RUNTIME_PLANS)


def env_of(plan: RuntimePlan) -> dict[str, Any]:
    return {
        each["name"]: each.get("value", each.get("valueFrom")) for each in instance_container(plan)["env"]
    }


def but(plan: RuntimePlan, **changes: Any) -> RuntimePlan:
    return replace(plan, runtime=replace(plan.runtime, **changes))


@EVERY_PLAN
def test_the_instance_knows_every_variable_that_it_is_given(plan: RuntimePlan) -> None:
    known = {
        name
        for field in InstanceSettings.model_fields.values()
        if isinstance(field.validation_alias, AliasChoices)
        for name in field.validation_alias.choices
    }
    assert env_of(plan).keys() <= known


@EVERY_PLAN
def test_the_instance_accepts_what_it_is_given(plan: RuntimePlan) -> None:
    env = env_of(plan)
    given: dict[str, Any] = {
        name: value if isinstance(value, str) else "1073741824" for name, value in env.items()
    }
    settings = InstanceSettings(**given | {"KV_STORE": "etcd:127.0.0.1:2379"})
    assert settings.service_name == plan.config.service_name


def test_the_controllers_configuration_wins_over_variables_that_it_lists_too() -> None:
    config = ControllerConfig(instance_env={"MM_LABELS": "wrong", "MM_LOCATION": "here", "OTHER": "1"})
    env = env_of(a_plan(config=config))
    assert (env["MM_LABELS"], env["MM_LOCATION"], env["OTHER"]) == ("rt:mlserver-1.x", "here", "1")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("driven", {"INTERNAL_SERVING_GRPC_PORT": "8001"}, id="driven by the instance"),
        pytest.param(
            "foreign-adapter",
            {"INTERNAL_SERVING_GRPC_PORT": "8001", "INTERNAL_GRPC_PORT": "8085"},
            id="driven by an adapter",
        ),
        pytest.param(
            "sockets",
            {"INTERNAL_SERVING_GRPC_PORT": "8001", "INTERNAL_GRPC_SOCKET_PATH": "/tmp/mmesh/grpc.sock"},
            id="a port and a socket",
        ),
        pytest.param("paths-as-they-are", {"INTERNAL_GRPC_PORT": "8087"}, id="one for both"),
    ],
)
def test_the_instance_finds_the_runtime(name: str, expected: dict[str, str]) -> None:
    found = {key: value for key, value in env_of(RUNTIME_PLANS[name]).items() if key.startswith("INTERNAL_")}
    assert found == expected


@pytest.mark.parametrize(
    ("name", "variable", "expected"),
    [
        pytest.param(
            "foreign-adapter", "INTERNAL_SERVING_GRPC_PORT", "8001", id="of the server, not its adapter"
        ),
        pytest.param("foreign-adapter", "INTERNAL_GRPC_PORT", "8085", id="of the adapter"),
        pytest.param("paths-as-they-are", "INTERNAL_GRPC_PORT", "8085", id="of a runtime"),
    ],
)
def test_an_endpoint_that_is_not_declared_is_the_usual_one(name: str, variable: str, expected: str) -> None:
    plan = but(RUNTIME_PLANS[name], grpc_endpoint=None, grpc_data_endpoint=None)
    assert env_of(plan)[variable] == expected


@pytest.mark.parametrize(
    ("name", "pulls"),
    [("driven", True), ("foreign-adapter", False), ("sockets", True), ("paths-as-they-are", False)],
)
def test_who_pulls_has_the_keys_and_nobody_else(name: str, pulls: bool) -> None:
    container = instance_container(RUNTIME_PLANS[name])
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert ("storage-config" in mounts) is pulls
    assert ("models-dir" in mounts) is pulls
    assert ("STORAGE_CONFIG_DIR" in env_of(RUNTIME_PLANS[name])) is pulls


def test_a_socket_for_management_alone_is_mounted_too() -> None:
    plan = but(RUNTIME_PLANS["sockets"], grpc_data_endpoint=Endpoint(port=8001))
    mounts = {mount["name"]: mount["mountPath"] for mount in instance_container(plan)["volumeMounts"]}
    assert mounts["domain-socket"] == "/tmp/mmesh"


@EVERY_PLAN
def test_nothing_but_its_own_folders_can_be_written(plan: RuntimePlan) -> None:
    container = instance_container(plan)
    writable = {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable <= {"mm-tmp", "models-dir", "domain-socket"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }


def test_a_server_that_asks_for_no_memory_leaves_it_to_the_instance() -> None:
    plan = but(a_plan(), containers=({"name": "mlserver", "image": "mlserver"},))
    assert not {"CONTAINER_MEM_REQ_BYTES", "RUNTIME_VERSION"} & env_of(plan).keys()


def test_a_server_type_of_ours_is_driven_under_its_name() -> None:
    plan = but(a_plan(), adapter=BuiltInAdapter(server_type="python"), containers=({"name": "python"},))
    env = env_of(plan)
    assert env["REMESH_RUNTIME"] == "python"
    assert "RUNTIME_PORT" not in env


def test_people_have_the_last_word_on_a_server_that_the_instance_drives() -> None:
    told = BuiltInAdapter(server_type="mlserver", env=({"name": "MODELSIZE_MULTIPLIER", "value": "2"},))
    assert env_of(but(a_plan(), adapter=told))["MODELSIZE_MULTIPLIER"] == "2"


def test_the_image_can_be_started_otherwise() -> None:
    config = ControllerConfig(image=Image(name="remesh", command=("/opt/remesh/bin/remesh", "instance")))
    assert instance_container(a_plan(config=config))["command"] == ["/opt/remesh/bin/remesh", "instance"]


def test_what_is_switched_off_is_not_offered() -> None:
    plan = RUNTIME_PLANS["paths-as-they-are"]
    assert [port["name"] for port in instance_container(plan)["ports"]] == ["grpc"]
    assert (env_of(plan)["MM_METRICS"], env_of(plan)["REST_PROXY_LISTEN_PORT"]) == ("disabled", "")
