"""A registry whose news are what a test says they are, when it says so; and whose reads can be held up."""

import asyncio
from collections.abc import AsyncIterator

from adapter.registry.registry import Change, Changes, Entry, Reset
from tests.fakes.memory_registry import MemoryRegistry


class ToldRegistry(MemoryRegistry):
    """`tell` what happened at any time after it did; `hold` reads, which then bring what was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.news: asyncio.Queue[Reset | Changes] = asyncio.Queue()
        self.held: asyncio.Event | None = None
        self.silent = False
        self.asked = 0

    async def get(self, key: str) -> Entry | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.silent:
            await asyncio.Event().wait()
        entry = await MemoryRegistry.get(self, key)
        if self.held is not None:
            await self.held.wait()
        return entry

    async def follow(self, prefix: str, *, contents: bool = True) -> AsyncIterator[Reset | Changes]:
        yield Reset(entries=None, revision=self.revision)
        while True:
            yield await self.news.get()

    async def put(self, key: str, value: bytes | None) -> int:
        """Somebody else writes; nobody is told yet."""
        revision = await self.commit({key: value}, guards={})
        assert revision is not None
        return revision

    def tell(self, key: str, revision: int) -> None:
        """Tell that the key has become what it is now, as of this revision."""
        change = Change(key=key, entry=self.entries.get(key), revision=revision)
        self.news.put_nowait(Changes(changes=[change]))

    def tell_reset(self) -> None:
        self.news.put_nowait(Reset(entries=None, revision=self.revision))
