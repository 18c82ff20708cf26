"""The rights that `deploy/` gives are enough: the controller does its work with nothing but its account's."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.integration import control_plane, mesh
from tests.integration.control_plane import ControlPlane
from tests.integration.deployed import DEPLOY, Object

WORK_S_MAX = 60.0
ISVC = "example-sklearn-isvc"
CONFIGURATIONS = "validatingwebhookconfigurations,mutatingwebhookconfigurations"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane.running(tmp_path_factory.mktemp("rights")) as started:
        started.kubectl("apply", "--server-side", "-k", str(DEPLOY / "crds"))
        started.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield started


@contextmanager
def controlling(plane: ControlPlane, namespace: str, *, namespace_scope: bool) -> Iterator[mesh.Process]:
    """The controller of this namespace, with its account's rights."""
    settings = {
        "NAMESPACE": namespace,
        "NAMESPACE_SCOPE": str(namespace_scope).lower(),
        "REMESH_WEBHOOK_PORT": str(mesh.free_port()),
        "REMESH_WEBHOOK_HOST": "127.0.0.1",
        "REMESH_METRICS_ADDR": f"127.0.0.1:{mesh.free_port()}",
        "REMESH_HEALTH_PROBE_BIND_ADDRESS": f"127.0.0.1:{mesh.free_port()}",
        "REMESH_CONFIG_DEFAULTS": str(DEPLOY / "controller" / "config-defaults.yaml"),
        "KUBECONFIG": str(plane.account(namespace, "modelmesh-controller")),
    }
    command = [sys.executable, "-m", "adapter", "controller", "--enable-leader-election"]
    output = plane.folder / f"controller-of-{namespace}.log"
    with mesh.started(command, output=output, env=settings) as controller:
        yield controller


def await_that(condition: Callable[[], bool], controller: mesh.Process) -> None:
    ends_s = time.monotonic() + WORK_S_MAX
    while not condition():
        assert controller.child.poll() is None, controller.said[-4000:]
        assert time.monotonic() < ends_s, controller.said[-4000:]
        time.sleep(0.1)


def names(plane: ControlPlane, what: str, namespace: str) -> set[str]:
    return {each["metadata"]["name"] for each in plane.read(what, "--namespace", namespace)["items"]}


def has_status(plane: ControlPlane, namespace: str) -> bool:
    found = plane.read("isvc", ISVC, "--namespace", namespace)
    return bool(found.get("status", {}).get("modelStatus"))


def refusals(controller: mesh.Process) -> list[str]:
    return [line for line in controller.said.splitlines() if "forbidden" in line.lower()]


def are_filled(configurations: list[Object]) -> bool:
    """Applied, they are empty; the controller knows what is to be in them."""
    return bool(configurations) and all(each.get("webhooks") for each in configurations)


def is_told_of(plane: ControlPlane, name: str, namespace: str) -> bool:
    events = plane.read("events", "--namespace", namespace)["items"]
    return any(each["involvedObject"]["name"] == name for each in events)


def test_in_cluster_scope(plane: ControlPlane) -> None:
    for namespace in ("model-serving", "mine"):
        plane.kubectl("create", "namespace", namespace)
    plane.kubectl("apply", "-k", str(DEPLOY / "cluster-scope"))
    plane.kubectl("apply", "-k", str(DEPLOY / "dependencies" / "etcd"), "--namespace", "model-serving")
    plane.kubectl("apply", "-k", str(DEPLOY / "runtimes" / "remesh"))
    plane.kubectl("apply", "-k", str(DEPLOY / "user-namespace"), "--namespace", "mine")
    plane.kubectl("label", "namespace", "mine", "modelmesh-enabled=true")
    plane.kubectl("apply", "--namespace", "mine", "-f", f"{DEPLOY}/examples/isvcs/{ISVC}.yaml")
    with controlling(plane, "model-serving", namespace_scope=False) as controller:
        await_that(
            lambda: "modelmesh-serving-remesh-python" in names(plane, "deployments", "mine"), controller
        )
        await_that(lambda: has_status(plane, "mine"), controller)
        await_that(lambda: is_told_of(plane, "remesh-python", "default"), controller)
        assert names(plane, "services", "mine") == {"modelmesh-serving"}
        assert names(plane, "networkpolicies", "mine") == {"modelmesh-runtimes"}
        assert "tc-config" in names(plane, "configmaps", "mine")
        # Of the namespace's copy the prefix is its own.
        assert "model-serving-etcd" in names(plane, "secrets", "mine")
        await_that(lambda: are_filled(plane.read(CONFIGURATIONS)["items"]), controller)
        # What it made, it may remove.
        plane.kubectl("label", "namespace", "mine", "modelmesh-enabled-")
        await_that(lambda: not names(plane, "deployments", "mine"), controller)
        await_that(lambda: not names(plane, "services", "mine"), controller)
        assert refusals(controller) == []
    plane.kubectl("label", "namespace", "mine", "modelmesh-enabled=true")


def test_in_namespace_scope(plane: ControlPlane) -> None:
    plane.kubectl("apply", "--server-side", "-k", str(DEPLOY / "quickstart"), "--force-conflicts")
    plane.kubectl("apply", "--namespace", "modelmesh-serving", "-f", f"{DEPLOY}/examples/isvcs/{ISVC}.yaml")
    with controlling(plane, "modelmesh-serving", namespace_scope=True) as controller:
        deployment = "modelmesh-serving-remesh-python"
        await_that(lambda: deployment in names(plane, "deployments", "modelmesh-serving"), controller)
        await_that(lambda: has_status(plane, "modelmesh-serving"), controller)
        plane.kubectl(
            *("delete", "servingruntime", "remesh-python", "--namespace", "modelmesh-serving", "--wait=false")
        )
        await_that(lambda: deployment not in names(plane, "deployments", "modelmesh-serving"), controller)
        assert refusals(controller) == []
