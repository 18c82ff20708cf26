"""A model that another puller brought to this machine: what there is of it, for a layout.

ModelMesh's adapters work so without `USE_EMBEDDED_PULLER`: the request has the local path, and its key what a
puller writes into it (reference: runtime adapter 2.6, 3.2). The files are not ours, and are left alone.
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from adapter.domain.errors import BadModelKey, ObjectMissing
from adapter.domain.records import ModelInfo
from adapter.layout.files import PulledFiles
from adapter.layout.model_settings import SETTINGS
from adapter.layout.model_type import layout_type
from adapter.storage.disk import disk_words
from adapter.storage.linking import sizes_of
from adapter.storage.puller import small_file
from adapter.storage.threads import in_thread


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """What lies there, and what the key tells of it."""

    model_type: str
    files: PulledFiles
    disk_bytes: int | None
    """As the key tells it; None: it does not."""


async def read_local(info: ModelInfo) -> LocalModel:
    """Look at the path of `info`. Raises `ObjectMissing`, `BadModelKey` or `ModelCorrupt`."""
    key = _parsed(info.key)
    told = key.get("disk_size_bytes")
    return LocalModel(
        model_type=layout_type(key.get("model_type"), info.type),
        files=await in_thread(_files, Path(info.path), key.get("schema_path")),
        disk_bytes=int(told) if isinstance(told, int | float) and not isinstance(told, bool) else None,
    )


def _parsed(text: str) -> dict[str, object]:
    try:
        key = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise BadModelKey(f"the model key is not JSON: {error}") from None
    if not isinstance(key, dict):
        raise BadModelKey("the model key must be a JSON object")
    return key


def _files(root: Path, schema: object) -> PulledFiles:
    if not isinstance(schema, str | None):
        raise BadModelKey("the model key's schema_path must be a string")
    with disk_words(root):
        sizes = sizes_of(root)
    if not sizes:
        raise ObjectMissing(f"there is no model at {root}; with USE_EMBEDDED_PULLER=true it would be pulled")
    return PulledFiles(
        root=PurePosixPath(root.absolute()),
        sizes=sizes,
        contents={SETTINGS: small_file(root / SETTINGS)} if SETTINGS in sizes else {},
        schema=None if schema is None else small_file(Path(schema)),
    )
