"""The mesh of each namespace, as the controller calls it: one channel over all of its instances."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from adapter.controller.verdicts import MeshAnswer, MeshAway, NameTaken
from adapter.domain.errors import Code
from adapter.mesh.vmodels import SetVModel, VModelReport
from adapter.peers.mesh_client import ChannelTls, MeshClient, MeshRefused

OTHER_OWNER: Final = "already exists with different owner"
"""Of the same code, and another matter: the model itself was registered differently."""
CALL_S_MAX: Final = 10.0
"""What one call may take (reference: serving controller 0.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the mesh of a namespace is reached now."""

    addresses: tuple[str, ...]
    tls: ChannelTls | None = None


@dataclass(slots=True)
class _Open:
    """A channel, and how many calls are under way on it."""

    way: Way
    client: MeshClient
    stack: AsyncExitStack
    calls: int = 0
    is_left: bool = False
    """It is closed when the last of its calls has ended: a channel that is closed cancels them."""


class MeshChannels:
    """Opens a channel when it is first needed, and another one when the addresses change."""

    def __init__(self, way: Callable[[str], Way], *, call_s_max: float = CALL_S_MAX) -> None:
        self._way = way
        self._call_s_max = call_s_max
        self._open: dict[str, _Open] = {}

    async def put(self, namespace: str, asked: SetVModel) -> MeshAnswer:
        """Have the model registered. Raises `MeshRefused`."""
        return await self._answer(namespace, lambda client: client.put_vmodel(asked))

    async def report(self, namespace: str, vmodel: str, *, owner: str) -> MeshAnswer:
        """What the mesh says of it. Raises `MeshRefused`."""
        return await self._answer(namespace, lambda client: client.vmodel(vmodel, owner=owner))

    async def forget(self, namespace: str, vmodel: str, *, owner: str) -> bool:
        """Have it forgotten; False: there is no mesh now that could be told. Raises `MeshRefused`."""

        async def forgotten(client: MeshClient) -> VModelReport:
            await client.delete_vmodel(vmodel, owner=owner)
            return VModelReport()

        answer = await self._answer(namespace, forgotten)
        return not isinstance(answer, MeshAway)

    async def drop(self, namespace: str) -> None:
        """Close what is open to a namespace, once its calls have ended."""
        there = self._open.pop(namespace, None)
        if there is not None:
            await _leave(there)

    async def close(self) -> None:
        """Close all."""
        for namespace in list(self._open):
            await self.drop(namespace)

    async def _answer(
        self, namespace: str, call: Callable[[MeshClient], Awaitable[VModelReport]]
    ) -> MeshAnswer:
        way = self._way(namespace)
        if not way.addresses:
            await self.drop(namespace)
            return MeshAway(no_pods=True)
        try:
            async with self._client(namespace, way) as client, asyncio.timeout(self._call_s_max):
                return await call(client)
        except TimeoutError:
            return MeshAway(no_pods=False, text=f"the mesh did not answer within {self._call_s_max:g} s")
        except MeshRefused as error:
            if error.status is Code.UNAVAILABLE:
                return MeshAway(no_pods=not self._way(namespace).addresses, text=str(error))
            if error.status is Code.ALREADY_EXISTS and OTHER_OWNER in str(error):
                return NameTaken()
            raise

    @asynccontextmanager
    async def _client(self, namespace: str, way: Way) -> AsyncIterator[MeshClient]:
        there, before = self._open.get(namespace), None
        if there is None or there.way != way:
            there = await _opened(way)
            before, self._open[namespace] = self._open.get(namespace), there
        there.calls += 1
        try:
            if before is not None:
                await _leave(before)
            yield there.client
        finally:
            there.calls -= 1
            if there.is_left:
                await _leave(there)


async def _opened(way: Way) -> _Open:
    stack = AsyncExitStack()
    client = await stack.enter_async_context(MeshClient.connect(",".join(way.addresses), tls=way.tls))
    return _Open(way, client, stack)


async def _leave(there: _Open) -> None:
    there.is_left = True
    if not there.calls:
        await there.stack.aclose()
