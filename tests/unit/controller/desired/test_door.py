from dataclasses import replace

import pytest

from adapter.controller.config import ControllerConfig, ScaleToZero
from adapter.controller.desired.deployment import deployment
from adapter.controller.desired.door import DOORS_MAX, door, door_name
from adapter.controller.desired.names import DOOR_LABEL, RUNTIME_LABEL
from adapter.controller.desired.namespace import service
from adapter.controller.manifests.runtimes import read_runtime
from adapter.domain.kinds import Manifest
from tests.unit.controller.desired.examples import OWNER, a_namespace, a_plan

IDLE = ControllerConfig(scale_to_zero=ScaleToZero(idle_s=60.0))


def env(made: Manifest) -> dict[str, str]:
    """Of its one container."""
    (container,) = made["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_it_is_an_instance_without_a_runtime_that_holds_calls() -> None:
    told = env(door(a_namespace(config=IDLE, door=True)))
    assert (told["REMESH_RUNTIME"], told["MM_LABELS"]) == ("none", "")
    assert float(told["REMESH_HOLD_S"]) > 0
    assert "INTERNAL_GRPC_PORT" not in told


def test_it_has_no_folder_for_models_and_no_storage_keys() -> None:
    volumes = door(a_namespace(config=IDLE, door=True))["spec"]["template"]["spec"]["volumes"]
    assert {each["name"] for each in volumes} == {"tc-config", "etcd-config", "mm-tmp"}


def test_the_service_finds_it_and_it_is_taken_for_no_runtime() -> None:
    made = door(a_namespace(config=IDLE, door=True))
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels.items() >= service(a_namespace(config=IDLE))["spec"]["selector"].items()
    assert labels.items() >= made["spec"]["selector"]["matchLabels"].items()
    for each in (labels, made["metadata"]["labels"]):
        assert (RUNTIME_LABEL in each, each[DOOR_LABEL]) == (False, "true")


@pytest.mark.parametrize(("pods", "doors"), [(0, 1), (1, 1), (2, 2), (9, DOORS_MAX)])
def test_there_are_as_many_as_a_runtime_has_but_few(pods: int, doors: int) -> None:
    config = replace(IDLE, pods_per_runtime=pods)
    assert door(a_namespace(config=config, door=True))["spec"]["replicas"] == doors


def test_no_runtime_can_have_its_name() -> None:
    runtime = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": "door", "namespace": "apples"},
        "spec": {"multiModel": True, "containers": [{"name": "a", "image": "b"}]},
    }
    plan = replace(a_plan(), runtime=read_runtime(runtime))
    assert deployment(plan)["metadata"]["name"] == "modelmesh-serving-door" != door_name("modelmesh-serving")


def test_it_goes_with_its_owner() -> None:
    assert door(a_namespace(owner=OWNER, door=True))["metadata"]["ownerReferences"] == [OWNER]


def test_instances_hold_calls_only_where_runtimes_may_sleep() -> None:
    def told(config: ControllerConfig) -> dict[str, str]:
        made = deployment(a_plan("custom-paths", config=config))
        made["spec"]["template"]["spec"]["containers"] = [
            each for each in made["spec"]["template"]["spec"]["containers"] if each["name"] == "mm"
        ]
        return env(made)

    assert "REMESH_HOLD_S" not in told(ControllerConfig())
    assert told(IDLE)["REMESH_HOLD_S"] == "300"
    assert told(replace(IDLE, instance_env={"REMESH_HOLD_S": "20"}))["REMESH_HOLD_S"] == "20"
