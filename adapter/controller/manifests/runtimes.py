"""`ServingRuntime` and `ClusterServingRuntime`: from the object to a `RuntimeSpec`.

Whether a runtime may run as it is written is another question: `runtime_rules`.
"""

from collections.abc import Mapping
from typing import cast

from adapter.controller.manifests.complaints import BadManifest, Complaint
from adapter.controller.manifests.identity import read_identity
from adapter.controller.manifests.reading import fitted, kind_among, section
from adapter.controller.manifests.runtime_shapes import AdapterShape, FormatShape, RuntimeShape
from adapter.domain.kinds import CLUSTER_SERVING_RUNTIME, SERVING_RUNTIME, Manifest
from adapter.domain.specs import BuiltInAdapter, Identity, RuntimeSpec, SupportedFormat


def read_runtime(manifest: Manifest) -> RuntimeSpec:
    """What it says. Raises `BadManifest` with every complaint."""
    kind = kind_among(manifest, (SERVING_RUNTIME, CLUSTER_SERVING_RUNTIME))
    complaints: list[Complaint] = []
    identity = read_identity(manifest, kind, complaints)
    spec = section(manifest, "spec")
    read = fitted(RuntimeShape, spec, at="spec", complaints=complaints)
    if identity is None or read is None or complaints:
        raise BadManifest(complaints)
    return _runtime(identity, read, cast("Mapping[str, object]", spec))


def _runtime(identity: Identity, read: RuntimeShape, spec: Mapping[str, object]) -> RuntimeSpec:
    return RuntimeSpec(
        identity=identity,
        formats=tuple(map(_format, read.supported_model_formats or ())),
        multi_model=bool(read.multi_model),
        disabled=bool(read.disabled),
        protocols=tuple(read.protocol_versions or ()),
        multi_node=read.worker_spec is not None,
        containers=_kept(spec, "containers"),
        grpc_endpoint=read.grpc_endpoint,
        grpc_data_endpoint=read.grpc_data_endpoint,
        http_data_endpoint=read.http_data_endpoint,
        adapter=_adapter(read.built_in_adapter, spec),
        replicas=read.replicas,
        storage_helper_disabled=bool(read.storage_helper and read.storage_helper.disabled),
        volumes=_kept(spec, "volumes"),
        image_pull_secrets=_kept(spec, "imagePullSecrets"),
        node_selector=read.node_selector or {},
        tolerations=tuple(read.tolerations or ()),
        affinity=read.affinity or {},
        labels=read.labels or {},
        annotations=read.annotations or {},
    )


def _format(read: FormatShape) -> SupportedFormat:
    return SupportedFormat(
        name=read.name,
        version=read.version or None,
        auto_select=bool(read.auto_select),
        priority=read.priority,
    )


def _adapter(read: AdapterShape | None, spec: Mapping[str, object]) -> BuiltInAdapter | None:
    if read is None:
        return None
    return BuiltInAdapter(
        server_type=read.server_type,
        management_port=read.runtime_management_port,
        buffer_bytes=read.mem_buffer_bytes,
        loading_timeout_ms=read.model_loading_timeout_millis,
        env=_kept(cast("Mapping[str, object]", spec["builtInAdapter"]), "env"),
    )


def _kept(part: Mapping[str, object], name: str) -> tuple[Manifest, ...]:
    """The objects of a list as they were written, but for what is `null`: that is as if it were not there."""
    entries = cast("list[Manifest]", part.get(name) or [])
    return tuple({key: value for key, value in entry.items() if value is not None} for entry in entries)
