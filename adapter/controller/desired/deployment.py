"""The Deployment of one runtime (reference: serving controller 3.2 to 3.10)."""

from typing import Any

from adapter.controller.desired.adapter_container import adapter_container
from adapter.controller.desired.affinity import with_architectures
from adapter.controller.desired.instance_container import instance_container
from adapter.controller.desired.names import (
    GRACE_S,
    STAMP_ANNOTATION,
    runtime_labels,
    runtime_metadata,
    runtime_selector,
)
from adapter.controller.desired.runtime_containers import runtime_containers
from adapter.controller.desired.volumes import volumes
from adapter.controller.desired.ways import Way, way_of
from adapter.controller.plans import Autoscaling, RuntimePlan
from adapter.domain.kinds import Manifest


def deployment(plan: RuntimePlan) -> Manifest:
    """With so many replicas as planned; where an autoscaler says how many, with none named (`replicas`)."""
    scaled = plan.autoscaling is not None and plan.replicas > 0
    marks = {"annotations": dict(plan.marks)} if plan.marks else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**runtime_metadata(plan), **marks},
        "spec": {
            **({} if scaled else {"replicas": plan.replicas}),
            "selector": {"matchLabels": runtime_selector(plan)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "75%", "maxUnavailable": "15%"},
            },
            "template": {"metadata": _pod_metadata(plan), "spec": _pod(plan)},
        },
    }


def replicas(autoscaling: Autoscaling, live: Manifest | None) -> int:
    """How many an autoscaled Deployment is to have: what it has, within what the autoscaler would allow."""
    now = ((live or {}).get("spec") or {}).get("replicas") or 0
    most = max(autoscaling.replicas_min, autoscaling.replicas_max)
    return min(max(int(now), autoscaling.replicas_min), most)


def _pod_metadata(plan: RuntimePlan) -> Manifest:
    """The template's, then the configuration's, then the runtime's; but what names the pods is ours alone."""
    config, runtime = plan.config, plan.runtime
    annotations: dict[str, str] = {}
    if config.metrics.enabled:
        annotations = {
            "prometheus.io/path": "/metrics",
            "prometheus.io/port": str(config.metrics.port),
            "prometheus.io/scheme": config.metrics.scheme,
            "prometheus.io/scrape": "true",
        }
    annotations |= {**config.pod_annotations, **runtime.annotations}
    if plan.stamp:
        annotations[STAMP_ANNOTATION] = plan.stamp
    labels = {**config.pod_labels, **runtime.labels, **runtime_labels(plan)}
    return {"labels": labels, **({"annotations": annotations} if annotations else {})}


def _pod(plan: RuntimePlan) -> Manifest:
    config, runtime = plan.config, plan.runtime
    pod: dict[str, Any] = {
        # The server's image is the slow one to pull: the instance starts, and its probes, when it is there.
        "containers": [*runtime_containers(plan), *_adapter(plan), instance_container(plan)],
        "volumes": volumes(plan),
        "terminationGracePeriodSeconds": GRACE_S,
        "affinity": with_architectures(runtime.affinity),
        # A Service named `runtime` would otherwise be a variable RUNTIME_PORT in every container.
        "enableServiceLinks": False,
    }
    if config.service_account:
        pod["serviceAccountName"] = config.service_account
    else:
        # Nothing in the pod calls the API server, unless somebody has said who it is.
        pod["automountServiceAccountToken"] = False
    secrets = {
        str(each.get("name")): each for each in (*config.image_pull_secrets, *runtime.image_pull_secrets)
    }
    optional = {
        "imagePullSecrets": list(secrets.values()),
        "nodeSelector": dict(runtime.node_selector),
        "tolerations": list(runtime.tolerations),
    }
    return pod | {name: value for name, value in optional.items() if value}


def _adapter(plan: RuntimePlan) -> list[Manifest]:
    told = plan.runtime.adapter
    if told is None or way_of(plan.runtime) is not Way.FOREIGN_ADAPTER:
        return []
    return [adapter_container(plan, told)]
