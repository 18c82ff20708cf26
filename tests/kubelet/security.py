"""The `securityContext` of a pod and a container, as the sandbox is told it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LISTED = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL
SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
NAMES = LISTED.split()
"""In the order of their numbers (capabilities(7))."""
OFTEN = "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT"
USUAL = frozenset(f"{OFTEN} MKNOD AUDIT_WRITE SETFCAP".split())
"""What container runtimes leave to a container that asks for nothing."""

ROOT_NOT_ALLOWED = "container has runAsNonRoot and image will run as root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a container may do."""

    user: int
    group: int
    groups: tuple[int, ...]
    capabilities: tuple[int, ...]
    no_new_privileges: bool
    read_only_root: bool


def rights(pod: Mapping[str, Any], container: Mapping[str, Any], *, image_user: int) -> Rights:
    """By the container's context, the pod's, and the image's user. Raises `ValueError` if they contradict."""
    of_pod = pod.get("spec", {}).get("securityContext") or {}
    own = container.get("securityContext") or {}
    asked = {**of_pod, **own}
    user = asked.get("runAsUser", image_user)
    if asked.get("runAsNonRoot") and user == 0:
        raise ValueError(ROOT_NOT_ALLOWED)
    more = [*of_pod.get("supplementalGroups", []), of_pod.get("fsGroup")]
    return Rights(
        user=user,
        group=asked.get("runAsGroup", 0),
        groups=tuple(group for group in more if group is not None),
        capabilities=capabilities(own),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False,
        read_only_root=own.get("readOnlyRootFilesystem") is True,
    )


def capabilities(context: Mapping[str, Any]) -> tuple[int, ...]:
    """The numbers of those it keeps."""
    if context.get("privileged"):
        return tuple(range(len(NAMES)))
    told = context.get("capabilities") or {}
    kept = (USUAL - _expanded(told.get("drop", ()))) | _expanded(told.get("add", ()))
    return tuple(number for number, name in enumerate(NAMES) if name in kept)


def _expanded(names: Iterable[str]) -> frozenset[str]:
    plain = {name.upper().removeprefix("CAP_") for name in names}
    return frozenset(NAMES) if "ALL" in plain else frozenset(plain)
