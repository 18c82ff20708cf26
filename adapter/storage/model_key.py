"""The model key: where a model is, and what the runtime reads of it (reference: runtime adapter 2.2, 2.6)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.domain.errors import BadModelKey

STEM = "Invalid modelKey in LoadModelRequest"
"""How ModelMesh's puller begins this complaint; people search their logs for it."""

_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKey:
    """A model key as it was registered. Fields that are not known are passed over, and not kept."""

    model_type: object = None
    """Any JSON, passed through as it is; usually `{"name": "sklearn", "version": "1"}`."""
    storage_key: str | None = None
    """The key of `storage-config`; None: the default that resolution finds."""
    storage_params: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Overrides of the storage's fields, by dot path. They may be credentials."""
    schema_path: str | None = None
    """The remote path of the schema, in the same storage as the model."""
    bucket: str | None = None
    """Deprecated: the bucket, from before `storage_params`."""


def parse_model_key(text: str) -> ModelKey:
    """Read a model key. Names of fields are known in either case; `BadModelKey` says which field is wrong."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        # The cause would carry the whole text, and with it what storage_params hold.
        raise BadModelKey(f"{STEM}: it is not JSON, {error}") from None
    if not isinstance(document, dict):
        raise _wrong("it", "a JSON object", document)
    # Go's decoder, which ModelMesh has, does not care for the case of names.
    fields = {name.lower(): value for name, value in document.items()}
    _check_disk_size(fields.get("disk_size_bytes"))
    return ModelKey(
        model_type=fields.get("model_type"),
        storage_key=_string(fields, "storage_key"),
        storage_params=_params(fields.get("storage_params")),
        schema_path=_string(fields, "schema_path"),
        bucket=_string(fields, "bucket"),
    )


def rewritten(key: ModelKey, *, disk_size_bytes: int, schema_path: str | None) -> str:
    """The key as the runtime gets it: the type, the size on disk, and where the schema lies on this machine.

    What names the storage is gone. The order of the fields and the compact form are ModelMesh's.
    """
    fields: dict[str, object] = {}
    if key.model_type is not None:
        fields["model_type"] = key.model_type
    fields["disk_size_bytes"] = disk_size_bytes
    if schema_path is not None:
        fields["schema_path"] = schema_path
    return json.dumps(fields, separators=(",", ":"))


def _string(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "a string", value)
    return value


def _params(value: object) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong("storage_params", "an object of strings", value)
    for name, override in value.items():
        if not isinstance(override, str):
            raise _wrong(f"storage_params.{name}", "a string", override)
    return value


def _check_disk_size(value: object) -> None:
    # The value itself is made anew; but a key that ModelMesh refuses is refused here too.
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise _wrong("disk_size_bytes", "a whole number", value)


def _wrong(name: str, wanted: str, value: object) -> BadModelKey:
    return BadModelKey(f"{STEM}: {name} must be {wanted}, not {_KINDS.get(type(value), 'a number')}")
