from dataclasses import replace
from typing import Any

import pytest

from adapter.controller.desired.runtime_containers import runtime_containers
from tests.unit.controller.desired.examples import RUNTIME_PLANS, a_plan


def completed(**declared: Any) -> dict[str, Any]:
    plan = a_plan(claims=("shared",))
    runtime = replace(plan.runtime, containers=({"name": "server", **declared},))
    (container,) = runtime_containers(replace(plan, runtime=runtime))
    return dict(container)


def test_what_a_container_says_is_kept() -> None:
    declared = {
        "image": "x",
        "workingDir": "/w",
        "imagePullPolicy": "Always",
        "livenessProbe": {"exec": {"command": ["true"]}},
        "securityContext": {"privileged": True},
        "terminationMessagePolicy": "File",
        "somethingNew": [1],
    }
    assert completed(**declared).items() >= declared.items()


@pytest.mark.parametrize("said", [None, {}], ids=["nothing", "nothing at all"])
def test_who_says_nothing_has_no_privilege(said: Any) -> None:
    context = completed(securityContext=said)["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}


def test_the_models_and_claims_come_before_its_own_mounts() -> None:
    mounts = completed(volumeMounts=[{"name": "own", "mountPath": "/own"}])["volumeMounts"]
    assert [mount["mountPath"] for mount in mounts] == ["/models", "/pvc_mounts/shared", "/own"]


@pytest.mark.parametrize("path", ["/models", "/models/"])
def test_what_it_mounts_there_itself_is_not_mounted_twice(path: str) -> None:
    mounts = completed(volumeMounts=[{"name": "models-dir", "mountPath": path, "subPath": "x"}])[
        "volumeMounts"
    ]
    assert [mount["mountPath"] for mount in mounts] == ["/pvc_mounts/shared", path]


def test_a_port_says_its_protocol() -> None:
    ports = [{"containerPort": 1}, {"containerPort": 2, "protocol": "UDP"}]
    assert [port["protocol"] for port in completed(ports=ports)["ports"]] == ["TCP", "UDP"]


def test_every_container_waits_for_the_instance_and_shares_its_sockets() -> None:
    for container in runtime_containers(RUNTIME_PLANS["sockets"]):
        assert container["lifecycle"]["preStop"]["httpGet"]["path"] == "/prestop"
        assert {"name": "domain-socket", "mountPath": "/tmp/mmesh"} in container["volumeMounts"]
