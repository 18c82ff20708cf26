"""What is to run, as values: a runtime's instances, and what a namespace needs; a `Fleet` runs it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from adapter.controller.config import ControllerConfig
from adapter.domain.kinds import Manifest
from adapter.domain.specs import RuntimeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """A `HorizontalPodAutoscaler` by annotation (reference: serving controller 3.13)."""

    metric: str = "cpu"
    target_percent: int = 80
    replicas_min: int = 1
    replicas_max: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimePlan:
    """One runtime of one namespace, with all that decides what runs."""

    namespace: str
    """Where it runs; a `ClusterServingRuntime` runs in each enabled one."""
    runtime: RuntimeSpec
    labels: tuple[str, ...]
    """`MM_LABELS`, sorted."""
    replicas: int
    autoscaling: Autoscaling | None = None
    claims: tuple[str, ...] = ()
    """PersistentVolumeClaims to be mounted, sorted."""
    config: ControllerConfig = field(default_factory=ControllerConfig)
    etcd_secret: str = "model-serving-etcd"  # noqa: S105 - a name
    has_ca: bool = False
    """Whether the TLS secret has a `ca.crt`."""
    stamp: str = ""
    """Hash of what the pods read and do not follow; when it changes, they are replaced."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """Kept with what runs, as annotations of its Deployment, and told again in its health."""

    @property
    def name(self) -> str:
        """Of its Deployment."""
        return f"{self.config.service_name}-{self.runtime.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespacePlan:
    """What all runtimes of one namespace share."""

    namespace: str
    config: ControllerConfig
    runtimes: tuple[RuntimeSpec, ...]
    """The enabled multi-model ones, by name; for `tc-config`. Empty: there are none."""
    owner: Manifest | None = None
    """An owner reference for what is made; None: none."""
    etcd_connection: bytes | None = None
    """Of the namespace's own copy of the etcd secret; None: it needs none."""
    etcd_files: Mapping[str, bytes] = field(default_factory=dict)
    """Further entries of that secret that the connection refers to."""
    etcd_secret: str = "model-serving-etcd"  # noqa: S105 - a name
    """Of that secret."""
    door: bool = False
    """An instance without a runtime is kept, which holds calls while all runtimes sleep."""
    has_ca: bool = False
    stamp: str = ""
    """Both as in a `RuntimePlan`, for that instance."""
    has_service_monitor: bool = False
    """The Prometheus operator's kinds are installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeHealth:
    """How the instances of one runtime do."""

    wanted: int = 0
    ready: int = 0
    problem: str = ""
    """Why some do not become ready, with the last lines of the log; empty: nothing is wrong."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """Of the plan that is run."""


class Fleet(Protocol):
    """Runs instances with their runtimes: as Deployments, or as processes of this machine."""

    async def prepare(self, plan: NamespacePlan) -> None:
        """Have what the namespace's runtimes share."""
        ...

    async def withdraw(self, namespace: str) -> None:
        """Remove what `prepare` and `run` made there."""
        ...

    async def run(self, plan: RuntimePlan) -> None:
        """Have so many instances of this runtime; the same plan again changes nothing."""
        ...

    async def stop(self, namespace: str, runtime: str) -> None:
        """Have none of them any more."""
        ...

    async def seen(self) -> None:
        """Wait until what runs already, from before, is known."""
        ...

    def health(self, namespace: str, runtime: str) -> RuntimeHealth:
        """As it was heard last; `wanted` is 0 if it does not run."""
        ...

    def changes(self) -> AsyncIterator[tuple[str, str]]:
        """(namespace, runtime) whose health has changed; never ends."""
        ...

    def addresses(self, namespace: str) -> tuple[str, ...]:
        """Where the mesh of this namespace answers now (`host:port`); empty: nowhere yet."""
        ...
