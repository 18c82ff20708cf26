"""What `docs/isolation.md` promises of pods and of the network, in the objects of the runtimes we ship."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter.controller.config import ControllerConfig, TlsConfig
from adapter.controller.desired.objects import namespace_objects, runtime_objects
from adapter.controller.manifests.runtimes import read_runtime
from adapter.controller.plans import NamespacePlan, RuntimePlan
from adapter.domain.kinds import DEPLOYMENT, NETWORK_POLICY

RUNTIMES = Path(__file__).resolve().parents[3] / "deploy" / "runtimes"
SHIPPED = [
    path
    for folder in ("modelmesh", "remesh")
    for path in sorted((RUNTIMES / folder).glob("*.yaml"))
    if path.name != "kustomization.yaml"
]
CONFIG = ControllerConfig(tls=TlsConfig(secret_name="certificates"))
KEYS = {"storage-config", "etcd-config", "tls-certs"}
"""Volumes with what is secret."""


@pytest.fixture(params=SHIPPED, ids=lambda path: path.stem)
def pod(request: pytest.FixtureRequest) -> dict[str, Any]:
    runtime = read_runtime(yaml.safe_load(request.param.read_text()))
    plan = RuntimePlan(
        namespace="mine", runtime=runtime, labels=(), replicas=1, config=CONFIG, claims=("models",)
    )
    deployment = dict(runtime_objects(plan).there)[DEPLOYMENT]
    return dict(deployment["spec"]["template"]["spec"])


def container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in pod["containers"] if each["name"] == name]
    return dict(found)


def is_ours(name: str) -> bool:
    return name == "mm" or name.endswith("-adapter")


def test_ours_may_do_nothing_and_write_nowhere_but_in_volumes(pod: dict[str, Any]) -> None:
    limits = container(pod, "mm")["securityContext"]
    assert limits["readOnlyRootFilesystem"] is True
    assert limits["runAsNonRoot"] is True


def test_nobody_has_a_privilege(pod: dict[str, Any]) -> None:
    for each in pod["containers"]:
        limits = each["securityContext"]
        assert limits["allowPrivilegeEscalation"] is False
        assert limits["capabilities"] == {"drop": ["ALL"]}


def test_what_runs_models_is_given_no_key(pod: dict[str, Any]) -> None:
    for each in pod["containers"]:
        mounted = {mount["name"] for mount in each["volumeMounts"]}
        if not is_ours(each["name"]):
            assert not mounted & KEYS


def test_keys_and_claims_are_read_only(pod: dict[str, Any]) -> None:
    for each in pod["containers"]:
        for mount in each["volumeMounts"]:
            if mount["name"] in KEYS or mount["mountPath"].startswith("/pvc_mounts"):
                assert mount["readOnly"] is True


def test_each_pod_has_a_disk_of_its_own_with_a_limit(pod: dict[str, Any]) -> None:
    (volume,) = [each for each in pod["volumes"] if each["name"] == "models-dir"]
    assert volume["emptyDir"]["sizeLimit"] == "1536Mi"
    assert not [each for each in pod["volumes"] if "hostPath" in each]


def test_the_network_is_open_at_the_doors_only() -> None:
    plan = NamespacePlan(namespace="mine", config=CONFIG, runtimes=())
    policy = dict(namespace_objects(plan, {}).there)[NETWORK_POLICY]
    reached = {(port["port"], "from" in rule) for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert reached == {(8033, False), (8008, False), (2112, False), (8033, True), (8080, True)}
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert policy["metadata"]["name"] == "modelmesh-runtimes"
