"""Who calls while nobody is at home: a connection that waits at a door while nothing runs behind it.

The sockets listen as long as the mesh is up, so the kernel takes a first connection; it is answered by the
instance that is started because of it.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Final

from adapter.aio.waiting import Waiting

AGAIN_S: Final = 2.0
"""A call that nobody has answered by then is told again."""


class DoorKnocks:
    """Watches the doors of namespaces of which nothing runs."""

    def __init__(self) -> None:
        self._doors: dict[str, tuple[socket.socket, ...]] = {}
        self._again: dict[str, asyncio.TimerHandle] = {}
        self._heard: Waiting[str] = Waiting()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Namespaces that are called; never ends."""
        while True:
            yield await self._heard.next()

    def listen(self, namespace: str, doors: Iterable[socket.socket]) -> None:
        """Nothing runs there; the same again changes nothing."""
        if namespace not in self._doors:
            self._doors[namespace] = tuple(doors)
            self._watch(namespace)

    def leave(self, namespace: str) -> None:
        """Somebody is there, or comes."""
        again = self._again.pop(namespace, None)
        if again is not None:
            again.cancel()
        for door in self._doors.pop(namespace, ()):
            asyncio.get_running_loop().remove_reader(door.fileno())

    def close(self) -> None:
        """Listen no more."""
        for namespace in list(self._doors):
            self.leave(namespace)

    def _watch(self, namespace: str) -> None:
        loop = asyncio.get_running_loop()
        self._again.pop(namespace, None)
        for door in self._doors[namespace]:
            loop.add_reader(door.fileno(), self._knocked, namespace)

    def _knocked(self, namespace: str) -> None:
        loop = asyncio.get_running_loop()
        for door in self._doors[namespace]:
            loop.remove_reader(door.fileno())
        self._heard.add(namespace)
        self._again[namespace] = loop.call_later(AGAIN_S, self._watch, namespace)
