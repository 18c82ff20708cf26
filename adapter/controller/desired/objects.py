"""All objects that a plan stands for, and all that could be there by its name and must not."""

from collections.abc import Mapping
from dataclasses import dataclass

from adapter.controller.desired.autoscaler import autoscaler
from adapter.controller.desired.checks import check
from adapter.controller.desired.deployment import deployment
from adapter.controller.desired.disruption_budget import disruption_budget
from adapter.controller.desired.door import door, door_name
from adapter.controller.desired.names import CONSTRAINTS_NAME, MONITOR_NAME, POLICY_NAME
from adapter.controller.desired.namespace import (
    constraints_map,
    etcd_secret,
    has_monitor,
    network_policy,
    service,
    service_monitor,
)
from adapter.controller.plans import NamespacePlan, RuntimePlan
from adapter.domain.kinds import (
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    SECRET,
    SERVICE,
    SERVICE_MONITOR,
    Key,
    Kind,
    Manifest,
)

RUNTIME_KINDS = (AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET)
"""What a runtime has; all of one name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be, in the order to make it, and what is not, to be removed first."""

    there: tuple[tuple[Kind, Manifest], ...]
    gone: tuple[Key, ...] = ()


def runtime_objects(plan: RuntimePlan) -> Wanted:
    """Of one runtime. Raises `BadManifest`."""
    check(plan)
    there = [(DISRUPTION_BUDGET, disruption_budget(plan)), (DEPLOYMENT, deployment(plan))]
    if plan.autoscaling is None or plan.replicas == 0:
        # Else it would go on to say how many.
        unwanted = Key(kind=AUTOSCALER, name=plan.name, namespace=plan.namespace)
        return Wanted(there=tuple(there), gone=(unwanted,))
    return Wanted(there=(*there, (AUTOSCALER, autoscaler(plan, plan.autoscaling))))


def namespace_objects(plan: NamespacePlan, constraints: Mapping[str, bytes]) -> Wanted:
    """Of one namespace; `constraints` are the entries of `tc-config`."""
    has_runtimes, connection = bool(plan.runtimes), plan.etcd_connection
    copied = has_runtimes and connection is not None
    told: list[tuple[Kind, str, Manifest | None]] = [
        (NETWORK_POLICY, POLICY_NAME, network_policy(plan)),
        (SERVICE, plan.config.service_name, service(plan)),
        (CONFIG_MAP, CONSTRAINTS_NAME, constraints_map(plan, constraints) if has_runtimes else None),
        (SECRET, plan.etcd_secret, etcd_secret(plan, connection or b"") if copied else None),
        # Without runtimes it would wait for objects that are not there.
        (DEPLOYMENT, door_name(plan.config.service_name), door(plan) if plan.door and has_runtimes else None),
    ]
    if plan.has_service_monitor:
        told.append((SERVICE_MONITOR, MONITOR_NAME, service_monitor(plan) if has_monitor(plan) else None))
    return Wanted(
        there=tuple((kind, manifest) for kind, _, manifest in told if manifest is not None),
        gone=tuple(
            Key(kind=kind, name=name, namespace=plan.namespace)
            for kind, name, manifest in told
            if manifest is None
        ),
    )


def namespace_keys(namespace: str, *, etcd_secret_name: str) -> tuple[Key, ...]:
    """What a namespace has by a name that never changes, besides its Service."""
    named = {
        NETWORK_POLICY: POLICY_NAME,
        SERVICE_MONITOR: MONITOR_NAME,
        CONFIG_MAP: CONSTRAINTS_NAME,
        SECRET: etcd_secret_name,
    }
    return tuple(Key(kind=kind, name=name, namespace=namespace) for kind, name in named.items())
