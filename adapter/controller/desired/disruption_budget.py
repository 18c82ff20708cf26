"""The PodDisruptionBudget of a runtime: machines that are emptied give up one of its pods at a time."""

from adapter.controller.desired.names import runtime_metadata, runtime_selector
from adapter.controller.plans import RuntimePlan
from adapter.domain.kinds import Manifest


def disruption_budget(plan: RuntimePlan) -> Manifest:
    """A pod on its way out has its models loaded elsewhere; two at once would pass them to each other.

    A runtime with one pod can be evicted too: that a machine can be emptied counts for more.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": runtime_metadata(plan),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": runtime_selector(plan)},
            # What is not ready serves nobody, and must not keep a machine.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
