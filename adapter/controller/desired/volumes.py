"""The volumes of a pod, and where its containers have them (reference: serving controller 3.10)."""

import hashlib
import re
from typing import Final

from adapter.controller.desired.declared import resource
from adapter.controller.desired.names import (
    CLAIMS_FOLDER,
    CONSTRAINTS_NAME,
    CONSTRAINTS_VOLUME,
    ETCD_VOLUME,
    LABEL_CHARS_MAX,
    MODELS_DISK_ANNOTATION,
    MODELS_FOLDER,
    MODELS_VOLUME,
    SOCKET_VOLUME,
    STORAGE_FOLDER,
    STORAGE_VOLUME,
    TLS_VOLUME,
    TMP_VOLUME,
)
from adapter.controller.desired.sockets import socket_folders
from adapter.controller.desired.ways import Way, way_of
from adapter.controller.plans import RuntimePlan
from adapter.controller.quantities import as_quantity, parse_bytes, scaled
from adapter.domain.kinds import Manifest
from adapter.domain.specs import RuntimeSpec

DISK_BY_MEMORY: Final = "1.5"
"""The models' folder has so much of the containers' memory limits."""
TMP_SIZE: Final = "64Mi"
TMP_FOLDER: Final = "/tmp"  # noqa: S108 - in the container
ADAPTER_TMP_VOLUME: Final = "mm-adapter-tmp"

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_OF_OURS: Final = frozenset(
    {MODELS_VOLUME, SOCKET_VOLUME, STORAGE_VOLUME, CONSTRAINTS_VOLUME, ETCD_VOLUME, TLS_VOLUME}
)


def volumes(plan: RuntimePlan) -> list[Manifest]:
    """All of the pod's; the runtime's own come first."""
    runtime, way = plan.runtime, way_of(plan.runtime)
    found: list[Manifest] = [*runtime.volumes]
    if way is not Way.NONE:
        found.append({"name": MODELS_VOLUME, "emptyDir": _models_room(runtime)})
    if socket_folders(runtime):
        found.append({"name": SOCKET_VOLUME, "emptyDir": {}})
    if way not in {Way.NONE, Way.PASSED_ON}:
        # Optional: models may come from claims, or from where no key is needed.
        found.append(_secret(STORAGE_VOLUME, plan.config.storage_secret_name, optional=True))
    found += [_claim(plan, claim) for claim in plan.claims]
    found.append({"name": CONSTRAINTS_VOLUME, "configMap": {"name": CONSTRAINTS_NAME}})
    found.append(_secret(ETCD_VOLUME, plan.etcd_secret))
    if plan.config.tls.secret_name:
        found.append(_secret(TLS_VOLUME, plan.config.tls.secret_name))
    found.append({"name": TMP_VOLUME, "emptyDir": {"sizeLimit": TMP_SIZE}})
    if way is Way.FOREIGN_ADAPTER:
        found.append({"name": ADAPTER_TMP_VOLUME, "emptyDir": {"sizeLimit": TMP_SIZE}})
    return found


def tmp_mounts(runtime: RuntimeSpec, volume: str) -> list[Manifest]:
    """Where a container of ours may write, its root being read-only."""
    return [] if TMP_FOLDER in socket_folders(runtime) else [{"name": volume, "mountPath": TMP_FOLDER}]


def models_mount() -> Manifest:
    """The folder that the models are pulled to."""
    return {"name": MODELS_VOLUME, "mountPath": MODELS_FOLDER}


def storage_mount() -> Manifest:
    """The storage keys, one file each."""
    return {"name": STORAGE_VOLUME, "mountPath": STORAGE_FOLDER, "readOnly": True}


def claim_mounts(plan: RuntimePlan) -> list[Manifest]:
    """The claims that models may lie on; nobody writes there."""
    return [
        {"name": _claim_volume(plan, claim), "mountPath": f"{CLAIMS_FOLDER}/{claim}", "readOnly": True}
        for claim in plan.claims
    ]


def _models_room(runtime: RuntimeSpec) -> Manifest:
    """A pod that outgrows it is evicted, with all of its models; so people may say how much there is."""
    told = runtime.identity.annotations.get(MODELS_DISK_ANNOTATION)
    if told is not None:
        return {"sizeLimit": told.strip()}
    limits = [resource(container, "limits", "memory") for container in runtime.containers]
    memory_bytes = sum(parse_bytes(limit) for limit in limits if limit is not None)
    return {"sizeLimit": as_quantity(scaled(memory_bytes, DISK_BY_MEMORY))} if memory_bytes else {}


def _secret(volume: str, secret: str, *, optional: bool = False) -> Manifest:
    return {"name": volume, "secret": {"secretName": secret, **({"optional": True} if optional else {})}}


def _claim(plan: RuntimePlan, claim: str) -> Manifest:
    return {
        "name": _claim_volume(plan, claim),
        "persistentVolumeClaim": {"claimName": claim, "readOnly": True},
    }


def _claim_volume(plan: RuntimePlan, claim: str) -> str:
    """The claim's name, unless that is no name for a volume, or another volume's."""
    taken = (
        claim in _OF_OURS
        or claim.startswith("mm-")
        or any(v.get("name") == claim for v in plan.runtime.volumes)
    )
    if not taken and len(claim) <= LABEL_CHARS_MAX and _LABEL.fullmatch(claim):
        return claim
    return f"mm-pvc-{hashlib.sha256(claim.encode()).hexdigest()[:16]}"
