from dataclasses import replace
from typing import Any

import pytest

from adapter.controller.desired.deployment import deployment
from adapter.controller.desired.volumes import claim_mounts, tmp_mounts, volumes
from adapter.controller.plans import RuntimePlan
from adapter.domain.specs import Endpoint
from tests.unit.controller.desired.examples import RUNTIME_PLANS, a_plan


def volume(plan: RuntimePlan, name: str) -> Any:
    return next((each for each in volumes(plan) if each["name"] == name), None)


def but(plan: RuntimePlan, **changes: Any) -> RuntimePlan:
    return replace(plan, runtime=replace(plan.runtime, **changes))


@pytest.mark.parametrize("plan", RUNTIME_PLANS.values(), ids=RUNTIME_PLANS)
def test_what_is_mounted_is_there_once_and_in_one_place_each(plan: RuntimePlan) -> None:
    pod = deployment(plan)["spec"]["template"]["spec"]
    names = [each["name"] for each in pod["volumes"]]
    assert len(names) == len({*names})
    for container in pod["containers"]:
        places = [mount["mountPath"].rstrip("/") for mount in container["volumeMounts"]]
        assert len(places) == len({*places})
        assert {mount["name"] for mount in container["volumeMounts"]} <= {*names}


@pytest.mark.parametrize(
    ("limits", "annotations", "room"),
    [
        pytest.param(["1Gi"], {}, {"sizeLimit": "1536Mi"}, id="by the memory"),
        pytest.param(
            ["1Gi", "3", None], {}, {"sizeLimit": "1610612741"}, id="by the memory of all containers"
        ),
        pytest.param([None], {}, {}, id="without a limit"),
        pytest.param(["1Gi"], {"remesh.io/modelsDirSize": "20Gi"}, {"sizeLimit": "20Gi"}, id="as people say"),
    ],
)
def test_the_room_for_models_is_limited(limits: list[str | None], annotations: Any, room: Any) -> None:
    containers = tuple(
        {"name": str(number), "resources": {"limits": {"memory": limit}}}
        for number, limit in enumerate(limits)
    )
    plan = a_plan()
    identity = replace(plan.runtime.identity, annotations=annotations)
    assert volume(but(plan, containers=containers, identity=identity), "models-dir")["emptyDir"] == room


def test_storage_keys_need_not_be_there() -> None:
    assert volume(a_plan(), "storage-config")["secret"]["optional"] is True


def test_who_is_told_paths_has_no_keys() -> None:
    assert volume(RUNTIME_PLANS["paths-as-they-are"], "storage-config") is None


@pytest.mark.parametrize(
    ("claim", "is_named_so"),
    [
        ("models", True),
        ("models.of.all", False),
        ("storage-config", False),
        ("mm-x", False),
        ("c" * 64, False),
    ],
    ids=lambda each: str(each)[:20],
)
def test_a_claims_volume_has_its_name_where_that_is_possible(claim: str, is_named_so: bool) -> None:
    plan = a_plan(claims=(claim,))
    (mount,) = claim_mounts(plan)
    assert (mount["name"] == claim) is is_named_so
    assert mount["mountPath"] == f"/pvc_mounts/{claim}"
    assert mount["readOnly"] is True
    assert volume(plan, mount["name"])["persistentVolumeClaim"] == {"claimName": claim, "readOnly": True}


def test_where_the_sockets_are_there_is_no_other_folder() -> None:
    runtime = replace(RUNTIME_PLANS["sockets"].runtime, grpc_endpoint=Endpoint(socket="/tmp/grpc.sock"))
    assert tmp_mounts(runtime, "mm-tmp") == []
