from typing import Any

import pytest

from adapter.controller.pod_facts import Trouble, deployment_facts, pod_facts, slice_facts

LABELS = {"remesh.io/runtime": "mlserver-1.x", "modelmesh-service": "modelmesh-serving"}


def a_pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "pod-1", "uid": "u1", "labels": LABELS},
        "status": {"phase": "Running", "containerStatuses": list(containers), **status},
    }


def trouble_of(pod: dict[str, Any]) -> Trouble | None:
    facts = pod_facts(pod)
    assert facts is not None
    return facts.trouble


def ended(code: int = 1, **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": "Error", **more}}


def test_a_deployment_of_ours_says_how_many_are_wanted_and_ready() -> None:
    facts = deployment_facts(
        {
            "metadata": {
                "name": "modelmesh-serving-mlserver-1.x",
                "uid": "u",
                "resourceVersion": "12",
                "generation": 3,
                "labels": LABELS,
                "annotations": {"remesh.io/unneeded-since": "now", "deployment.kubernetes.io/revision": "1"},
            },
            "spec": {"replicas": 3},
            "status": {"readyReplicas": 2},
        }
    )
    assert facts is not None
    assert (facts.runtime, facts.service, facts.wanted, facts.ready) == (
        "mlserver-1.x",
        "modelmesh-serving",
        3,
        2,
    )
    assert (facts.revision, facts.generation, facts.marks) == (12, 3, {"remesh.io/unneeded-since": "now"})


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        pytest.param(("ReplicaFailure", "True"), "Why: this", id="no pod can be made"),
        pytest.param(("Progressing", "False"), "Why: this", id="it takes too long"),
        pytest.param(("Progressing", "True"), "", id="it goes on"),
        pytest.param(("Available", "False"), "", id="it is short of pods, which the pods explain"),
    ],
)
def test_a_deployment_says_why_pods_are_missing(condition: tuple[str, str], problem: str) -> None:
    told = {"type": condition[0], "status": condition[1], "reason": "Why", "message": "this"}
    facts = deployment_facts({"metadata": {"name": "d", "labels": LABELS}, "status": {"conditions": [told]}})
    assert facts is not None
    assert facts.problem == problem


@pytest.mark.parametrize("read", [deployment_facts, pod_facts], ids=["deployment", "pod"])
def test_what_has_not_our_label_does_not_concern_us(read: Any) -> None:
    assert read({"metadata": {"name": "other", "labels": {"app": "x"}}}) is None
    assert read({"metadata": {"name": "other"}}) is None


def test_a_pod_on_its_way_out_does_not_count() -> None:
    pod = a_pod()
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert pod_facts(pod) is None


@pytest.mark.parametrize(
    "container",
    [
        pytest.param({"name": "mm", "ready": True, "state": {"running": {}}}, id="it runs"),
        pytest.param({"name": "mm", "state": {"waiting": {"reason": "ContainerCreating"}}}, id="it is made"),
        pytest.param({"name": "mm", "state": {}}, id="nothing is known"),
        pytest.param({"name": "mm", "state": ended(0)}, id="it ended well"),
    ],
)
def test_what_passes_by_itself_is_no_trouble(container: dict[str, Any]) -> None:
    assert trouble_of(a_pod(container)) is None


def test_an_image_that_cannot_be_pulled_is_told_as_kubernetes_has_it() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    trouble = trouble_of(a_pod({"name": "mlserver", "state": {"waiting": waiting}}))
    assert trouble is not None
    assert trouble.what == "container mlserver: ImagePullBackOff: Back-off pulling image"
    assert not trouble.has_log


def test_a_crash_loop_tells_how_the_last_run_ended() -> None:
    container = {
        "name": "mlserver",
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": ended(137, reason="OOMKilled", message=" out of memory\n"),
    }
    trouble = trouble_of(a_pod(container))
    assert trouble is not None
    assert trouble.what == "container mlserver: CrashLoopBackOff, ended with exit code 137, restarted 4 times"
    assert (trouble.has_log, trouble.log_is_previous, trouble.said) == (True, True, "out of memory")


def test_between_two_crashes_the_trouble_stays() -> None:
    container = {"name": "mm", "restartCount": 1, "state": {"running": {}}, "lastState": ended(2)}
    not_ready = [{"type": "Ready", "status": "False"}]
    ready = [{"type": "Ready", "status": "True"}]
    assert trouble_of(a_pod(container, conditions=not_ready)) is not None
    assert trouble_of(a_pod(container, conditions=ready)) is None


def test_a_container_that_has_just_ended_has_the_log_of_this_run() -> None:
    trouble = trouble_of(a_pod({"name": "mm", "state": ended(1)}))
    assert trouble is not None
    assert (trouble.has_log, trouble.log_is_previous) == (True, False)


def test_a_pod_that_fits_nowhere_says_so() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available",
    }
    trouble = trouble_of(a_pod(conditions=[condition]))
    assert trouble is not None
    assert trouble.what == "it cannot be scheduled (Unschedulable): 0/3 nodes are available"


def test_an_evicted_pod_is_past() -> None:
    trouble = trouble_of(a_pod(phase="Failed", reason="Evicted", message="disk"))
    assert trouble is not None
    assert trouble.is_past
    assert trouble.what == "it failed (Evicted): disk"


def test_of_several_troubles_the_one_with_a_log_counts() -> None:
    waiting = {"name": "a", "state": {"waiting": {"reason": "CreateContainerConfigError"}}}
    trouble = trouble_of(a_pod(waiting, {"name": "b", "state": ended(1)}))
    assert trouble is not None
    assert trouble.container == "b"


def a_slice(*endpoints: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "modelmesh-serving"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8008}, {"name": "grpc", "port": 8033}],
        "endpoints": list(endpoints),
        **more,
    }


def test_addresses_are_those_of_pods_that_are_ready() -> None:
    told: list[dict[str, Any]] = [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
        {"addresses": ["10.0.0.3"]},
    ]
    facts = slice_facts(a_slice(*told))
    assert facts is not None
    assert (facts.service, facts.addresses) == ("modelmesh-serving", ("10.0.0.1:8033", "10.0.0.3:8033"))


def test_an_address_of_version_six_is_bracketed() -> None:
    facts = slice_facts(a_slice({"addresses": ["fd00::1"]}, addressType="IPv6"))
    assert facts is not None
    assert facts.addresses == ("[fd00::1]:8033",)


def test_a_slice_without_endpoints_or_service() -> None:
    facts = slice_facts(a_slice(endpoints=None))
    assert facts is not None
    assert facts.addresses == ()
    assert slice_facts({"metadata": {"name": "s"}}) is None
