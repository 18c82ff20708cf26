"""`Predictor` to a `ModelSpec`, by ModelMesh's rules and texts (reference: serving controller 1.6)."""

from typing import Final

from adapter.controller.manifests.complaints import BadManifest, Complaint
from adapter.controller.manifests.copy_rules import read_copy_rules
from adapter.controller.manifests.identity import read_identity
from adapter.controller.manifests.model_shapes import PredictorShape, PredictorStorageShape
from adapter.controller.manifests.reading import fitted, section
from adapter.domain.kinds import PREDICTOR, Manifest
from adapter.domain.records import CopyRules
from adapter.domain.specs import Identity, LegacyS3, ModelFormat, ModelSpec, Source, StorageSpec

_TWO_PATHS: Final = Complaint(
    "spec.storage.path", "Only one of spec.path and spec.storage.path can be specified"
)
_TWO_SCHEMAS: Final = Complaint(
    "spec.storage.schemaPath", "Only one of spec.schemaPath and spec.storage.schemaPath can be specified"
)
_CLAIM: Final = Complaint(
    "spec.storage.persistentVolumeClaim", "spec.storage.PersistentVolumeClaim is not supported"
)
_S3_AND_MORE: Final = Complaint(
    "spec.storage.s3", "spec.storage.s3 cannot be specified with any other keys in spec.storage"
)


def read_predictor(manifest: Manifest) -> ModelSpec:
    """What it says. Raises `BadManifest` with every complaint."""
    complaints: list[Complaint] = []
    identity = read_identity(manifest, PREDICTOR, complaints)
    rules = CopyRules() if identity is None else read_copy_rules(identity.annotations, complaints)
    read = fitted(PredictorShape, section(manifest, "spec"), at="spec", complaints=complaints)
    if read is not None and read.storage is not None:
        complaints += _contradictions(read, read.storage)
    if identity is None or read is None or complaints:
        raise BadManifest(complaints)
    return _model(identity, read, rules)


def _contradictions(read: PredictorShape, storage: PredictorStorageShape) -> list[Complaint]:
    beside_s3 = (storage.path, storage.schema_path, storage.parameters, storage.key)
    found = {
        _TWO_PATHS: bool(read.path) and storage.path is not None,
        _TWO_SCHEMAS: read.schema_path is not None and storage.schema_path is not None,
        _CLAIM: storage.persistent_volume_claim is not None,
        _S3_AND_MORE: storage.s3 is not None and any(each is not None for each in beside_s3),
    }
    return [complaint for complaint, is_so in found.items() if is_so]


def _model(identity: Identity, read: PredictorShape, rules: CopyRules) -> ModelSpec:
    return ModelSpec(
        identity=identity,
        source=Source.PREDICTOR,
        format=ModelFormat(name=read.model_type.name, version=read.model_type.version or None),
        storage=None if read.storage is None else _storage(read.storage),
        path=read.path or "",
        schema_path=read.schema_path,
        # What is empty counts as not written (reference: serving controller 9.4).
        runtime=(read.runtime.name if read.runtime else None) or None,
        protocol=read.protocol_version or None,
        gpu=read.gpu,
        service_account=read.service_account_name or None,
        rules=rules,
    )


def _storage(read: PredictorStorageShape) -> StorageSpec:
    return StorageSpec(
        path=read.path,
        schema_path=read.schema_path,
        parameters=read.parameters,
        key=read.key,
        s3=None if read.s3 is None else LegacyS3(secret_key=read.s3.secret_key, bucket=read.s3.bucket),
    )
