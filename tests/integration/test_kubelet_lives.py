"""The lives of pods on the pod runner: restarts, hooks, ends, and what a killed Node leaves."""

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.control_plane import ControlPlane
from tests.integration.pods import (
    FOREVER,
    FOREVER_ALONE,
    IMAGES,
    PodsOfTest,
    mount,
    node,
    plane,
    pods,
    soon,
    volume,
)
from tests.kubelet.running import running_node

__all__ = ["node", "plane", "pods"]  # the fixtures

# Restarts.


def test_init_containers_run_first_and_in_order(pods: PodsOfTest) -> None:
    init = [
        {
            "name": name,
            "image": "shell",
            "args": [f"echo {name} >> /o/order"],
            "volumeMounts": [mount("o", "/o")],
        }
        for name in ("first", "second")
    ]
    more = {"initContainers": init, "volumes": [volume("o", emptyDir={})], "restartPolicy": "Never"}
    pods.run("ordered", "shell", "cat /o/order", pod=more, volumeMounts=[mount("o", "/o")])
    assert pods.ended("ordered") == "first\nsecond\n"


def test_a_crash_loop_is_told_with_its_last_words(pods: PodsOfTest) -> None:
    pods.run(
        "crashes", "shell", "echo no model fits; exit 3", terminationMessagePolicy="FallbackToLogsOnError"
    )
    soon(lambda: pods.main("crashes")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
    told = pods.main("crashes")
    assert told["restartCount"] >= 1
    assert told["lastState"]["terminated"]["exitCode"] == 3
    assert told["lastState"]["terminated"]["message"] == "no model fits\n"
    assert not pods.is_ready("crashes")
    assert pods.log("crashes", "--previous") == "no model fits\n"


def test_a_program_that_is_not_there_is_named(pods: PodsOfTest) -> None:
    pods.run("absent", "shell", command=["/opt/no/such"], pod={"restartPolicy": "Never"})
    soon(lambda: pods.status("absent").get("phase") == "Failed")
    ended = pods.main("absent")["state"]["terminated"]
    assert ended["reason"] == "StartError"
    assert 'exec: "/opt/no/such": no such file or directory' in ended["message"]


@pytest.mark.parametrize(
    "probe",
    [
        pytest.param({"exec": {"command": ["test", "-e", "/tmp/alive"]}}, id="a command"),
        pytest.param({"tcpSocket": {"port": 9}}, id="a port"),
        pytest.param({"grpc": {"port": 9}}, id="gRPC"),
    ],
)
def test_what_is_not_alive_is_restarted(pods: PodsOfTest, probe: dict[str, Any]) -> None:
    liveness = {**probe, "periodSeconds": 1, "failureThreshold": 1, "terminationGracePeriodSeconds": 1}
    pods.run("dead", "shell", FOREVER, livenessProbe=liveness)
    soon(lambda: pods.main("dead")["restartCount"] >= 1)


def test_nothing_else_is_probed_before_it_has_started(pods: PodsOfTest) -> None:
    probe = {"exec": {"command": ["test", "-e", "/up"]}, "periodSeconds": 1, "timeoutSeconds": 5}
    pods.run(
        "slow",
        "shell",
        f"sleep 2; touch /up; {FOREVER}",
        startupProbe={**probe, "failureThreshold": 30},
        livenessProbe={**probe, "failureThreshold": 1},
    )
    soon(lambda: pods.is_ready("slow"))
    assert pods.main("slow")["restartCount"] == 0


# The end.


def test_the_hook_comes_first_then_the_signal(pods: PodsOfTest, tmp_path: Path) -> None:
    said = "trap 'echo told >> /said/order; exit 0' TERM; while :; do sleep 0.05; done"
    pods.run(
        *("polite", "shell", said),
        pod={"volumes": [volume("said", hostPath={"path": str(tmp_path)})]},
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "sleep 0.3; echo hook >> /said/order"]}}},
        volumeMounts=[mount("said", "/said")],
    )
    soon(lambda: pods.is_ready("polite"))
    place = pods.path("polite")
    assert place.exists()
    pods.plane.kubectl("delete", "pod", "polite")
    assert (tmp_path / "order").read_text() == "hook\ntold\n"
    assert not place.exists()


def test_who_does_not_listen_is_killed_after_the_grace(pods: PodsOfTest) -> None:
    pods.run("deaf", "shell", "trap '' TERM; while :; do sleep 0.05; done")
    soon(lambda: pods.is_ready("deaf"))
    began_s = time.monotonic()
    pods.plane.kubectl("delete", "pod", "deaf", "--grace-period=2")
    assert 1.5 < time.monotonic() - began_s < 10


def test_a_deployment_is_replaced_and_leaves_nothing(pods: PodsOfTest) -> None:
    def names() -> set[str]:
        return {each["metadata"]["name"] for each in pods.plane.read("pods")["items"]}

    pods.plane.kubectl("create", "deployment", "many", "--image=shell", "--replicas=3", "--", *FOREVER_ALONE)
    pods.plane.kubectl("rollout", "status", "deployment/many", "--timeout=20s")
    before = names()
    pods.plane.kubectl("set", "env", "deployment/many", "NEW=1")
    pods.plane.kubectl("rollout", "status", "deployment/many", "--timeout=40s")
    soon(lambda: not before & names())
    pods.plane.kubectl("delete", "deployment", "many")
    soon(lambda: not names())
    assert not pods.node.namespaces


def test_a_killed_node_takes_its_pods_along_and_the_next_one_sweeps(
    plane: ControlPlane, tmp_path: Path
) -> None:
    word = f"only-in-{tmp_path.name}"
    with running_node(plane.kubeconfig(), IMAGES, folder=tmp_path, name="node-2") as node:
        here = {"nodeName": "node-2", "terminationGracePeriodSeconds": 1}
        pods = PodsOfTest(plane, node)
        pods.run("left", "shell", f": {word}; {FOREVER}", pod=here)
        soon(lambda: pods.is_ready("left"))
        place = pods.path("left")
        left = place.with_name(f"{place.name}00")  # of a pod that no successor has
        subprocess.run(["ip", "netns", "add", left.name], check=True)
        node.kill()
        soon(lambda: word not in processes())
        assert place.exists()
        with running_node(plane.kubeconfig(), IMAGES, folder=tmp_path, name="node-2") as successor:
            soon(lambda: word in processes())
            assert not left.exists()
            plane.kubectl("delete", "pod", "left")
            assert not successor.namespaces
    plane.kubectl("delete", "node", "node-2")


def processes() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
