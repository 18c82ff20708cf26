"""The HorizontalPodAutoscaler of a runtime that asks for one (reference: serving controller 3.13)."""

from typing import Final

from adapter.controller.desired.names import runtime_labels, runtime_metadata
from adapter.controller.plans import Autoscaling, RuntimePlan
from adapter.domain.kinds import Manifest

APPLIED_BY_KUBECTL: Final = "kubectl.kubernetes.io/last-applied-configuration"


def autoscaler(plan: RuntimePlan, autoscaling: Autoscaling) -> Manifest:
    """Of the runtime's Deployment."""
    runtime, metadata = plan.runtime, runtime_metadata(plan)
    annotations = {k: v for k, v in runtime.identity.annotations.items() if k != APPLIED_BY_KUBECTL}
    metadata["labels"] = {
        **runtime.identity.labels,
        "serving.kserve.io/inferenceservice": runtime.name,
        "component": "predictor",
        **runtime_labels(plan),
    }
    target = {"type": "Utilization", "averageUtilization": autoscaling.target_percent}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {**metadata, **({"annotations": annotations} if annotations else {})},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": plan.name},
            "minReplicas": autoscaling.replicas_min,
            "maxReplicas": max(autoscaling.replicas_min, autoscaling.replicas_max),
            "metrics": [{"type": "Resource", "resource": {"name": autoscaling.metric, "target": target}}],
        },
    }
