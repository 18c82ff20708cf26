"""What the API server is told of a pod: its containers' states, its phase and conditions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Manifest = Mapping[str, Any]

NEVER, ON_FAILURE, ALWAYS = "Never", "OnFailure", "Always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Not started, or between two starts."""

    reason: str = "ContainerCreating"
    message: str = ""

    def json(self) -> dict[str, Any]:
        return {"waiting": {"reason": self.reason, **_if_any(message=self.message)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """There is a process."""

    started_at: str

    def json(self) -> dict[str, Any]:
        return {"running": {"startedAt": self.started_at}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminated:
    """The process has ended."""

    exit_code: int
    reason: str
    started_at: str
    finished_at: str
    message: str = ""

    def json(self) -> dict[str, Any]:
        told = {"exitCode": self.exit_code, "reason": self.reason, "startedAt": self.started_at}
        return {"terminated": told | {"finishedAt": self.finished_at} | _if_any(message=self.message)}


@dataclass(slots=True, kw_only=True)
class ContainerStatus:
    """One container, as it is now."""

    name: str
    image: str
    state: Waiting | Running | Terminated = field(default_factory=Waiting)
    last: Terminated | None = None
    ready: bool = False
    started: bool = False
    restarts: int = 0
    will_restart: bool = True
    """Whether it starts again if it has ended."""

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": ""
            if isinstance(self.state, Waiting) and not self.restarts
            else f"local://{self.image}",
            "state": self.state.json(),
            "lastState": self.last.json() if self.last else {},
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
        }

    @property
    def is_done(self) -> bool:
        return isinstance(self.state, Terminated) and not self.will_restart

    @property
    def has_failed(self) -> bool:
        return self.is_done and isinstance(self.state, Terminated) and self.state.exit_code != 0

    @property
    def has_run(self) -> bool:
        return self.last is not None or not isinstance(self.state, Waiting)


def restarts(policy: str, exit_code: int) -> bool:
    """Whether a container that ended so starts again."""
    return policy == ALWAYS or (policy == ON_FAILURE and exit_code != 0)


def phase(init: Sequence[ContainerStatus], main: Sequence[ContainerStatus]) -> str:
    """Of the pod, by the states of its containers."""
    if any(each.has_failed for each in init):
        return "Failed"
    if not all(each.is_done for each in init):
        return "Pending"
    if all(each.is_done for each in main):
        return "Failed" if any(each.has_failed for each in main) else "Succeeded"
    return "Running" if all(each.has_run for each in main) else "Pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a pod's status is made of beside its containers."""

    node_ip: str
    pod_ip: str = ""
    started_at: str = ""
    problem: str = ""
    """Why it cannot be prepared: a volume or the network."""


def pod_status(
    pod: Manifest, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus], told: Told, *, now: str
) -> dict[str, Any]:
    """The whole status; conditions of others are not in it, and stay."""
    status = {
        "phase": phase(init, main),
        "hostIP": told.node_ip,
        "hostIPs": [{"ip": told.node_ip}],
        "startTime": told.started_at,
        "qosClass": (pod.get("status") or {}).get("qosClass"),
        "conditions": conditions(pod, init, main, told, now=now),
        "initContainerStatuses": [each.json() for each in init],
        "containerStatuses": [each.json() for each in main],
    }
    if told.pod_ip:
        status |= {"podIP": told.pod_ip, "podIPs": [{"ip": told.pod_ip}]}
    return {key: value for key, value in status.items() if value not in (None, "", [])}


def conditions(
    pod: Manifest, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus], told: Told, *, now: str
) -> list[dict[str, Any]]:
    """The kubelet's own, with the time at which each became what it is."""
    done = phase(init, main) == "Succeeded"
    unready = [each.name for each in main if not each.ready]
    not_ready = f"containers with unready status: [{' '.join(unready)}]" if unready else ""
    reason = "PodCompleted" if done else "ContainersNotReady"
    uninitialized = [each.name for each in init if not (each.is_done and not each.has_failed)]
    incomplete = f"containers with incomplete status: [{' '.join(uninitialized)}]" if uninitialized else ""
    gates = not_ready or _closed_gate(pod)
    rows = [
        ("PodReadyToStartContainers", told.problem, "NotPrepared"),
        ("Initialized", incomplete, "ContainersNotInitialized"),
        ("ContainersReady", not_ready, reason),
        ("Ready", gates, reason if not_ready else "ReadinessGatesNotReady"),
    ]
    before = {each["type"]: each for each in (pod.get("status") or {}).get("conditions") or []}
    return [
        _condition(kind, problem, reason, before=before.get(kind), now=now) for kind, problem, reason in rows
    ]


def _closed_gate(pod: Manifest) -> str:
    """What others say of the pod counts, too, where its spec says so."""
    said = {each["type"]: each["status"] for each in (pod.get("status") or {}).get("conditions") or []}
    gates = [each["conditionType"] for each in pod["spec"].get("readinessGates") or []]
    closed = [gate for gate in gates if said.get(gate) != "True"]
    return f'corresponding condition of pod readiness gate "{closed[0]}" is not true.' if closed else ""


def _condition(kind: str, problem: str, reason: str, *, before: Manifest | None, now: str) -> dict[str, Any]:
    status = "False" if problem else "True"
    since = before["lastTransitionTime"] if before and before["status"] == status else now
    told = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
    # Given also where there are none: what was said before would stay otherwise.
    return told | {"reason": reason if problem else None, "message": problem or None}


def _if_any(**words: str) -> dict[str, str]:
    return {key: value for key, value in words.items() if value}
