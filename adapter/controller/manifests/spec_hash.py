"""The id that a model is registered under (reference: serving controller 5.3).

ModelMesh hashes the JSON that Go's encoder makes of a `PredictorSpec`; clients and stored registrations have
these ids, so the text is the same to the byte.
"""

import hashlib
import json
import re
from typing import Final

from adapter.domain.ids import ModelId
from adapter.domain.specs import ModelSpec, StorageSpec

HASH_BYTES: Final = 5

_ESCAPED: Final = re.compile("[<>&\u2028\u2029]")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def target_id(spec: ModelSpec) -> ModelId:
    """`<name>__<source>-<hash>`: another spec is another model, under the same alias."""
    return ModelId(f"{spec.identity.name}__{spec.source.value}-{spec_hash(spec)}")


def spec_hash(spec: ModelSpec) -> str:
    """Ten hexadecimal digits."""
    digest = hashlib.sha1(canonical_json(spec).encode(), usedforsecurity=False).digest()
    return digest[:HASH_BYTES].hex()


def canonical_json(spec: ModelSpec) -> str:
    """The text that is hashed."""
    text = json.dumps(_predictor(spec), ensure_ascii=False, separators=(",", ":"))
    text = _LONE_SURROGATE.sub("\ufffd", text)  # as Go reads what is no character
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _predictor(spec: ModelSpec) -> dict[str, object]:
    members = {
        "serviceAccountName": spec.service_account or None,
        "modelType": _written(name=spec.format.name, version=spec.format.version),
        "path": spec.path,  # even when it is empty
        "schemaPath": spec.schema_path,
        "storage": None if spec.storage is None else _storage(spec.storage),
        "gpu": spec.gpu or None,
        "runtime": None if spec.runtime is None else {"name": spec.runtime},
        "protocolVersion": spec.protocol,
    }
    return _written(**members)


def _storage(storage: StorageSpec) -> dict[str, object]:
    s3 = storage.s3
    return _written(
        path=storage.path,
        schemaPath=storage.schema_path,
        parameters=None if storage.parameters is None else dict(sorted(storage.parameters.items())),
        key=storage.key,
        s3=None if s3 is None else _written(secretKey=s3.secret_key, bucket=s3.bucket),
    )


def _written(**members: object) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}
