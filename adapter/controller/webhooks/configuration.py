"""What the API server is told of the webhooks: which objects to ask about, where, and whom to trust.

The validating webhook of runtimes has ModelMesh's names (reference: serving controller 1.2). Unlike it, only
objects of ours are asked about, and an unreachable controller stands in nobody's way.
"""

import base64
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from adapter.controller.manifests.annotations import DEPLOYMENT_MODE
from adapter.controller.namespaces import ENABLED
from adapter.controller.webhooks.decide import (
    MUTATE_RUNTIME,
    VALIDATE_PREDICTOR,
    VALIDATE_RUNTIME,
    VALIDATE_SERVICE,
)
from adapter.domain.kinds import (
    CLUSTER_SERVING_RUNTIME,
    INFERENCE_SERVICE,
    MUTATING_WEBHOOK,
    PREDICTOR,
    SERVING_RUNTIME,
    VALIDATING_WEBHOOK,
    Kind,
    Manifest,
)
from adapter.domain.specs import DeploymentMode

CONFIGURATION: Final = "modelmesh-servingruntime.serving.kserve.io"
SERVER: Final = "modelmesh-webhook-server.default"
SERVICE: Final = "modelmesh-webhook-server-service"
PORT: Final = 9443
TIMEOUT_S: Final = 5
"""What an answer may take, before the object is kept without one."""

LABELS: Final = {
    f"app.kubernetes.io/{name}": "modelmesh-controller" for name in ("instance", "managed-by", "name")
}

_STAYS: Final = {"name": "is-not-leaving", "expression": "!has(object.metadata.deletionTimestamp)"}
_MULTI_MODEL: Final = {
    "name": "is-multi-model",
    "expression": "has(object.spec) && has(object.spec.multiModel) && object.spec.multiModel == true",
}
_MODELMESH: Final = {
    "name": "is-modelmesh",
    "expression": "has(object.metadata.annotations) "
    f"&& '{DEPLOYMENT_MODE}' in object.metadata.annotations "
    f"&& object.metadata.annotations['{DEPLOYMENT_MODE}'] == '{DeploymentMode.MODELMESH.value}'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How the API server reaches the webhooks, and for whom."""

    namespace: str
    """The controller's."""
    authorities: bytes
    """PEM: whom the API server trusts."""
    url: str = ""
    """`https://host:port`; empty: by the Service."""
    namespace_scope: bool = False
    """Only the controller's own namespace is looked after."""


def hosts(namespace: str, url: str = "") -> tuple[str, ...]:
    """The names that the certificate must be for: of the Service, as the API server calls it, or the URL."""
    if url:
        return (urlsplit(url).hostname or "",)
    service = f"{SERVICE}.{namespace}"
    return (f"{service}.svc", service, f"{service}.svc.cluster.local")


def validating(reach: Reach) -> Manifest:
    """The `ValidatingWebhookConfiguration`."""
    webhooks = [
        _webhook(reach, "servingruntime", VALIDATE_RUNTIME, _runtimes(reach), _MULTI_MODEL),
        _webhook(reach, "inferenceservice", VALIDATE_SERVICE, (INFERENCE_SERVICE,), _MODELMESH),
        _webhook(reach, "predictor", VALIDATE_PREDICTOR, (PREDICTOR,)),
    ]
    return _configuration(VALIDATING_WEBHOOK, webhooks)


def mutating(reach: Reach) -> Manifest:
    """The `MutatingWebhookConfiguration`."""
    webhook = _webhook(reach, "servingruntime-defaults", MUTATE_RUNTIME, _runtimes(reach), _MULTI_MODEL)
    return _configuration(MUTATING_WEBHOOK, [{**webhook, "reinvocationPolicy": "Never"}])


def _runtimes(reach: Reach) -> tuple[Kind, ...]:
    return (SERVING_RUNTIME,) if reach.namespace_scope else (SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME)


def _configuration(kind: Kind, webhooks: list[dict[str, Any]]) -> Manifest:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": CONFIGURATION, "labels": dict(LABELS)},
        "webhooks": webhooks,
    }


def _webhook(
    reach: Reach, name: str, path: str, kinds: tuple[Kind, ...], *conditions: Manifest
) -> dict[str, Any]:
    rule = {
        "apiGroups": [kinds[0].group],
        "apiVersions": [kinds[0].version],
        "operations": ["CREATE", "UPDATE"],
        "resources": [kind.plural for kind in kinds],
        "scope": "*",
    }
    return {
        "name": f"{name}.{SERVER}",
        "admissionReviewVersions": ["v1"],
        "clientConfig": _client(reach, path),
        "failurePolicy": "Ignore",
        "matchPolicy": "Equivalent",
        "matchConditions": [dict(condition) for condition in (_STAYS, *conditions)],
        "namespaceSelector": _namespaces(reach),
        "objectSelector": {},
        "rules": [rule],
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_S,
    }


def _client(reach: Reach, path: str) -> dict[str, Any]:
    trusted = {"caBundle": base64.b64encode(reach.authorities).decode()}
    if reach.url:
        return {**trusted, "url": f"{reach.url.rstrip('/')}{path}"}
    service = {"name": SERVICE, "namespace": reach.namespace, "path": path, "port": PORT}
    return {**trusted, "service": service}


def _namespaces(reach: Reach) -> dict[str, Any]:
    """Those that may have a mesh: the controller's own has one without a label, which no selector can say."""
    if reach.namespace_scope:
        wanted = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [reach.namespace]}
    else:
        wanted = {"key": ENABLED, "operator": "NotIn", "values": ["false"]}
    return {"matchExpressions": [wanted]}
