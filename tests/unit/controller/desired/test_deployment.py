from dataclasses import replace
from typing import Any

import pytest

from adapter.controller.desired.deployment import deployment, replicas
from adapter.controller.plans import Autoscaling
from tests.unit.controller.desired.examples import FULL, RUNTIME_PLANS, a_plan


def pod_of(plan: Any) -> dict[str, Any]:
    pod: dict[str, Any] = deployment(plan)["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(None, 2, id="it is new"),
        pytest.param(0, 2, id="it was scaled to zero"),
        pytest.param(3, 3, id="as the autoscaler said"),
        pytest.param(9, 4, id="more than it may"),
    ],
)
def test_an_autoscaled_deployment_keeps_what_it_has(now: int | None, expected: int) -> None:
    live = None if now is None else {"spec": {"replicas": now}}
    assert replicas(Autoscaling(replicas_min=2, replicas_max=4), live) == expected


def test_the_most_is_raised_to_the_least() -> None:
    assert replicas(Autoscaling(replicas_min=3), None) == 3


def test_the_instance_comes_last_so_that_images_are_there_when_it_starts() -> None:
    names = {
        name: [each["name"] for each in pod_of(plan)["containers"]] for name, plan in RUNTIME_PLANS.items()
    }
    assert names == {
        "driven": ["mlserver", "mm"],
        "foreign-adapter": ["triton", "triton-adapter", "mm"],
        "sockets": ["server", "helper", "mm"],
        "paths-as-they-are": ["server", "mm"],
    }


def test_no_label_of_people_can_take_pods_from_their_deployment() -> None:
    spec = deployment(RUNTIME_PLANS["sockets"])["spec"]
    assert spec["template"]["metadata"]["labels"].items() >= spec["selector"]["matchLabels"].items()
    assert spec["template"]["metadata"]["labels"]["colour"] == "green"


def test_a_new_stamp_makes_new_pods() -> None:
    before, after = (deployment(a_plan(stamp=stamp))["spec"]["template"] for stamp in ("a", "b"))
    assert before != after
    assert before["spec"] == after["spec"]


def test_marks_make_no_new_pods() -> None:
    before, after = (deployment(a_plan(marks=marks)) for marks in ({}, {"remesh.io/x": "1"}))
    assert before["spec"] == after["spec"]
    assert after["metadata"]["annotations"] == {"remesh.io/x": "1"}


def test_nobody_in_the_pod_calls_the_api_server_unless_it_has_an_account() -> None:
    assert pod_of(a_plan())["automountServiceAccountToken"] is False
    with_account = pod_of(a_plan(config=FULL))
    assert with_account["serviceAccountName"] == "mesh"
    assert "automountServiceAccountToken" not in with_account


def test_a_service_nearby_puts_no_variable_into_a_container() -> None:
    assert pod_of(a_plan())["enableServiceLinks"] is False


def test_without_replicas_there_is_no_autoscaler_to_decide() -> None:
    plan = replace(RUNTIME_PLANS["foreign-adapter"], replicas=0)
    assert deployment(plan)["spec"]["replicas"] == 0
