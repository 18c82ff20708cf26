from pathlib import Path
from typing import Any

import pytest

from adapter.domain.errors import InvalidRequest
from adapter.up.mesh_plan import MeshPlan


def a_plan(**changes: Any) -> MeshPlan:
    return MeshPlan(**{"environ": {}, **changes})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"name": "a/b"}, "--name: 'a/b' must be", id="a name that is no folder"),
        pytest.param({"name": ".."}, "--name: ", id="a folder above"),
        pytest.param({"instances": 0}, "--instances: 0 is not from 1", id="no instance"),
        pytest.param({"instances": 65}, "--instances: 65 is not", id="too many"),
        pytest.param({"rest_port": 8033}, "both are 8033", id="one port for two"),
        pytest.param({"namespace": "A/b"}, "--namespace: 'A/b' must be", id="a namespace that is none"),
        pytest.param({"manifests": Path(__file__)}, "--manifests: .* is no folder", id="a file for a folder"),
        pytest.param({"etcd": "localhost"}, "--etcd: 'localhost' is neither", id="an etcd without a port"),
        pytest.param({"environ": {"KV_STORE": "zookeeper:x"}}, "KV_STORE", id="another store"),
        pytest.param(
            {"instances": 2, "environ": {"REMESH_MANAGEMENT_PORT": "9000"}},
            "REMESH_MANAGEMENT_PORT: 2 instances cannot share",
            id="one address for several",
        ),
    ],
)
def test_what_cannot_be_is_told(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        a_plan(**changes).checked()


def test_every_complaint_is_made_at_once() -> None:
    with pytest.raises(InvalidRequest) as error:
        a_plan(name="", instances=0).checked()
    assert len(str(error.value).splitlines()) == 2


def test_one_instance_may_have_what_several_cannot_share() -> None:
    a_plan(environ={"REMESH_MANAGEMENT_PORT": "9000"}).checked()


@pytest.mark.parametrize(
    ("changes", "kv_store"),
    [
        pytest.param({}, None, id="a registry of its own"),
        pytest.param({"etcd": "h:1"}, "etcd:h:1", id="the option"),
        pytest.param({"environ": {"KV_STORE": "etcd:h:2"}}, "etcd:h:2", id="the environment"),
        pytest.param({"etcd": "h:1", "environ": {"KV_STORE": "etcd:h:2"}}, "etcd:h:1", id="both"),
    ],
)
def test_the_registry_is_the_one_that_is_named(changes: dict[str, Any], kv_store: str | None) -> None:
    assert a_plan(**changes).checked().kv_store == kv_store


def test_names_are_ids_as_they_are() -> None:
    assert a_plan(instances=3).instance_names == ("up-1", "up-2", "up-3")
    long = a_plan(name="recommendations-eu", instances=12).instance_names
    assert max(map(len, long)) <= 12
    assert len(set(long)) == 12


def test_the_environment_reaches_the_instances_but_for_what_is_decided_here() -> None:
    environ = {
        "MM_DEFAULT_VMODEL_OWNER": "ksp",
        "REMESH_EVICTION": "lru",
        "MM_SERVICE_NAME": "theirs",
        "INTERNAL_SERVING_GRPC_PORT": "9",
        "LOADING_CONCURRENCY": "",
    }
    settings = a_plan(environ=environ, name="ours").settings()
    assert settings["MM_DEFAULT_VMODEL_OWNER"] == "ksp"
    assert settings["REMESH_EVICTION"] == "lru"
    assert settings["MM_SERVICE_NAME"] == "ours"
    assert not {"INTERNAL_SERVING_GRPC_PORT", "LOADING_CONCURRENCY"} & settings.keys()


def test_memory_is_shared_and_leaves_room_for_models() -> None:
    one, four = (a_plan(instances=count).settings() for count in (1, 4))
    assert int(one["CONTAINER_MEM_REQ_BYTES"]) // 4 == int(four["CONTAINER_MEM_REQ_BYTES"])
    assert int(four["MEM_BUFFER_BYTES"]) <= int(four["CONTAINER_MEM_REQ_BYTES"]) // 4


def test_memory_that_is_named_counts() -> None:
    environ = {"CONTAINER_MEM_REQ_BYTES": "1073741824"}
    assert a_plan(environ=environ, instances=4).settings()["CONTAINER_MEM_REQ_BYTES"] == "1073741824"


@pytest.mark.parametrize(("told", "seconds"), [("", 10.0), ("500", 0.5)], ids=["unset", "set"])
def test_the_grace_follows_the_setting(told: str, seconds: float) -> None:
    assert a_plan(environ={"SHUTDOWN_TIMEOUT_MS": told}).shutdown_timeout_s == seconds


def test_a_secret_in_the_environment_is_not_told() -> None:
    assert "hunter2" not in repr(a_plan(environ={"MM_TLS_PRIVATE_KEY_PASSPHRASE": "hunter2"}))
