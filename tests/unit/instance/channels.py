"""A channel's connectivity, as a test turns it."""

import asyncio

import grpc


class FakeChannel:
    """Idle until it is turned."""

    def __init__(self) -> None:
        self._state = grpc.ChannelConnectivity.IDLE
        self._changed = asyncio.Event()

    def turn(self, state: grpc.ChannelConnectivity) -> None:
        self._state = state
        self._changed.set()
        self._changed = asyncio.Event()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._state

    async def wait_for_state_change(self, last: grpc.ChannelConnectivity) -> None:
        while self._state is last:
            await self._changed.wait()
