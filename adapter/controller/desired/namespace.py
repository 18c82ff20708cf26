"""What the runtimes of one namespace share (reference: serving controller 2.2, 3.11, 3.12, 6.2)."""

import base64
from collections.abc import Mapping
from typing import Any

from adapter.controller.config import ControllerConfig
from adapter.controller.desired.names import (
    CONSTRAINTS_NAME,
    ETCD_CONNECTION,
    GRPC,
    METRICS,
    MONITOR_NAME,
    OURS,
    PEER_PORT,
    POLICY_NAME,
    REST,
    app_labels,
    pods_selector,
    service_labels,
)
from adapter.controller.plans import NamespacePlan
from adapter.domain.kinds import Manifest


def service(plan: NamespacePlan) -> Manifest:
    """Where clients find the mesh: every pod answers for every model."""
    config = plan.config
    spec: dict[str, Any] = {
        "selector": pods_selector(config),
        "ports": [
            {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}
            for name, port in _ports(config).items()
        ],
    }
    if config.headless_service:
        spec["clusterIP"] = "None"
    metadata = _metadata(plan, config.service_name, service_labels(config), owned=True)
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def is_headless(live: Manifest) -> bool:
    """Whether a Service is; that cannot be changed, it must be made anew."""
    return (live.get("spec") or {}).get("clusterIP") == "None"


def has_monitor(plan: NamespacePlan) -> bool:
    """Whether the Prometheus operator is to scrape the pods."""
    metrics = plan.config.metrics
    return plan.has_service_monitor and metrics.enabled and not metrics.disable_prometheus_operator_support


def service_monitor(plan: NamespacePlan) -> Manifest:
    """Has the Prometheus operator scrape the pods; their certificate is their own, so it is not checked."""
    endpoint: dict[str, Any] = {"port": METRICS, "interval": "30s", "scheme": plan.config.metrics.scheme}
    if plan.config.metrics.scheme == "https":
        endpoint["tlsConfig"] = {"insecureSkipVerify": True}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": _metadata(plan, MONITOR_NAME, service_labels(plan.config), owned=True),
        "spec": {
            "selector": {"matchLabels": pods_selector(plan.config)},
            "namespaceSelector": {"matchNames": [plan.namespace]},
            "endpoints": [endpoint],
        },
    }


def network_policy(plan: NamespacePlan) -> Manifest:
    """Clients reach the doors, instances reach each other; nobody reaches a runtime but its own instance.

    Probes come from the machine that the pod is on, which no policy keeps out. What else is to be reached in
    a pod, such as a server's own metrics, needs a further policy: they add up.
    """
    config = plan.config
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(plan, POLICY_NAME, service_labels(config)),
        "spec": {
            "podSelector": {"matchLabels": pods_selector(config)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"ports": _open(*_ports(config).values())},
                {
                    "ports": _open(config.service_port, PEER_PORT),
                    "from": [{"podSelector": {"matchLabels": pods_selector(config)}}],
                },
            ],
        },
    }


def constraints_map(plan: NamespacePlan, entries: Mapping[str, bytes]) -> Manifest:
    """The ConfigMap `tc-config`: which runtimes may have which models, and where requests name theirs."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(plan, CONSTRAINTS_NAME, {**app_labels(), **OURS}),
        "binaryData": _encoded(entries),
    }


def etcd_secret(plan: NamespacePlan, connection: bytes) -> Manifest:
    """The namespace's own copy of where the registry is, with the files that the connection names."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": _metadata(plan, plan.etcd_secret, {**app_labels(), **OURS}),
        "data": _encoded({**plan.etcd_files, ETCD_CONNECTION: connection}),
    }


def _ports(config: ControllerConfig) -> dict[str, int]:
    """The doors, by name."""
    ports = {GRPC: config.service_port}
    if config.rest.enabled:
        ports[REST] = config.rest.port
    if config.metrics.enabled:
        ports[METRICS] = config.metrics.port
    return ports


def _open(*ports: int) -> list[Manifest]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _encoded(entries: Mapping[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(entries[name]).decode() for name in sorted(entries)}


def _metadata(plan: NamespacePlan, name: str, labels: Mapping[str, str], *, owned: bool = False) -> Manifest:
    owners = [plan.owner] if owned and plan.owner is not None else []
    return {
        "name": name,
        "namespace": plan.namespace,
        "labels": dict(labels),
        **({"ownerReferences": owners} if owners else {}),
    }
