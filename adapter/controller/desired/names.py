"""What things are called: ModelMesh's names where others see them (serving controller 3), else ours."""

from typing import Final

from adapter.controller.config import ControllerConfig
from adapter.controller.plans import RuntimePlan
from adapter.domain.kinds import Manifest

# Labels.
SERVICE_LABEL: Final = "modelmesh-service"
NAME_LABEL: Final = "name"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
CONTROLLER: Final = "modelmesh-controller"
FLEET_LABEL: Final = "remesh.io/fleet"
"""On what a fleet made, and on nothing else: ModelMesh's labels are on what its installer made, too."""
RUNTIME_LABEL: Final = "remesh.io/runtime"
DOOR_LABEL: Final = "remesh.io/door"
"""On what has no runtime."""
OURS: Final = {FLEET_LABEL: "true"}

# Annotations.
ANNOTATION_PREFIX: Final = "remesh.io/"
STAMP_ANNOTATION: Final = "remesh.io/stamp"
MODELS_DISK_ANNOTATION: Final = "remesh.io/modelsDirSize"
"""On a runtime: room on disk for its models, a quantity; without it, 1.5 times its memory limits."""

# Ports of every pod, beside those that the configuration says.
PEER_PORT: Final = 8080
ADAPTER_PORT: Final = 8085
PROBE_PORT: Final = 8089
PRESTOP_PORT: Final = 8090
GRPC: Final = "grpc"
REST: Final = "http"
METRICS: Final = "prometheus"

# Containers and volumes.
INSTANCE: Final = "mm"
MODELS_VOLUME: Final = "models-dir"
SOCKET_VOLUME: Final = "domain-socket"
STORAGE_VOLUME: Final = "storage-config"
CONSTRAINTS_VOLUME: Final = "tc-config"
ETCD_VOLUME: Final = "etcd-config"
TLS_VOLUME: Final = "tls-certs"
TMP_VOLUME: Final = "mm-tmp"

MODELS_FOLDER: Final = "/models"
STORAGE_FOLDER: Final = "/storage-config"
CLAIMS_FOLDER: Final = "/pvc_mounts"
CONSTRAINTS_FOLDER: Final = "/etc/watson/mmesh/config"
ETCD_FOLDER: Final = "/opt/kserve/mmesh/etcd"
TLS_FOLDER: Final = "/opt/kserve/mmesh/tls"

# Objects of a namespace.
CONSTRAINTS_NAME: Final = "tc-config"
MONITOR_NAME: Final = "modelmesh-metrics-monitor"
POLICY_NAME: Final = "modelmesh-runtimes"
ETCD_CONNECTION: Final = "etcd_connection"
TYPE_CONSTRAINTS: Final = "type_constraints"
DATAPLANE: Final = "dataplane_api_config"

GRACE_S: Final = 90
"""Between the first word of the end and SIGKILL."""
LABEL_CHARS_MAX: Final = 63


def app_labels() -> dict[str, str]:
    """Those that ModelMesh's installer and controller put on everything."""
    return {f"app.kubernetes.io/{key}": CONTROLLER for key in ("instance", "managed-by", "name")}


def service_labels(config: ControllerConfig) -> dict[str, str]:
    """Of what the runtimes of a namespace share."""
    return {SERVICE_LABEL: config.service_name, **app_labels(), **OURS}


def pods_selector(config: ControllerConfig) -> dict[str, str]:
    """All pods of a namespace's mesh."""
    return {SERVICE_LABEL: config.service_name}


def runtime_selector(plan: RuntimePlan) -> dict[str, str]:
    """The pods of one runtime; of a Deployment this can never change."""
    return {SERVICE_LABEL: plan.config.service_name, NAME_LABEL: plan.name}


def runtime_labels(plan: RuntimePlan) -> dict[str, str]:
    """Of a runtime's objects and pods."""
    return {**app_labels(), **OURS, RUNTIME_LABEL: plan.runtime.name, **runtime_selector(plan)}


def runtime_owner(plan: RuntimePlan) -> list[Manifest]:
    """The owner references of a runtime's objects: with the runtime, they go."""
    identity = plan.runtime.identity
    if not identity.uid:
        return []
    kind = "ClusterServingRuntime" if plan.runtime.is_cluster_scoped else "ServingRuntime"
    return [
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": kind,
            "name": identity.name,
            "uid": identity.uid,
            "controller": True,
        }
    ]


def runtime_metadata(plan: RuntimePlan) -> dict[str, object]:
    """Of a runtime's objects."""
    owners = runtime_owner(plan)
    return {
        "name": plan.name,
        "namespace": plan.namespace,
        "labels": runtime_labels(plan),
        **({"ownerReferences": owners} if owners else {}),
    }
