"""What people write, read and checked: models (`InferenceService`, `Predictor`) and runtimes.

Words and fields are KServe's and ModelMesh's (reference: serving controller 1; KServe 2, 3). What a pod needs
and nobody here reads (containers, volumes, affinity) stays the JSON that it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from adapter.domain.kinds import Manifest
from adapter.domain.records import CopyRules


class Source(Enum):
    """Which kind of object declares a model; part of the ids that are registered (5.3)."""

    PREDICTOR = "ksp"
    INFERENCE_SERVICE = "isvc"


class DeploymentMode(Enum):
    """Who serves an `InferenceService` (annotation `serving.kserve.io/deploymentMode`)."""

    MODELMESH = "ModelMesh"
    STANDARD = "Standard"
    KNATIVE = "Knative"


class FailureReason(Enum):
    """`lastFailureInfo.reason` (reference: serving controller 1.4; KServe 3)."""

    MODEL_LOAD_FAILED = "ModelLoadFailed"
    RUNTIME_UNHEALTHY = "RuntimeUnhealthy"
    RUNTIME_DISABLED = "RuntimeDisabled"
    NO_SUPPORTING_RUNTIME = "NoSupportingRuntime"
    RUNTIME_NOT_RECOGNIZED = "RuntimeNotRecognized"
    INVALID_PREDICTOR_SPEC = "InvalidPredictorSpec"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which object it is."""

    name: str
    namespace: str = ""
    """Empty: it is in none, and so a `ClusterServingRuntime`."""
    uid: str = ""
    generation: int = 0
    created: str = ""
    """RFC 3339, as the API server has it; such texts sort by time."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    deleted: bool = False
    """It is to go, and waits for its finalizers."""


# Models.


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFormat:
    """`modelFormat`, or `modelType` of a `Predictor`."""

    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyS3:
    """`storage.s3` of a `Predictor`, deprecated."""

    secret_key: str
    bucket: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSpec:
    """Where a model lies; None is what was not written, which counts for the spec's hash."""

    path: str | None = None
    schema_path: str | None = None
    parameters: Mapping[str, str] | None = None
    key: str | None = None
    """Of the `storage-config` secret."""
    s3: LegacyS3 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One declared model in the form that both kinds are brought to: ModelMesh's `PredictorSpec`."""

    identity: Identity
    source: Source
    format: ModelFormat
    mode: DeploymentMode = DeploymentMode.MODELMESH
    storage: StorageSpec | None = None
    path: str = ""
    """Deprecated place of `storage.path`."""
    schema_path: str | None = None
    """Deprecated place of `storage.schemaPath`."""
    runtime: str | None = None
    """None: any that supports it."""
    protocol: str | None = None
    gpu: str | None = None
    service_account: str | None = None
    multi_node: bool = False
    """It asks for a runtime with a `workerSpec` (KServe 1.3)."""
    rules: CopyRules = field(default_factory=CopyRules)
    """From annotations of ours: `remesh.io/minCopies`, `remesh.io/maxCopies`, `remesh.io/pin`."""


# Runtimes.


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportedFormat:
    """One entry of `supportedModelFormats`."""

    name: str
    version: str | None = None
    auto_select: bool = False
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`port:N` or `unix:PATH` (reference: serving controller 1.3); one of the two is there."""

    port: int | None = None
    socket: str | None = None

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.port is None else f"port:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInAdapter:
    """`builtInAdapter`: the runtime is a model server that knows nothing of the runtime SPI."""

    server_type: str
    management_port: int | None = None
    buffer_bytes: int | None = None
    loading_timeout_ms: int | None = None
    env: tuple[Manifest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSpec:
    """A `ServingRuntime` or `ClusterServingRuntime`."""

    identity: Identity
    """Its `labels` and `annotations` are the object's own."""
    formats: tuple[SupportedFormat, ...] = ()
    multi_model: bool = False
    disabled: bool = False
    protocols: tuple[str, ...] = ()
    multi_node: bool = False
    """It has a `workerSpec`."""
    containers: tuple[Manifest, ...] = ()
    grpc_endpoint: Endpoint | None = None
    """Where models are loaded and unloaded."""
    grpc_data_endpoint: Endpoint | None = None
    """Where inference goes; None: to the same."""
    http_data_endpoint: Endpoint | None = None
    adapter: BuiltInAdapter | None = None
    replicas: int | None = None
    storage_helper_disabled: bool = False
    volumes: tuple[Manifest, ...] = ()
    image_pull_secrets: tuple[Manifest, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Manifest, ...] = ()
    affinity: Manifest = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    """For the pod."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """For the pod."""

    @property
    def name(self) -> str:
        """As models name it."""
        return self.identity.name

    @property
    def is_cluster_scoped(self) -> bool:
        """Whether it is a `ClusterServingRuntime`."""
        return not self.identity.namespace
