"""The spec of a runtime as JSON (reference: serving controller 1.1; KServe 2.1).

Containers, volumes and the like stay the JSON that they are; what somebody here reads of them is checked.
"""

from typing import Annotated

from pydantic import BeforeValidator, Field

from adapter.controller.manifests.endpoints import parse_endpoint, unused_endpoint
from adapter.controller.manifests.reading import Shape, kind_of_json
from adapter.controller.manifests.shapes import JsonObject, Label, Port, Strings, Text
from adapter.domain.specs import Endpoint

REPLICAS_MAX = 65_535
PRIORITY_MAX = 2**31 - 1
BYTES_MAX = 2**63 - 1
MILLIS_MAX = 2**31 - 1


def _endpoint(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {kind_of_json(value)}")  # noqa: TRY004 - pydantic's way
    return parse_endpoint(value)


def _unused(value: object) -> object:
    return unused_endpoint(value) if isinstance(value, str) else None


def _quantity(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        text = f'must be a quantity, such as "500m" or "1Gi", not {kind_of_json(value)}'
        raise ValueError(text)  # noqa: TRY004 - pydantic's way
    return value


def _unset_if_zero(value: object) -> object:
    """ModelMesh cannot tell 0 from a field that is not there."""
    return None if value == 0 and type(value) is int else value


Quantities = dict[str, Annotated[object, BeforeValidator(_quantity)]]
Read = Annotated[Endpoint | None, BeforeValidator(_endpoint)]


class FormatShape(Shape):
    """One of `supportedModelFormats`."""

    name: Text
    version: str | None = None
    auto_select: bool | None = None
    priority: Annotated[int, Field(ge=1, le=PRIORITY_MAX)] | None = None


class EnvShape(Shape):
    """A variable of a container."""

    name: Text
    value: str | None = None
    value_from: JsonObject | None = None


class _PortShape(Shape):
    name: str | None = None
    container_port: Port
    protocol: str | None = None


class _MountShape(Shape):
    name: Text
    mount_path: Text


class _ResourcesShape(Shape):
    requests: Quantities | None = None
    limits: Quantities | None = None


class ContainerShape(Shape):
    """A container: what is read of it, or made into a process of this machine."""

    name: Label
    image: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[EnvShape] | None = None
    ports: list[_PortShape] | None = None
    volume_mounts: list[_MountShape] | None = None
    resources: _ResourcesShape | None = None
    image_pull_policy: str | None = None
    working_dir: str | None = None
    security_context: JsonObject | None = None
    liveness_probe: JsonObject | None = None
    readiness_probe: JsonObject | None = None
    startup_probe: JsonObject | None = None
    lifecycle: JsonObject | None = None


class _VolumeShape(Shape):
    name: Label


class _ReferenceShape(Shape):
    name: Text


class AdapterShape(Shape):
    """`builtInAdapter`."""

    server_type: Text
    runtime_management_port: Annotated[Port | None, BeforeValidator(_unset_if_zero)] = None
    mem_buffer_bytes: Annotated[int, Field(ge=0, le=BYTES_MAX)] | None = None
    model_loading_timeout_millis: Annotated[
        Annotated[int, Field(ge=1, le=MILLIS_MAX)] | None, BeforeValidator(_unset_if_zero)
    ] = None
    env: list[EnvShape] | None = None


class _HelperShape(Shape):
    disabled: bool | None = None


class _WorkerShape(Shape):
    containers: Annotated[list[ContainerShape], Field(min_length=1)]


class RuntimeShape(Shape):
    """`spec`."""

    supported_model_formats: list[FormatShape] | None = None
    multi_model: bool | None = None
    disabled: bool | None = None
    protocol_versions: list[str] | None = None
    worker_spec: _WorkerShape | None = None
    containers: Annotated[list[ContainerShape], Field(min_length=1)]
    grpc_endpoint: Read = None
    grpc_data_endpoint: Read = None
    http_data_endpoint: Annotated[Endpoint | None, BeforeValidator(_unused)] = None
    built_in_adapter: AdapterShape | None = None
    replicas: Annotated[int, Field(ge=0, le=REPLICAS_MAX)] | None = None
    storage_helper: _HelperShape | None = None
    volumes: list[_VolumeShape] | None = None
    image_pull_secrets: list[_ReferenceShape] | None = None
    node_selector: Strings | None = None
    tolerations: list[JsonObject] | None = None
    affinity: JsonObject | None = None
    labels: Strings | None = None
    annotations: Strings | None = None
