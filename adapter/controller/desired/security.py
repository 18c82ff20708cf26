"""What containers may not do."""

from adapter.controller.desired.names import PRESTOP_PORT
from adapter.domain.kinds import Manifest


def of_ours() -> Manifest:
    """Of containers that we bring: the restricted pod security standard, and nothing to write but volumes."""
    return {**of_runtimes(), "readOnlyRootFilesystem": True, "runAsNonRoot": True}


def of_runtimes() -> Manifest:
    """Of a runtime's container that says nothing itself: no privilege, no capability.

    Its user and its root are its image's: servers write where they like.
    """
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pre_stop() -> Manifest:
    """Answers when the instance has left the mesh; whoever asks first has it leave (ModelMesh core 7.3)."""
    return {"preStop": {"httpGet": {"path": "/prestop", "port": PRESTOP_PORT, "scheme": "HTTP"}}}
