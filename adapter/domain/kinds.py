"""The kinds of Kubernetes objects that are spoken of here, and how one object is named.

An object itself is a `Manifest`: the JSON that the API server has, unparsed, so that what others wrote in it
is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Manifest = Mapping[str, Any]
"""One object, as the API has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of one version of an API group."""

    group: str
    """Empty: the core group."""
    version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As `apiVersion` has it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What names one object."""

    kind: Kind
    name: str
    namespace: str = ""
    """Empty for what is in no namespace."""

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.name} {place}{self.name}"


SERVING: Final = "serving.kserve.io"

SERVING_RUNTIME: Final = Kind(
    group=SERVING, version="v1alpha1", name="ServingRuntime", plural="servingruntimes"
)
CLUSTER_SERVING_RUNTIME: Final = Kind(
    group=SERVING,
    version="v1alpha1",
    name="ClusterServingRuntime",
    plural="clusterservingruntimes",
    namespaced=False,
)
PREDICTOR: Final = Kind(group=SERVING, version="v1alpha1", name="Predictor", plural="predictors")
INFERENCE_SERVICE: Final = Kind(
    group=SERVING, version="v1beta1", name="InferenceService", plural="inferenceservices"
)

NAMESPACE: Final = Kind(group="", version="v1", name="Namespace", plural="namespaces", namespaced=False)
NODE: Final = Kind(group="", version="v1", name="Node", plural="nodes", namespaced=False)
POD: Final = Kind(group="", version="v1", name="Pod", plural="pods")
SERVICE: Final = Kind(group="", version="v1", name="Service", plural="services")
SERVICE_ACCOUNT: Final = Kind(group="", version="v1", name="ServiceAccount", plural="serviceaccounts")
SECRET: Final = Kind(group="", version="v1", name="Secret", plural="secrets")
CONFIG_MAP: Final = Kind(group="", version="v1", name="ConfigMap", plural="configmaps")
EVENT: Final = Kind(group="", version="v1", name="Event", plural="events")
CLAIM: Final = Kind(group="", version="v1", name="PersistentVolumeClaim", plural="persistentvolumeclaims")
DEPLOYMENT: Final = Kind(group="apps", version="v1", name="Deployment", plural="deployments")
AUTOSCALER: Final = Kind(
    group="autoscaling", version="v2", name="HorizontalPodAutoscaler", plural="horizontalpodautoscalers"
)
DISRUPTION_BUDGET: Final = Kind(
    group="policy", version="v1", name="PodDisruptionBudget", plural="poddisruptionbudgets"
)
NETWORK_POLICY: Final = Kind(
    group="networking.k8s.io", version="v1", name="NetworkPolicy", plural="networkpolicies"
)
ENDPOINT_SLICE: Final = Kind(
    group="discovery.k8s.io", version="v1", name="EndpointSlice", plural="endpointslices"
)
LEASE: Final = Kind(group="coordination.k8s.io", version="v1", name="Lease", plural="leases")
SERVICE_MONITOR: Final = Kind(
    group="monitoring.coreos.com", version="v1", name="ServiceMonitor", plural="servicemonitors"
)
CUSTOM_RESOURCE: Final = Kind(
    group="apiextensions.k8s.io",
    version="v1",
    name="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
)
VALIDATING_WEBHOOK: Final = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    name="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    namespaced=False,
)
MUTATING_WEBHOOK: Final = Kind(
    group="admissionregistration.k8s.io",
    version="v1",
    name="MutatingWebhookConfiguration",
    plural="mutatingwebhookconfigurations",
    namespaced=False,
)


def key_of(manifest: Manifest, kind: Kind) -> Key:
    """What names this object. Raises `KeyError` or `TypeError` if it has no name."""
    metadata = manifest["metadata"]
    return Key(
        kind=kind,
        name=str(metadata["name"]),
        namespace=str(metadata.get("namespace") or "") if kind.namespaced else "",
    )
