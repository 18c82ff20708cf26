"""The mounted `storage-config` secret: one JSON file for each key (reference: runtime adapter 2.3, 2.4).

A file is read again when it is another one than before, so a changed secret counts from the next pull on.
What a file holds is never in a message, a `repr` or the cause of an error.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapter.domain.errors import StorageKeyUnknown
from adapter.storage.model_key import ModelKey
from adapter.storage.repository import StorageConfig
from adapter.storage.resolution import default_key, resolved
from adapter.storage.threads import in_thread

SECRET_BYTES_MAX = 1 << 20
"""Kubernetes takes no larger secret."""

KEYS_REMEMBERED_MAX = 1024
KEYS_NAMED_MAX = 20
KEY_NAME_MAX = 253

# As Kubernetes has it. A name that begins with two dots is the kubelet's own; a slash would leave the folder.
_KEY_NAME = re.compile(r"(?!\.\.)(?!\.$)[-._a-zA-Z0-9]{1,253}")

_Seal = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Entry:
    seal: _Seal
    fields: Mapping[str, object] = field(repr=False)


class SecretFolder:
    """The folder where the secret is mounted. It need not be there until a key of it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, _Entry] = {}

    def __repr__(self) -> str:
        return f"<SecretFolder {self._folder}>"

    async def resolve(self, key: ModelKey) -> StorageConfig:
        """The storage that a model key means. Raises `StorageKeyUnknown` or `BadModelKey`."""
        if key.storage_key is not None:
            base = await self.entry(key.storage_key)
            return resolved(key, base, secret_key=key.storage_key)
        name = default_key(key)
        try:
            base = await self.entry(name)
        except StorageKeyUnknown as error:
            # A default is only a help: storage_params may say all there is to say.
            return resolved(key, {}, secret_key=None, why_none=str(error))
        return resolved(key, base, secret_key=name)

    async def entry(self, name: str) -> Mapping[str, object]:
        """The fields under one key of the secret. Raises `StorageKeyUnknown`."""
        return await in_thread(self._entry, name)

    def _entry(self, name: str) -> Mapping[str, object]:
        if not _KEY_NAME.fullmatch(name):
            raise self._unknown(name)
        path = self._folder / name
        try:
            found = path.stat()
            seal = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            known = self._read.get(name)
            if known is not None and known.seal == seal:
                return known.fields
            with path.open("rb") as file:
                text = file.read(SECRET_BYTES_MAX + 1)
        except FileNotFoundError:
            raise self._unknown(name) from None
        except OSError as error:
            raise self._unusable(name, f"cannot be read: {error.strerror}") from error
        fields = self._parsed(name, text)
        self._remember(name, _Entry(seal, fields))
        return fields

    def _remember(self, name: str, entry: _Entry) -> None:
        if len(self._read) >= KEYS_REMEMBERED_MAX:
            self._read = {}  # So many changed since the start: the few in use are soon read again.
        self._read[name] = entry

    def _parsed(self, name: str, text: bytes) -> Mapping[str, object]:
        if len(text) > SECRET_BYTES_MAX:
            raise self._unusable(name, f"is larger than {SECRET_BYTES_MAX} bytes")
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            # Not even the cause is kept: it carries the text.
            raise self._unusable(name, "is not JSON") from None
        if not isinstance(fields, dict):
            raise self._unusable(name, "is not a JSON object")
        return fields

    def _unusable(self, name: str, why: str) -> StorageKeyUnknown:
        return StorageKeyUnknown(
            f"storage key '{name}' cannot be used: its entry in {self._folder} {why}; "
            'it must be like {"type": "s3", ...}'
        )

    def _unknown(self, name: str) -> StorageKeyUnknown:
        try:
            names = [path.name for path in self._folder.iterdir()]
        except OSError as error:
            known = f"{self._folder} cannot be read ({error.strerror}); is the secret mounted?"
        else:
            keys = sorted(each for each in names if _KEY_NAME.fullmatch(each))
            more = ", ..." if len(keys) > KEYS_NAMED_MAX else ""
            known = f"{self._folder} has {', '.join(keys[:KEYS_NAMED_MAX]) or 'no keys'}{more}"
        return StorageKeyUnknown(
            f"there is no storage key '{name[:KEY_NAME_MAX]}': {known}. "
            "Name one of those, or add this one to the secret; a changed secret takes up to two minutes"
        )
