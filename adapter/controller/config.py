"""What the ConfigMap `model-serving-config` says (reference: serving controller 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapter.domain.kinds import Manifest

HOLD_S: Final = 300.0
"""Images may have to be pulled first. A client with a deadline waits no longer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image; a digest wins over a tag."""

    name: str
    tag: str = "latest"
    digest: str = ""
    command: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsConfig:
    """`tls`."""

    secret_name: str = ""
    """Empty: plaintext."""
    client_auth: str = ""
    """`require` or `optional`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """`metrics`."""

    enabled: bool = True
    port: int = 2112
    scheme: str = "https"
    disable_prometheus_operator_support: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleToZero:
    """`scaleToZero`; `idleSeconds` is ours."""

    enabled: bool = True
    grace_s: float = 60.0
    idle_s: float = 0.0
    """Also after so long without a request; 0: never."""

    @property
    def hold_s(self) -> float:
        """How long instances hold a call for a runtime that is started because of it (`REMESH_HOLD_S`)."""
        return HOLD_S if self.idle_s > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RestConfig:
    """`restProxy`. The REST port is the instance's own; image and resources are read and not used."""

    enabled: bool = True
    port: int = 8008
    skip_verify: bool = False


def _resources(cpu: str, memory: str, cpu_max: str, memory_max: str) -> Manifest:
    return {
        "requests": {"cpu": cpu, "memory": memory},
        "limits": {"cpu": cpu_max, "memory": memory_max},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerConfig:
    """Every key, with ModelMesh's default where it has one."""

    service_name: str = "modelmesh-serving"
    """`inferenceServiceName`: of the Service, first part of Deployment names, part of the registry's keys."""
    service_port: int = 8033
    storage_secret_name: str = "storage-config"  # noqa: S105 - a name
    pods_per_runtime: int = 2
    tls: TlsConfig = TlsConfig()
    headless_service: bool = True
    access_logging: bool = False
    service_account: str = ""
    metrics: MetricsConfig = MetricsConfig()
    scale_to_zero: ScaleToZero = ScaleToZero()
    message_bytes_max: int = 16_777_216
    rest: RestConfig = RestConfig()
    image: Image = Image(name="remesh")
    """`modelMeshImage`: of the one container beside the runtime."""
    resources: Manifest = field(default_factory=lambda: _resources("300m", "448Mi", "3", "448Mi"))
    helper_image: Image = Image(name="kserve/modelmesh-runtime-adapter", command=("/opt/app/puller",))
    """`storageHelperImage`: the foreign adapter before a server type that the instance does not drive."""
    helper_resources: Manifest = field(default_factory=lambda: _resources("50m", "96Mi", "2", "512Mi"))
    built_in_server_types: tuple[str, ...] = ("triton", "mlserver", "ovms", "torchserve", "python")
    payload_processors: tuple[str, ...] = ()
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    image_pull_secrets: tuple[Manifest, ...] = ()
    allow_any_claim: bool = False
    """`allowAnyPVC`."""
    instance_env: Mapping[str, str] = field(default_factory=dict)
    """`internalModelMeshEnvVars`."""
    endpoint: str = ""
    """`modelMeshEndpoint`: where the controller calls the mesh, instead of its pods."""
    etcd_secret_name: str = ""
