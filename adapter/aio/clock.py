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


def epoch_ms_at(clock: Clock, at_s: float) -> int:
    """A moment of the clock, as records have it."""
    return clock.epoch_ms() - round((clock.now_s() - at_s) * 1e3)


def seconds_at(clock: Clock, at_ms: int) -> float:
    """A moment of a record, as the clock has it; what lies ahead is now, and so is 0."""
    now_s = clock.now_s()
    return now_s - max(clock.epoch_ms() - at_ms, 0) / 1e3 if at_ms else now_s


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
