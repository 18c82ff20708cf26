"""The door of a namespace: instances without a runtime, which hold calls while all runtimes sleep."""

from typing import Final

from adapter.controller.desired.deployment import deployment
from adapter.controller.desired.names import DOOR_LABEL, RUNTIME_LABEL
from adapter.controller.plans import NamespacePlan, RuntimePlan
from adapter.domain.kinds import Manifest
from adapter.domain.specs import Identity, RuntimeSpec

NAME: Final = "-door"
"""As if it were a runtime's: no runtime can be called so, and so none has its Deployment."""
DOORS_MAX: Final = 2
"""So many are enough, however many pods a runtime has."""


def door_name(service: str) -> str:
    """Of the Deployment, by the name of its namespace's Service."""
    return f"{service}-{NAME}"


def door(plan: NamespacePlan) -> Manifest:
    """Its Deployment: a pod as a runtime's, but of one container, which has nowhere to load models."""
    pretended = RuntimePlan(
        namespace=plan.namespace,
        runtime=RuntimeSpec(identity=Identity(name=NAME, namespace=plan.namespace)),
        labels=(),
        replicas=min(max(plan.config.pods_per_runtime, 1), DOORS_MAX),
        config=plan.config,
        etcd_secret=plan.etcd_secret,
        has_ca=plan.has_ca,
        stamp=plan.stamp,
    )
    made = deployment(pretended)
    for metadata in (made["metadata"], made["spec"]["template"]["metadata"]):
        del metadata["labels"][RUNTIME_LABEL]
        metadata["labels"][DOOR_LABEL] = "true"
    if plan.owner is not None:
        made["metadata"]["ownerReferences"] = [plan.owner]
    return made
