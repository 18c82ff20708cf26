"""Whether the runtime is there, and whether it is still the one that we loaded models into.

A runtime that crashes comes back empty. ModelMesh learns of that from NOT_FOUND answers, one model at a time;
we see the connection end, wait until a runtime answers again, and let the cache forget all copies at once.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import grpc

from adapter.aio.clock import Clock
from adapter.domain.errors import RuntimeUnavailable
from adapter.domain.runtime import RuntimeState, RuntimeStatus
from adapter.drivers.runtime import RuntimeDriver

log = logging.getLogger(__name__)

POLL_S: Final = 0.1
"""Between two questions after the state; ModelMesh's 2 s would be most of a restart's time."""


class RuntimeWatch:
    """What is known of one runtime: its latest READY status, and whether it answers now."""

    def __init__(self, *, driver: RuntimeDriver, channel: grpc.aio.Channel, clock: Clock) -> None:
        self._driver = driver
        self._channel = channel
        self._clock = clock
        self._there = asyncio.Event()
        self._connected = False
        """As far as `keep` has seen."""
        self._status = RuntimeStatus(state=RuntimeState.STARTING)

    @property
    def status(self) -> RuntimeStatus:
        """As it was told when the runtime became READY."""
        return self._status

    @property
    def is_there(self) -> bool:
        return self._there.is_set()

    @property
    def breaks(self) -> bool:
        """Its connection has just ended, which `keep` is about to see."""
        ready = grpc.ChannelConnectivity.READY
        return self._connected and self._channel.get_state(try_to_connect=True) is not ready

    async def there(self) -> None:
        """Wait until the runtime answers."""
        await self._there.wait()

    async def wait_ready(self, *, timeout_s: float) -> RuntimeStatus:
        """Ask until it is READY, and so empty.

        Raises `RuntimeUnavailable` when it says that it fails, or after `timeout_s`, with what it said last.
        """
        said = RuntimeStatus(state=RuntimeState.STARTING, reason="it was not asked yet")
        try:
            async with asyncio.timeout(timeout_s):
                while (said := await self._driver.status()).state is RuntimeState.STARTING:
                    await self._clock.sleep(POLL_S)
        except TimeoutError as error:
            raise RuntimeUnavailable(
                f"the runtime was not ready within {timeout_s:g} s; it said: {said.reason}"
            ) from error
        if said.state is RuntimeState.FAILING:
            raise RuntimeUnavailable(f"the runtime cannot start: {said.reason or 'it gives no reason'}")
        self._status = said
        self._there.set()
        return said

    async def keep(
        self,
        *,
        on_reset: Callable[[RuntimeStatus], None],
        start_s_max: float,
        on_gone: Callable[[], None] = lambda: None,
    ) -> None:
        """Call `on_gone` when the runtime has ended, and `on_reset` when one has come back empty.

        Ends when cancelled. Raises `RuntimeUnavailable` when none comes back.
        """
        while True:
            await self._connection_ended()
            log.warning("runtime is gone")
            self._there.clear()
            on_gone()
            await self.wait_ready(timeout_s=start_s_max)
            log.info("runtime is back", extra={"version": self._status.version})
            on_reset(self._status)

    async def _connection_ended(self) -> None:
        state = self._channel.get_state(try_to_connect=True)
        self._connected = False
        while True:
            self._connected = self._connected or state is grpc.ChannelConnectivity.READY
            if self._connected and state is not grpc.ChannelConnectivity.READY:
                self._connected = False
                return
            await self._channel.wait_for_state_change(state)
            state = self._channel.get_state(try_to_connect=True)
