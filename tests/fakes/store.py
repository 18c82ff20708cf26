"""A store in memory: proven against `tests/contracts/repository_client.py`, as the real ones are."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import BinaryIO

from adapter.domain.errors import AdapterError, ObjectMissing, StorageKeyUnknown, StorageUnreachable
from adapter.storage.repository import Progress, RemoteObject, StorageConfig

CHUNK_BYTES_MIN = 4
CHUNKS_MAX = 16


@dataclass(slots=True)
class FakeStore:
    """Buckets of objects, as a provider of type `s3`.

    `failing[key]` is raised when that key is fetched; while `gate` is closed, transfers stop after their
    first chunk; `under_way` and `under_way_most` count transfers.
    """

    buckets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    failing: dict[str, AdapterError] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    stopped_at_gate: asyncio.Event = field(default_factory=asyncio.Event)
    listed: list[str] = field(default_factory=list)
    under_way: int = 0
    under_way_most: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    async def client(self, storage: StorageConfig) -> "FakeClient":
        bucket = storage.text("bucket")
        if bucket is None:
            raise StorageKeyUnknown(f"{storage.origin}: `bucket` is missing")
        return FakeClient(self, bucket)

    @contextmanager
    def counted(self) -> Iterator[None]:
        self.under_way += 1
        self.under_way_most = max(self.under_way_most, self.under_way)
        try:
            yield
        finally:
            self.under_way -= 1


class FakeClient:
    """One bucket of the store."""

    def __init__(self, store: FakeStore, bucket: str) -> None:
        self._store = store
        self._bucket = bucket

    @property
    def described(self) -> str:
        return "a fake store"

    def uri(self, path: str) -> str:
        return f"s3://{self._bucket}/{path}"

    async def objects(self, prefix: str) -> AsyncGenerator[RemoteObject]:
        self._store.listed.append(prefix)
        for key, content in sorted(self._objects().items()):
            if key.startswith(prefix):
                yield RemoteObject(key=key, size_bytes=len(content), etag=_etag(content))

    async def fetch(
        self,
        source: RemoteObject,
        into: Path,
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        with self._store.counted():
            content = self._content(source)[:end]
            with _opened(into) as file:
                file.seek(start)
                step = max(CHUNK_BYTES_MIN, len(content) // CHUNKS_MAX)
                for at in range(start, len(content), step):
                    file.write(chunk := content[at : at + step])
                    if progress is not None:
                        progress(len(chunk))
                    await self._pass_the_gate()

    async def _pass_the_gate(self) -> None:
        if not self._store.gate.is_set():
            self._store.stopped_at_gate.set()
        await self._store.gate.wait()
        await asyncio.sleep(0)  # As every real transfer, it lets others run.

    def _content(self, source: RemoteObject) -> bytes:
        if source.key in self._store.failing:
            raise self._store.failing[source.key]
        if source.key not in self._objects():
            raise ObjectMissing(f"there is no object at {self.uri(source.key)}")
        content = self._objects()[source.key]
        if source.etag not in {None, _etag(content)}:
            raise StorageUnreachable(f"{self.uri(source.key)} was replaced while it was pulled")
        return content

    def _objects(self) -> dict[str, bytes]:
        if self._bucket not in self._store.buckets:
            raise ObjectMissing(f"there is no such bucket: {self.uri('')}")
        return self._store.buckets[self._bucket]


def _opened(path: Path) -> BinaryIO:
    path.touch()
    return path.open("r+b")


def _etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'
