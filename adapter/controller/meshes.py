"""The mesh of each namespace, as the controller calls it: one channel over all of its instances."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
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
    way: Way
    client: MeshClient
    stack: AsyncExitStack


class MeshChannels:
    """Opens a channel when it is first needed, and another one when the addresses change."""

    def __init__(self, way: Callable[[str], Way]) -> None:
        self._way = way
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
        """Close what is open to a namespace."""
        there = self._open.pop(namespace, None)
        if there is not None:
            await there.stack.aclose()

    async def close(self) -> None:
        """Close all."""
        for namespace in list(self._open):
            await self.drop(namespace)

    async def _answer(
        self, namespace: str, call: Callable[[MeshClient], Awaitable[VModelReport]]
    ) -> MeshAnswer:
        client = await self._client(namespace)
        if client is None:
            return MeshAway(no_pods=True)
        try:
            async with asyncio.timeout(CALL_S_MAX):
                return await call(client)
        except TimeoutError:
            return MeshAway(no_pods=False, text=f"the mesh did not answer within {CALL_S_MAX:g} s")
        except MeshRefused as error:
            if error.status is Code.UNAVAILABLE:
                return MeshAway(no_pods=not self._way(namespace).addresses, text=str(error))
            if error.status is Code.ALREADY_EXISTS and OTHER_OWNER in str(error):
                return NameTaken()
            raise

    async def _client(self, namespace: str) -> MeshClient | None:
        way, there = self._way(namespace), self._open.get(namespace)
        if there is not None and there.way == way:
            return there.client
        await self.drop(namespace)
        if not way.addresses:
            return None
        stack = AsyncExitStack()
        client = await stack.enter_async_context(MeshClient.connect(",".join(way.addresses), tls=way.tls))
        self._open[namespace] = _Open(way, client, stack)
        return client
