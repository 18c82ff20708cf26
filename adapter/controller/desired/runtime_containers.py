"""The containers that a runtime declares, with what the pod adds (reference: serving controller 3.5)."""

from collections.abc import Iterable

from adapter.controller.desired import security
from adapter.controller.desired.sockets import socket_mounts
from adapter.controller.desired.volumes import claim_mounts, models_mount
from adapter.controller.plans import RuntimePlan
from adapter.domain.kinds import Manifest


def runtime_containers(plan: RuntimePlan) -> list[Manifest]:
    """In the order declared."""
    return [_completed(plan, container) for container in plan.runtime.containers]


def _completed(plan: RuntimePlan, container: Manifest) -> Manifest:
    found = dict(container)
    found.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    if not found.get("securityContext"):
        found["securityContext"] = security.of_runtimes()
    if container.get("ports"):
        # Part of what names a port in server-side apply, so it is said.
        found["ports"] = [{"protocol": "TCP", **port} for port in container["ports"]]
    found["volumeMounts"] = _mounts(plan, container.get("volumeMounts") or ())
    # The server stays until the instance has left the mesh.
    found["lifecycle"] = security.pre_stop()
    return found


def _mounts(plan: RuntimePlan, own: Iterable[Manifest]) -> list[Manifest]:
    """Ours, but for the places where it has something of its own; then those of its own."""
    own = list(own)
    taken = {str(mount.get("mountPath", "")).rstrip("/") for mount in own}
    ours = [models_mount(), *claim_mounts(plan), *socket_mounts(plan.runtime)]
    return [*(mount for mount in ours if mount["mountPath"] not in taken), *own]
