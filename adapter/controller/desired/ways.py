"""Who tells a runtime to load, and who pulls its models; decides which containers are in the pod."""

from enum import Enum
from typing import Final

from adapter.domain.specs import RuntimeSpec

DRIVEN: Final = frozenset({"python", "mlserver"})
"""Server types that the instance drives itself (`REMESH_RUNTIME`)."""


class Way(Enum):
    """How the instance and the runtime of a pod come together."""

    DRIVEN = "the instance pulls, and drives the server"
    FOREIGN_ADAPTER = "ModelMesh's adapter pulls and drives the server; the instance calls the adapter"
    PULLED = "the instance pulls, and calls the runtime's own SPI"
    NONE = "there is no runtime; the instance passes calls on"
    PASSED_ON = "the runtime is told paths and keys as they were registered"

    @property
    def pulls(self) -> bool:
        """Whether the instance needs the storage keys, the models' folder and the claims."""
        return self in {Way.DRIVEN, Way.PULLED}


def way_of(runtime: RuntimeSpec) -> Way:
    """As its `builtInAdapter` and `storageHelper` say; with an adapter the latter says nothing."""
    if not runtime.containers:
        return Way.NONE
    if runtime.adapter is not None:
        return Way.DRIVEN if runtime.adapter.server_type in DRIVEN else Way.FOREIGN_ADAPTER
    return Way.PASSED_ON if runtime.storage_helper_disabled else Way.PULLED
