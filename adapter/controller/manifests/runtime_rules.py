"""What a runtime must leave to the containers beside it (reference: serving controller 1.3).

Only runtimes for many models are looked at: those of KServe have their pods for themselves. Beyond ModelMesh:
what would only fail later is complained of here too (two containers of one name, no `grpcEndpoint`, sockets
in two folders, ports that are taken although nobody declared them).
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from adapter.controller.autoscaling import autoscaling_complaints
from adapter.controller.config import ControllerConfig
from adapter.controller.manifests.complaints import Complaint, shown
from adapter.domain.kinds import Manifest
from adapter.domain.specs import BuiltInAdapter, Endpoint, RuntimeSpec

PREFIX: Final = "mm-"
CONTAINER_NAMES: Final = frozenset({"mm", "rest-proxy", "puller"})
CONTAINER_FIELDS: Final = ("readinessProbe", "lifecycle")
MOUNTED_VOLUMES: Final = frozenset({"storage-config", "etcd-config", "tc-config", "domain-socket"})
"""`models-dir` may be mounted by a runtime's container, and so is none of these."""
VOLUME_NAMES: Final = MOUNTED_VOLUMES | {"models-dir", "tls-certs"}
PORT_NAMES: Final = frozenset({"grpc", "http", "prometheus"})

PORTS: Final[Mapping[int, str]] = {
    8080: "other instances",
    8085: "the adapter",
    8089: "probes",
    8090: "the pre-stop hook",
}
PORT_RANGE: Final = range(11_881, 11_900)
ALWAYS_TAKEN: Final = (8080, 8089)
"""Ports of ours that no endpoint can have; the adapter's is one, and the pre-stop hook's can move."""


def runtime_complaints(runtime: RuntimeSpec, config: ControllerConfig) -> tuple[Complaint, ...]:
    """Why it cannot run as it is written; empty: it can."""
    if not runtime.multi_model:
        return ()
    return (
        *autoscaling_complaints(runtime),
        *_of_adapter(runtime, config),
        *_of_endpoints(runtime, config),
        *_of_containers(runtime, config),
        *_of_volumes(runtime),
    )


def _of_adapter(runtime: RuntimeSpec, config: ControllerConfig) -> Iterator[Complaint]:
    adapter = runtime.adapter
    if adapter is None:
        if runtime.grpc_endpoint is None:
            text = "is missing: where models are loaded, such as port:8085; or give a builtInAdapter"
            yield Complaint("spec.grpcEndpoint", text)
        return
    if adapter.server_type not in config.built_in_server_types:
        known = ", ".join(config.built_in_server_types)
        text = f"unrecognized built-in runtime server type {shown(adapter.server_type)}; known are {known}"
        yield Complaint("spec.builtInAdapter.serverType", text)
    if all(each.get("name") != adapter.server_type for each in runtime.containers):
        text = f"must include runtime container with name {shown(adapter.server_type)}"
        yield Complaint("spec.containers", text)
    if runtime.grpc_endpoint is not None and runtime.grpc_endpoint.port is None:
        yield Complaint("spec.grpcEndpoint", "must be port:N with a builtInAdapter, such as port:8085")


def _of_endpoints(runtime: RuntimeSpec, config: ControllerConfig) -> Iterator[Complaint]:
    endpoints = {
        "spec.grpcEndpoint": runtime.grpc_endpoint,
        "spec.grpcDataEndpoint": runtime.grpc_data_endpoint,
    }
    taken = {port: PORTS[port] for port in ALWAYS_TAKEN} | _service_ports(config)
    for field, endpoint in endpoints.items():
        if endpoint is not None and endpoint.port in taken:
            yield Complaint(field, f"port {endpoint.port} is reserved for {taken[endpoint.port]}")
    folders = {_folder(each) for each in endpoints.values() if each is not None and each.socket is not None}
    if len(folders) > 1:
        text = "must be in the same folder as the socket of spec.grpcEndpoint"
        yield Complaint("spec.grpcDataEndpoint", text)


def _folder(endpoint: Endpoint) -> PurePosixPath:
    return PurePosixPath(endpoint.socket or "/").parent


def _service_ports(config: ControllerConfig) -> dict[int, str]:
    ports = {config.service_port: "inference"}
    if config.rest.enabled:
        ports[config.rest.port] = "REST"
    if config.metrics.enabled:
        ports[config.metrics.port] = "metrics"
    return ports


def _of_containers(runtime: RuntimeSpec, config: ControllerConfig) -> Iterator[Complaint]:
    ports = {**PORTS, **_service_ports(config)}
    seen: set[object] = set()
    for index, container in enumerate(runtime.containers):
        at = f"spec.containers[{index}]"
        name = container.get("name")
        if name in seen:
            yield Complaint(f"{at}.name", f"there is a container {name} already")
        seen.add(name)
        if _is_reserved(name, CONTAINER_NAMES | _adapter_name(runtime.adapter)):
            yield Complaint(f"{at}.name", f"container name {name} is reserved")
        for field in CONTAINER_FIELDS:
            if container.get(field) is not None:
                yield Complaint(f"{at}.{field}", f"is not allowed in container {name}: it is set for it")
        yield from _of_mounts(at, container)
        yield from _of_ports(at, container, ports)


def _adapter_name(adapter: BuiltInAdapter | None) -> set[str]:
    return set() if adapter is None else {f"{adapter.server_type}-adapter"}


def _of_mounts(at: str, container: Manifest) -> Iterator[Complaint]:
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        name = mount.get("name")
        if _is_reserved(name, MOUNTED_VOLUMES | {"tls-certs"}):
            text = f"volume {name} is reserved, container {container.get('name')} cannot mount it"
            yield Complaint(f"{at}.volumeMounts[{index}].name", text)


def _of_ports(at: str, container: Manifest, taken: Mapping[int, str]) -> Iterator[Complaint]:
    of = f"container {container.get('name')}"
    for index, port in enumerate(container.get("ports") or ()):
        field, number = f"{at}.ports[{index}]", port.get("containerPort")
        if _is_reserved(port.get("name"), PORT_NAMES):
            yield Complaint(f"{field}.name", f"port name {port.get('name')} of {of} is reserved")
        if number in taken:
            yield Complaint(
                f"{field}.containerPort", f"port {number} of {of} is reserved for {taken[number]}"
            )
        elif number in PORT_RANGE:
            ends = f"{PORT_RANGE[0]} to {PORT_RANGE[-1]}"
            yield Complaint(f"{field}.containerPort", f"port {number} of {of} is one of the reserved {ends}")


def _of_volumes(runtime: RuntimeSpec) -> Iterator[Complaint]:
    for index, volume in enumerate(runtime.volumes):
        name = volume.get("name")
        if _is_reserved(name, VOLUME_NAMES):
            yield Complaint(f"spec.volumes[{index}].name", f"volume name {name} is reserved")


def _is_reserved(name: object, names: frozenset[str] | set[str]) -> bool:
    return isinstance(name, str) and (name in names or name.startswith(PREFIX))
