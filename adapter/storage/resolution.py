"""Which storage a model key means: base settings, then overrides (reference: runtime adapter 2.4).

The order, which decides what wins: the secret's fields; `default_bucket` as an alias of `bucket`, for S3; the
key's deprecated `bucket`; `storage_params`, by dot path, `type` among them.
"""

from collections.abc import Mapping

from adapter.domain.errors import BadModelKey
from adapter.storage.model_key import ModelKey
from adapter.storage.repository import StorageConfig

NO_TYPE = "Predictor Storage field missing"
"""ModelMesh's words for a storage whose type nobody says."""


def default_key(key: ModelKey) -> str:
    """The secret key that is tried when the model key names none: there is one default for each type."""
    kind = key.storage_params.get("type")
    return f"default_{kind}" if kind else "default"


def resolved(
    key: ModelKey, base: Mapping[str, object], *, secret_key: str | None, why_none: str = ""
) -> StorageConfig:
    """The storage to pull from. `base` is what the secret says under `secret_key`, if there is one.

    `why_none` is for the message when nothing says the type. Raises `BadModelKey`.
    """
    fields = dict(base)
    if fields.get("type") == "s3" and "bucket" not in fields and "default_bucket" in fields:
        fields["bucket"] = fields["default_bucket"]
    if key.bucket and "bucket" in fields:
        fields["bucket"] = key.bucket
    # Sorted, so that two overrides that interact always do it alike.
    for path in sorted(key.storage_params):
        fields = _overridden(fields, path, key.storage_params[path])
    kind = fields.get("type")
    if not isinstance(kind, str):
        raise BadModelKey(
            f"{NO_TYPE}: no storage key is named, {why_none or 'its entry has no type'}, "
            "and storage_params has no type; name a storage key, or give the type"
            if secret_key is None
            else f"{NO_TYPE}: the entry of storage key '{secret_key}' has no `type`; "
            "add one, such as s3, to the secret or to storage_params"
        )
    return StorageConfig(type=kind, fields=fields, secret_key=secret_key)


def _overridden(fields: Mapping[str, object], path: str, value: str) -> dict[str, object]:
    """A copy of `fields` with `value` at the dot path; objects on the way are made where there are none."""
    top = dict(fields)
    *steps, last = path.split(".")
    level = top
    for depth, step in enumerate(steps, start=1):
        below = level.get(step, {})
        if not isinstance(below, dict):
            raise _cannot(path, f"`{'.'.join(steps[:depth])}` is there and is no object")
        level[step] = level = dict(below)
    if not isinstance(level.get(last, ""), str):
        raise _cannot(path, "what is there already is no string")
    level[last] = value
    return top


def _cannot(path: str, why: str) -> BadModelKey:
    return BadModelKey(f"storage_params.{path} cannot be set: {why}")
