"""Records as bytes: JSON objects with ModelMesh's field names (reference: ModelMesh core 3.3, 3.4).

Fields that are as by default are left out. Fields that we do not know are kept in the record and written
back, so that what a newer writer or a ModelMesh left in the store is not lost.
"""

import json
from typing import Final

from adapter.domain.errors import RecordUnreadable
from adapter.domain.records import ModelInfo, ModelRecord

TYPE, PATH, KEY, LAST_USED = "type", "mPath", "encKey", "lu"
TYPE_WHEN_ABSENT: Final = "NLCLASSIFIER"
TRANSIENT: Final = "actionable"
"""A hint between the instances of ModelMesh, which is reset whenever a record is read."""


def encode_model(record: ModelRecord) -> bytes:
    """The record as UTF-8 JSON."""
    info = record.info
    # The type is always written, since an absent one has a meaning of its own.
    known = {TYPE: info.type, PATH: info.path, KEY: info.key, LAST_USED: record.last_used_ms}
    fields = {name: value for name, value in known.items() if value or name == TYPE}
    # ASCII only, so that text which is no proper Unicode survives.
    return json.dumps({**record.unknown, **fields}, separators=(",", ":")).encode("ascii")


def decode_model(key: str, value: bytes) -> ModelRecord:
    """The record that stands under this key. Raises `RecordUnreadable`, which names the key."""
    fields = _object(key, value)
    fields.pop(TRANSIENT, None)
    info = ModelInfo(
        type=_text(key, fields, TYPE, default=TYPE_WHEN_ABSENT),
        path=_text(key, fields, PATH),
        key=_text(key, fields, KEY),
    )
    return ModelRecord(info=info, last_used_ms=_whole(key, fields, LAST_USED), unknown=fields)


def _object(key: str, value: bytes) -> dict[str, object]:
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise _unreadable(key, f"not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise _unreadable(key, f"a JSON {type(fields).__name__} instead of an object")
    return fields


def _text(key: str, fields: dict[str, object], name: str, *, default: str = "") -> str:
    """Take out a text; what is null is as good as absent."""
    value = fields.pop(name, None)
    if value is None:
        return default
    if not isinstance(value, str):
        raise _unreadable(key, f"field {name} is not a text")
    return value


def _whole(key: str, fields: dict[str, object], name: str) -> int:
    value = fields.pop(name, None)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unreadable(key, f"field {name} is not a whole number")
    return value


def _unreadable(key: str, problem: str) -> RecordUnreadable:
    return RecordUnreadable(
        f"the record at {key} in the registry cannot be read: {problem}; "
        "unregister the model and register it again"
    )
