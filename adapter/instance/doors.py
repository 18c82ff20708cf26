"""Which methods are ours rather than the runtime's, and who may call those that manage.

By setting, management answers only at a port or socket of its own, or only to clients with certain names in
their certificates; inference is for everybody. ModelMesh has no such distinction.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from adapter.domain.errors import CallerNotAllowed
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Caller
from adapter.servers import health, management, peer, reflection
from adapter.wire.dataplane import V2_SERVICE

_MANAGING_SERVICES: Final = frozenset({management.SERVICE, management.LEGACY_SERVICE})
_MANAGING_METHODS: Final = frozenset(
    f"{V2_SERVICE}/{method}" for method in ("RepositoryModelLoad", "RepositoryModelUnload")
)
_SERVICES: Final = _MANAGING_SERVICES | {
    health.SERVICE,
    peer.MESH_SERVICE,
    reflection.SERVICE,
    reflection.NEW_SERVICE,
}
_METHODS: Final = _MANAGING_METHODS | {
    f"{V2_SERVICE}/{method}"
    for method in ("ServerLive", "ServerReady", "ServerMetadata", "ModelReady", "RepositoryIndex")
}


@dataclass(slots=True, kw_only=True)
class Doors:
    """Where what is ours is answered."""

    own_port_only: bool = False
    """Management answers at its own port or socket, and nowhere else."""
    client_names: Collection[str] = ()
    """If there are any: management answers to clients with one of these names."""
    door: Upstream | None = None

    def door_of(self, rpc: str, *, from_peer: bool = False) -> Upstream | None:
        """Where this method is answered if it is ours; other instances may call more than clients."""
        service = rpc.partition("/")[0]
        if service in _SERVICES or rpc in _METHODS or (from_peer and service == peer.PEER_SERVICE):
            return self.door
        return None

    def check(self, rpc: str, caller: Caller) -> None:
        """Raise `CallerNotAllowed` for a management method that this caller may not call."""
        if not (self.own_port_only or self.client_names) or not _manages(rpc):
            return
        if self.own_port_only and not caller.from_management:
            raise CallerNotAllowed(f"{rpc} is answered only at this instance's management address")
        if caller.names is None and caller.from_management:
            return  # by the management socket, which speaks no TLS: who may open its file may manage
        if self.client_names and not (caller.names or frozenset()).intersection(self.client_names):
            raise CallerNotAllowed(
                f"{rpc} is answered only to the clients that REMESH_MANAGEMENT_CLIENTS names"
            )


def _manages(rpc: str) -> bool:
    return rpc.partition("/")[0] in _MANAGING_SERVICES or rpc in _MANAGING_METHODS
