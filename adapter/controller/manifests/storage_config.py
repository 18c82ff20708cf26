"""The Secret `storage-config`, entry by entry (reference: serving controller 3.10, KServe 5.3).

A bad entry never harms another. What an entry holds is in no message.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from adapter.controller.manifests.complaints import Complaint
from adapter.controller.manifests.reading import joined, kind_of_json
from adapter.controller.manifests.shapes import is_subdomain
from adapter.domain.kinds import Manifest

ENTRY_CHARS_MAX = 1 << 20
"""No Secret is larger."""

STORAGE_TYPES = frozenset(("s3", "pvc", "gcs", "azure", "http", "https", "hdfs", "webhdfs", "local", "file"))
"""ModelMesh's, KServe's and ours together, whoever can pull from them."""


class StorageEntries(NamedTuple):
    """What is to be known of the Secret."""

    claims: tuple[str, ...]
    """PersistentVolumeClaims that entries name, sorted; each once."""
    complaints: Mapping[str, Complaint]
    """By entry; those that are fine are not in it."""


class _Unusable(Exception):
    """The text says why; the place is a field within the entry."""

    def __init__(self, text: str, place: str = "") -> None:
        super().__init__(text)
        self.place = place


def read_entries(manifest: Manifest) -> StorageEntries:
    """Look at each entry of `data`, and of `stringData`, which a file may have."""
    claims: set[str] = set()
    complaints: dict[str, Complaint] = {}
    for part, name, value in _entries(manifest):
        try:
            claim = _claim(_fields(value, is_encoded=part == "data"))
        except _Unusable as error:
            at = joined(part, name, *filter(None, [error.place]))
            complaints[name] = Complaint(at, str(error))
        else:
            complaints.pop(name, None)
            claims |= set() if claim is None else {claim}
    return StorageEntries(tuple(sorted(claims)), complaints)


def _entries(manifest: Manifest) -> Iterator[tuple[str, str, object]]:
    for part in ("data", "stringData"):  # the latter wins, as the API server has it
        found = manifest.get(part)
        if isinstance(found, Mapping):
            over = manifest.get("stringData") if part == "data" else None
            hidden = over if isinstance(over, Mapping) else {}
            yield from ((part, str(name), value) for name, value in found.items() if name not in hidden)


def _fields(value: object, *, is_encoded: bool) -> Mapping[str, object]:
    if not isinstance(value, str):
        raise _Unusable(f"must be a string, not {kind_of_json(value)}")
    if len(value) > 2 * ENTRY_CHARS_MAX:
        raise _Unusable(f"must have at most {ENTRY_CHARS_MAX} bytes")
    try:
        fields = json.loads(_decoded(value) if is_encoded else value)
    except (ValueError, RecursionError):  # the cause would carry the text
        raise _Unusable('must be a JSON object, such as {"type": "s3", ...}') from None
    if not isinstance(fields, dict):
        raise _Unusable(f'must be a JSON object, such as {{"type": "s3", ...}}, not {kind_of_json(fields)}')
    return fields


def _decoded(value: str) -> bytes:
    try:
        # A block of YAML has line ends in it, which the API server does not mind.
        return base64.b64decode(value.replace("\n", "").replace("\r", "").encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _Unusable("must be base64; plain text goes into stringData") from None


def _claim(fields: Mapping[str, object]) -> str | None:
    kind = fields.get("type")
    if kind is None:
        return None  # the model's own parameters may say it
    if not isinstance(kind, str) or kind not in STORAGE_TYPES:
        raise _Unusable(f"must be one of {', '.join(sorted(STORAGE_TYPES))}", "type")
    if kind != "pvc":
        return None
    name = fields.get("name")
    if not isinstance(name, str) or not is_subdomain(name):
        raise _Unusable("must be the name of a PersistentVolumeClaim", "name")
    return name
