"""Unix sockets between the containers of a pod: they share the folder that the sockets are in."""

from pathlib import PurePosixPath

from adapter.controller.desired.names import SOCKET_VOLUME
from adapter.domain.kinds import Manifest
from adapter.domain.specs import Endpoint, RuntimeSpec


def socket_folders(runtime: RuntimeSpec) -> tuple[str, ...]:
    """The folders of the endpoints that are sockets, sorted; sound runtimes have one at most."""
    endpoints = (runtime.grpc_endpoint, runtime.grpc_data_endpoint)
    return tuple(sorted({folder for each in endpoints if (folder := _folder(each))}))


def socket_mounts(runtime: RuntimeSpec) -> list[Manifest]:
    """Where each container has them, whichever of the two endpoints is a socket."""
    return [{"name": SOCKET_VOLUME, "mountPath": folder} for folder in socket_folders(runtime)[:1]]


def endpoint_env(endpoint: Endpoint, *, port: str, socket: str) -> dict[str, object]:
    """The endpoint in the variable for its kind."""
    return {port: endpoint.port} if endpoint.socket is None else {socket: endpoint.socket}


def _folder(endpoint: Endpoint | None) -> str:
    return "" if endpoint is None or endpoint.socket is None else str(PurePosixPath(endpoint.socket).parent)
