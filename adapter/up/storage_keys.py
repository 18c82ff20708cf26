"""The Secret `storage-config` of a folder of manifests, as the files that instances read their keys from."""

import base64
import binascii
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from adapter.cluster.cluster import Changed, Cluster, Listed
from adapter.domain.kinds import SECRET, Key, Manifest, key_of

log = logging.getLogger(__name__)

OURS: Final = "..from-the-secret"
"""Lists the files that are the secret's. A name that begins so is no storage key."""
_KEY_NAME: Final = re.compile(r"(?!\.\.)(?!\.$)[-._a-zA-Z0-9]{1,253}")


async def keep_storage_keys(cluster: Cluster, *, name: str, folder_of: Callable[[str], Path]) -> None:
    """Have the files of each namespace's secret of this name; ends when cancelled."""
    known: set[str] = set()
    async for news in cluster.follow(SECRET):
        changed = {news.key: news.manifest} if isinstance(news, Changed) else _listed(news, name, known)
        for key, secret in changed.items():
            if key.name == name:
                known.add(key.namespace)
                write_keys(folder_of(key.namespace), secret)


def write_keys(folder: Path, secret: Manifest | None) -> None:
    """The secret's entries, and no more those that it had before; files of others stay."""
    entries = _entries(secret or {})
    record = folder / OURS
    before = set(record.read_text().split("\n")) if record.exists() else set()
    if not entries and not before:
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in before - entries.keys() - {""}:
        (folder / name).unlink(missing_ok=True)
    for name, content in entries.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            _write(path, content)
    _write(record, "\n".join(sorted(entries)).encode())


def _listed(news: Listed, name: str, known: set[str]) -> dict[Key, Manifest | None]:
    there = {key_of(secret, SECRET): secret for secret in news.objects}
    gone: Mapping[Key, None] = {
        key: None
        for namespace in known
        if (key := Key(kind=SECRET, name=name, namespace=namespace)) not in there
    }
    return {**there, **gone}


def _entries(secret: Manifest) -> dict[str, bytes]:
    entries = {}
    for name, value in (secret.get("data") or {}).items():
        try:
            content = base64.b64decode(str(value), validate=True)
        except (binascii.Error, ValueError):
            content = None
        if content is None or not _KEY_NAME.fullmatch(name):
            log.warning("an entry of the storage secret cannot be used", extra={"entry": name})
        else:
            entries[name] = content
    return entries


def _write(path: Path, content: bytes) -> None:
    aside = path.with_name(f"..{path.name[:200]}.new")
    aside.touch(mode=0o600)
    aside.write_bytes(content)
    aside.replace(path)
