"""Things that wait to be taken, each once however often it was added meanwhile."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiting(Generic[T]):
    """In the order in which they were added first; as many as there are different ones at most."""

    def __init__(self) -> None:
        self._things: dict[T, None] = {}
        self._there = asyncio.Event()

    def __len__(self) -> int:
        return len(self._things)

    def add(self, thing: T) -> None:
        """It waits; if it does already, nothing changes."""
        self._things[thing] = None
        self._there.set()

    async def next(self) -> T:
        """The first one, when there is one."""
        await self._there.wait()
        thing = next(iter(self._things))
        del self._things[thing]
        if not self._things:
            self._there.clear()
        return thing
