from typing import Any

import pytest

from tests.kubelet.status import (
    ContainerStatus,
    Running,
    Terminated,
    Told,
    Waiting,
    phase,
    pod_status,
    restarts,
)

WAITS, RUNS = Waiting(), Running(started_at="t0")
POD: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {"containers": []}}


def ended(code: int) -> Terminated:
    return Terminated(
        exit_code=code, reason="Error" if code else "Completed", started_at="t0", finished_at="t1"
    )


def container(state: Waiting | Running | Terminated, **more: Any) -> ContainerStatus:
    return ContainerStatus(name="c", image="i", state=state, **more)


def done(code: int) -> ContainerStatus:
    return container(ended(code), will_restart=False)


@pytest.mark.parametrize(
    ("init", "main", "said"),
    [
        pytest.param([], [container(WAITS)], "Pending", id="nothing has started"),
        pytest.param([], [container(RUNS), container(WAITS)], "Pending", id="one has not started"),
        pytest.param([], [container(RUNS)], "Running", id="it runs"),
        pytest.param([], [container(WAITS, last=ended(1))], "Running", id="it has crashed and starts again"),
        pytest.param([], [done(0), container(RUNS)], "Running", id="one is done"),
        pytest.param([], [done(0), done(0)], "Succeeded", id="all are done"),
        pytest.param([], [done(0), done(1)], "Failed", id="one has failed"),
        pytest.param([container(RUNS)], [container(WAITS)], "Pending", id="it is being initialized"),
        pytest.param([done(0)], [container(RUNS)], "Running", id="it was initialized"),
        pytest.param([done(1)], [container(WAITS)], "Failed", id="it could not be initialized"),
    ],
)
def test_the_phase_is_what_its_containers_make_it(
    init: list[ContainerStatus], main: list[ContainerStatus], said: str
) -> None:
    assert phase(init, main) == said


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [("Always", 0, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
def test_the_policy_says_what_starts_again(policy: str, code: int, again: bool) -> None:
    assert restarts(policy, code) is again


def conditions(pod: dict[str, Any], *main: ContainerStatus, now: str = "t9") -> dict[str, dict[str, Any]]:
    status = pod_status(pod, [], main, Told(node_ip="n", pod_ip="p"), now=now)
    return {each["type"]: each for each in status["conditions"]}


def test_a_pod_is_ready_when_its_containers_are() -> None:
    assert conditions(POD, container(RUNS, ready=True))["Ready"]["status"] == "True"
    unready = conditions(POD, container(RUNS))["Ready"]
    assert unready["status"] == "False"
    assert unready["message"] == "containers with unready status: [c]"


def test_a_condition_keeps_the_time_of_its_change() -> None:
    before = {"type": "Ready", "status": "True", "lastTransitionTime": "t1"}
    pod = {**POD, "status": {"conditions": [before]}}
    assert conditions(pod, container(RUNS, ready=True))["Ready"]["lastTransitionTime"] == "t1"
    assert conditions(pod, container(RUNS))["Ready"]["lastTransitionTime"] == "t9"


def test_a_closed_gate_keeps_it_unready() -> None:
    pod = {**POD, "spec": {"readinessGates": [{"conditionType": "open"}]}}
    told = conditions(pod, container(RUNS, ready=True))
    assert (told["ContainersReady"]["status"], told["Ready"]["status"]) == ("True", "False")
    opened = {**pod, "status": {"conditions": [{"type": "open", "status": "True"}]}}
    assert conditions(opened, container(RUNS, ready=True))["Ready"]["status"] == "True"


def test_why_it_cannot_be_prepared_is_told() -> None:
    told = Told(node_ip="n", problem='secret "x" not found')
    status = pod_status(POD, [], [container(WAITS)], told, now="t0")
    assert status["conditions"][0]["message"] == 'secret "x" not found'
    assert "podIP" not in status


def test_a_container_is_told_with_its_last_end() -> None:
    told = container(WAITS, last=ended(3), restarts=2).json()
    assert told["lastState"]["terminated"]["exitCode"] == 3
    assert told["restartCount"] == 2
    assert told["state"] == {"waiting": {"reason": "ContainerCreating"}}
