"""`InferenceService` to a `ModelSpec`, in ModelMesh's mode and, for the local cluster, in KServe's own.

All else of the object is silently passed over, as ModelMesh does: resources, replicas, transformers.
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter.controller.manifests.annotations import DEPLOYMENT_MODE, SERVING_RUNTIME, annotation
from adapter.controller.manifests.blocks import PREDICTOR_FIELD, Block, block_of, kserve_protocol
from adapter.controller.manifests.complaints import BadManifest, Complaint, shown
from adapter.controller.manifests.copy_rules import read_copy_rules
from adapter.controller.manifests.identity import read_identity
from adapter.controller.manifests.locations import read_location
from adapter.controller.manifests.model_shapes import ModelShape, ServiceShape
from adapter.controller.manifests.reading import Shape, fitted, section
from adapter.domain.kinds import INFERENCE_SERVICE, Manifest
from adapter.domain.specs import DeploymentMode, Identity, ModelFormat, ModelSpec, Source

_MODES: Final = {
    "ModelMesh": DeploymentMode.MODELMESH,
    "Standard": DeploymentMode.STANDARD,
    "RawDeployment": DeploymentMode.STANDARD,
    "Knative": DeploymentMode.KNATIVE,
    "Serverless": DeploymentMode.KNATIVE,
    "": DeploymentMode.STANDARD,
}
"""By annotation; each mode of KServe's has an older name too (reference: KServe 1.10)."""

_SERVICE_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


class _Spec(Shape):
    predictor: dict[str, object]


def is_modelmesh(manifest: Manifest) -> bool:
    """Whether it is declared for ModelMesh; nobody else's is looked at on Kubernetes."""
    return _told_mode(manifest) == DeploymentMode.MODELMESH.value


def read_service(manifest: Manifest, *, on_this_machine: bool) -> ModelSpec:
    """What it says. Raises `BadManifest` with every complaint."""
    complaints: list[Complaint] = []
    identity = read_identity(manifest, INFERENCE_SERVICE, complaints)
    mode = _mode(manifest, complaints)
    annotations = {} if identity is None else identity.annotations
    rules = read_copy_rules(annotations, complaints)
    service = _service(manifest, complaints)
    block = None if service is None else block_of(mode, service, identity, complaints)
    if service is None or block is None:
        raise BadManifest(complaints)
    complaints += _kserve_complaints(mode, service, identity)
    read = fitted(ModelShape, block.content, at=block.field, complaints=complaints)
    if read is None:
        raise BadManifest(complaints)
    form = _format(block, read, complaints)
    storage = read_location(
        read, annotations, at=block.field, on_this_machine=on_this_machine, complaints=complaints
    )
    if identity is None or form is None or storage is None or complaints:
        raise BadManifest(complaints)
    is_kserves = mode is not DeploymentMode.MODELMESH
    defaulted = kserve_protocol(block, form.name) if is_kserves else None
    return ModelSpec(
        identity=identity,
        source=Source.INFERENCE_SERVICE,
        format=form,
        mode=mode,
        storage=storage,
        runtime=_runtime(mode, block, read, annotations),
        protocol=read.protocol_version or defaulted,
        multi_node=is_kserves and service.worker_spec is not None,
        rules=rules,
    )


def _told_mode(manifest: Manifest) -> object:
    """What the annotation says; it is looked at before all else, whatever the object is like."""
    metadata = manifest.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return annotations.get(DEPLOYMENT_MODE) if isinstance(annotations, Mapping) else None


def _mode(manifest: Manifest, complaints: list[Complaint]) -> DeploymentMode:
    told = _told_mode(manifest)
    if not isinstance(told, str):  # if it is no string, that is complained of already
        return DeploymentMode.STANDARD
    mode = _MODES.get(told)
    if mode is None:
        text = f"must be ModelMesh, Standard (RawDeployment) or Knative (Serverless), not '{shown(told)}'"
        complaints.append(Complaint(annotation(DEPLOYMENT_MODE), text))
    return mode or DeploymentMode.STANDARD


def _service(manifest: Manifest, complaints: list[Complaint]) -> ServiceShape | None:
    spec = fitted(_Spec, section(manifest, "spec"), at="spec", complaints=complaints)
    if spec is None:
        return None
    return fitted(ServiceShape, spec.predictor, at=PREDICTOR_FIELD, complaints=complaints)


def _kserve_complaints(
    mode: DeploymentMode, service: ServiceShape, identity: Identity | None
) -> list[Complaint]:
    if mode is DeploymentMode.MODELMESH:
        return []
    complaints = []
    if identity is not None and not _SERVICE_NAME.fullmatch(identity.name):
        text = "must begin with a letter, and have only lower-case letters, digits and dashes after it"
        complaints.append(Complaint("metadata.name", text))
    if service.storage_uris is not None:
        text = "are not served here; put the model into one place and name it in storageUri"
        complaints.append(Complaint(f"{PREDICTOR_FIELD}.storageUris", text))
    if service.worker_spec is not None and mode is not DeploymentMode.STANDARD:
        complaints.append(Complaint(f"{PREDICTOR_FIELD}.workerSpec", "needs the deployment mode Standard"))
    return complaints


def _format(block: Block, read: ModelShape, complaints: list[Complaint]) -> ModelFormat | None:
    if block.framework is not None:
        return ModelFormat(name=block.framework)
    if read.model_format is None:
        complaints.append(Complaint(f"{block.field}.modelFormat", "is missing"))
        return None
    return ModelFormat(name=read.model_format.name, version=read.model_format.version or None)


def _runtime(
    mode: DeploymentMode, block: Block, read: ModelShape, annotations: Mapping[str, str]
) -> str | None:
    """The one that is named; only ModelMesh knows one for the older schema."""
    if block.framework is None:
        return read.runtime or None
    return annotations.get(SERVING_RUNTIME) or None if mode is DeploymentMode.MODELMESH else None
