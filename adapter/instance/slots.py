"""How many calls one copy works on at a time, where the runtime says so (reference: ModelMesh core 4.11).

Further calls wait for their turn, in their order and only so many; beyond that another copy may be free.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from adapter.domain.errors import CacheBusy
from adapter.domain.ids import ModelId
from adapter.instance.in_flight import InFlight

WAITING_FACTOR: Final = 8
WAITING_MIN: Final = 16
"""Calls that wait or are worked on, by the limit; and at least so many (`MM_MAX_INFLIGHT_PER_MODEL_COPY`)."""


class Slots:
    """The limits of the models here, and who waits for a turn."""

    def __init__(self, in_flight: InFlight, *, inflight_max: int = 0) -> None:
        """`inflight_max`: calls that may wait or be worked on; 0: by the limit; below 0: any number."""
        self.waited: Callable[[ModelId, float], None] = lambda _model, _waited_s: None
        """Told how long a call waited for its turn."""
        self._in_flight = in_flight
        self._inflight_max = inflight_max
        self._limits: dict[ModelId, int] = {}
        self._waiting: dict[ModelId, deque[asyncio.Future[None]]] = {}

    def limit(self, model: ModelId) -> int:
        """How many calls at a time; 0: any number."""
        return self._limits.get(model, 0)

    def set(self, model: ModelId, limit: int | None) -> None:
        """The model was loaded, and the runtime says so; None: it has no limit."""
        if limit is None:
            self._limits.pop(model, None)
        else:
            self._limits[model] = max(limit, 1)

    def forget(self, model: ModelId) -> None:
        """The model is not here any more; who waits for it is let go, to look elsewhere."""
        self._limits.pop(model, None)
        for waiting in self._waiting.pop(model, ()):
            if not waiting.done():
                waiting.set_result(None)

    def is_full(self, model: ModelId) -> bool:
        """Whether a further call has to wait for its turn."""
        limit = self._limits.get(model)
        return limit is not None and self._in_flight.get(model, 0) >= limit

    async def turn(self, model: ModelId) -> None:
        """Wait until a call of this model has ended. Raises `CacheBusy` when too many wait already."""
        queue = self._waiting.setdefault(model, deque())
        most = self._inflight_max or max(WAITING_MIN, WAITING_FACTOR * self.limit(model))
        if 0 < most <= len(queue) + self._in_flight.get(model, 0):
            raise CacheBusy(f"Model queue overload: {len(queue)} calls wait for {model} already; try again")
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self.freed(model)  # the turn was ours already: the next one has it
            elif waiting in queue:
                queue.remove(waiting)
            raise

    def freed(self, model: ModelId) -> None:
        """A call of this model has ended: the next one may begin."""
        queue = self._waiting.get(model)
        while queue:
            waiting = queue.popleft()
            if not waiting.done():
                waiting.set_result(None)
                break
        if queue is not None and not queue:
            self._waiting.pop(model, None)
