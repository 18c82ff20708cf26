"""The one place that reads a clock or sleeps, so that tests can move the time."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Time, as a program is given it."""

    def now_s(self) -> float:
        """Seconds that only go forward, from an arbitrary start."""
        ...

    def epoch_ms(self) -> int:
        """Milliseconds since the epoch, as records have them."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Give way for so long."""
        ...


class LoopClock:
    """The event loop's own time; virtual where the loop's is. It stays with the loop that first asks it."""

    def __init__(self) -> None:
        self.now_s = self._first_now_s
        """Asked for each call, and finding the loop costs a system call."""

    def _first_now_s(self) -> float:
        self.now_s = asyncio.get_running_loop().time
        return self.now_s()

    def epoch_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
