"""Those who wait for one load: it flies once, and a passenger who leaves does not bring it down.

When the last one has left, nobody needs it, unless it was asked for in the background too.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from adapter.domain.errors import AdapterError, CacheBusy
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo

WAITING_MAX: Final = 10_000
"""Calls that wait for one model."""


@dataclass(slots=True, kw_only=True)
class LoadTimings:
    """Where the time of one load went, in seconds; the rest of a caller's wait was queueing."""

    pull_s: float = 0.0
    load_s: float = 0.0

    def as_ms(self, waited_s: float) -> dict[str, float]:
        """The steps of a call that waited so long for its model, in milliseconds."""
        queue_s = max(waited_s - self.pull_s - self.load_s, 0.0)
        return {"queue": queue_s * 1e3, "pull": self.pull_s * 1e3, "load": self.load_s * 1e3}


@dataclass(slots=True, kw_only=True)
class Flight:
    """What is asked for, and all who wait for it."""

    model: ModelId
    info: ModelInfo
    timings: LoadTimings = field(default_factory=LoadTimings)
    background: bool = False
    """It is wanted although nobody may wait for it."""
    _waiting: set["asyncio.Future[LoadTimings]"] = field(default_factory=set)

    @property
    def passengers(self) -> int:
        """Those who wait now."""
        return len(self._waiting)

    @property
    def is_wanted(self) -> bool:
        return self.background or bool(self._waiting)

    def join(self) -> "asyncio.Future[LoadTimings]":
        """Wait for the landing. Raises `CacheBusy` when too many do already."""
        if len(self._waiting) >= WAITING_MAX:
            raise CacheBusy(f"{WAITING_MAX} calls wait for {self.model} to be loaded; try again later")
        landing: asyncio.Future[LoadTimings] = asyncio.get_running_loop().create_future()
        self._waiting.add(landing)
        return landing

    def leave(self, landing: "asyncio.Future[LoadTimings]") -> None:
        """Whoever waited for this landing waits no more."""
        self._waiting.discard(landing)

    def land(self) -> None:
        """The model can be used."""
        for landing in self._still_waiting():
            landing.set_result(self.timings)

    def fail(self, error: AdapterError) -> None:
        """Each who waits gets an error of its own: a raised one gathers the trace of whoever raises it."""
        for landing in self._still_waiting():
            landing.set_exception(type(error)(*error.args))

    def _still_waiting(self) -> list["asyncio.Future[LoadTimings]"]:
        """Those whose callers have not left."""
        return [landing for landing in self._waiting if not landing.done()]
