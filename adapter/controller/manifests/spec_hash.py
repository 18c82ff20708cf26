"""The id that a model is registered under (reference: serving controller 5.3).

ModelMesh hashes the JSON that Go's encoder makes of a `PredictorSpec`; clients and stored registrations have
these ids, so the text is the same to the byte.
"""

import hashlib
from typing import Final

from adapter.controller.go_json import go_json
from adapter.domain.ids import ModelId
from adapter.domain.specs import ModelSpec, StorageSpec

HASH_BYTES: Final = 5


def target_id(spec: ModelSpec) -> ModelId:
    """`<name>__<source>-<hash>`: another spec is another model, under the same alias."""
    return ModelId(f"{spec.identity.name}__{spec.source.value}-{spec_hash(spec)}")


def spec_hash(spec: ModelSpec) -> str:
    """Ten hexadecimal digits."""
    digest = hashlib.sha1(canonical_json(spec).encode(), usedforsecurity=False).digest()
    return digest[:HASH_BYTES].hex()


def canonical_json(spec: ModelSpec) -> str:
    """The text that is hashed."""
    members = {
        "serviceAccountName": spec.service_account or None,
        "modelType": {"name": spec.format.name, "version": spec.format.version},
        "path": spec.path,  # even when it is empty
        "schemaPath": spec.schema_path,
        "storage": None if spec.storage is None else _storage(spec.storage),
        "gpu": spec.gpu or None,
        "runtime": None if spec.runtime is None else {"name": spec.runtime},
        "protocolVersion": spec.protocol,
    }
    return go_json(members)


def _storage(storage: StorageSpec) -> dict[str, object]:
    s3 = storage.s3
    return {
        "path": storage.path,
        "schemaPath": storage.schema_path,
        "parameters": None if storage.parameters is None else dict(sorted(storage.parameters.items())),
        "key": storage.key,
        "s3": None if s3 is None else {"secretKey": s3.secret_key, "bucket": s3.bucket},
    }
