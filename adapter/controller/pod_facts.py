"""What Deployments, Pods and EndpointSlices say of a runtime's instances; the rest of them is not kept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapter.controller.desired.names import ANNOTATION_PREFIX, GRPC, RUNTIME_LABEL, SERVICE_LABEL
from adapter.domain.kinds import Manifest

QUIET: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Reasons to wait that pass by themselves."""
SERVICE_OF_SLICE: Final = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFacts:
    """One runtime's Deployment."""

    name: str
    runtime: str
    service: str
    uid: str
    revision: int
    """Grows with each change; 0: unknown."""
    generation: int
    """Grows with each change of what is wished for."""
    wanted: int
    ready: int
    problem: str = ""
    """Why there are fewer pods than wanted, as Kubernetes says."""
    marks: Mapping[str, str] = field(default_factory=dict)

    def is_newer_than(self, other: "DeploymentFacts") -> bool:
        """Whether it is of a later state, or of another object of the name."""
        return self.uid != other.uid or self.revision >= other.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a pod is not ready."""

    pod: str
    what: str
    container: str = ""
    restarts: int = 0
    has_log: bool = False
    """The container ran, and what it wrote may say more."""
    log_is_previous: bool = False
    """Of the run before this one."""
    said: str = ""
    """Its last words, where the pod's status has them."""
    is_past: bool = False
    """Another pod is made in its place."""

    @property
    def urgency(self) -> tuple[bool, bool, str]:
        """Sorts the one that says most to the front."""
        return (self.is_past, not self.has_log, self.pod)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """One pod of a runtime."""

    uid: str
    runtime: str
    trouble: Trouble | None

    @property
    def urgency(self) -> tuple[bool, bool, str]:
        """Sorts the one whose trouble says most to the front."""
        return (True, True, "") if self.trouble is None else self.trouble.urgency


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceFacts:
    """Where pods of one Service are."""

    service: str
    addresses: tuple[str, ...]
    """Of those that are ready, `host:port` of gRPC."""


def deployment_facts(manifest: Manifest) -> DeploymentFacts | None:
    """None: it is no runtime's of ours."""
    metadata, spec, status = _parts(manifest)
    labels = metadata.get("labels") or {}
    runtime = labels.get(RUNTIME_LABEL)
    if not runtime:
        return None
    annotations = metadata.get("annotations") or {}
    wanted = spec.get("replicas")
    revision = str(metadata.get("resourceVersion", ""))
    return DeploymentFacts(
        name=str(metadata["name"]),
        runtime=str(runtime),
        service=str(labels.get(SERVICE_LABEL, "")),
        uid=str(metadata.get("uid", "")),
        revision=int(revision) if revision.isdecimal() else 0,
        generation=int(metadata.get("generation") or 0),
        wanted=1 if wanted is None else int(wanted),
        ready=int(status.get("readyReplicas") or 0),
        problem=_condition_problem(status),
        marks={name: str(told) for name, told in annotations.items() if name.startswith(ANNOTATION_PREFIX)},
    )


def _condition_problem(status: Manifest) -> str:
    for condition in status.get("conditions") or ():
        told = (condition.get("type"), condition.get("status"))
        if told in {("ReplicaFailure", "True"), ("Progressing", "False")}:
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    return ""


def pod_facts(manifest: Manifest) -> PodFacts | None:
    """None: it is no runtime's of ours, or is on its way out."""
    metadata, _, status = _parts(manifest)
    runtime = (metadata.get("labels") or {}).get(RUNTIME_LABEL)
    if not runtime or metadata.get("deletionTimestamp"):
        return None
    pod = str(metadata["name"])
    trouble = min(_troubles(pod, status), key=lambda each: each.urgency, default=None)
    return PodFacts(uid=str(metadata.get("uid", "")), runtime=str(runtime), trouble=trouble)


def _troubles(pod: str, status: Manifest) -> Iterator[Trouble]:
    if status.get("phase") == "Failed":
        what = f"it failed ({status.get('reason', 'unknown')}): {status.get('message', '')}"
        yield Trouble(pod=pod, what=what, is_past=True)
        return
    is_ready = False
    for condition in status.get("conditions") or ():
        kind, told = condition.get("type"), condition.get("status")
        is_ready = is_ready or (kind == "Ready" and told == "True")
        if kind == "PodScheduled" and told == "False":
            what = f"it cannot be scheduled ({condition.get('reason', '')}): {condition.get('message', '')}"
            yield Trouble(pod=pod, what=what)
    if is_ready:
        return
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if trouble := _container_trouble(pod, container):
            yield trouble


def _container_trouble(pod: str, told: Manifest) -> Trouble | None:
    name, restarts = str(told.get("name", "")), int(told.get("restartCount") or 0)
    state: Mapping[str, Any] = told.get("state") or {}
    waiting: Mapping[str, Any] = state.get("waiting") or {}
    ended = _failed(state.get("terminated"))
    before = _failed((told.get("lastState") or {}).get("terminated"))
    last = ended or before
    if last is not None:
        reason = waiting.get("reason") or last.get("reason") or "Error"
        what = f"container {name}: {reason}, ended with exit code {last.get('exitCode')}"
        return Trouble(
            pod=pod,
            container=name,
            restarts=restarts,
            what=what + (f", restarted {restarts} times" if restarts else ""),
            has_log=True,
            log_is_previous=ended is None,
            said=str(last.get("message") or "").strip(),
        )
    if str(waiting.get("reason") or "") in QUIET:
        return None
    what = f"container {name}: {waiting.get('reason')}: {waiting.get('message', '')}"
    return Trouble(pod=pod, container=name, restarts=restarts, what=what)


def _failed(terminated: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """How a container ended, unless it ended well."""
    return terminated if terminated and terminated.get("exitCode") != 0 else None


def slice_facts(manifest: Manifest) -> SliceFacts | None:
    """None: it is of no Service."""
    service = (_parts(manifest)[0].get("labels") or {}).get(SERVICE_OF_SLICE)
    if not service:
        return None
    ports = [port.get("port") for port in manifest.get("ports") or () if port.get("name") == GRPC]
    is_v6 = manifest.get("addressType") == "IPv6"
    return SliceFacts(
        service=str(service),
        addresses=tuple(
            f"[{host}]:{port}" if is_v6 else f"{host}:{port}"
            for endpoint in manifest.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready") is not False
            for host in (endpoint.get("addresses") or ())[:1]
            for port in ports
            if port
        ),
    )


def _parts(manifest: Manifest) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]:
    return manifest.get("metadata") or {}, manifest.get("spec") or {}, manifest.get("status") or {}
