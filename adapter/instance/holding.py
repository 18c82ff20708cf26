"""Calls for models that no instance may serve now are held until one comes, if settings say so.

The registry is told which types are waited for (`wanted/<instance>`, under this instance's lease), so that
whoever starts runtimes starts one that may serve them.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from adapter.aio.clock import Clock
from adapter.instance.mesh_state import WANTED
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.wanted_types import WantedTypes, is_served
from adapter.registry.encoding import encode_wanted
from adapter.registry.presence import Presence

log = logging.getLogger(__name__)

HELD_MAX: Final = 1000
"""Calls that are held at once, each with what its client has sent so far; more are refused at once."""


class Holding:
    """Holds calls. Without `hold_s` none are held."""

    def __init__(self, *, ways: Wayfinder, presence: Presence, clock: Clock, hold_s: float = 0.0) -> None:
        self.hold_s = hold_s
        """For so long at most, each."""
        self._ways = ways
        self._presence = presence
        self._clock = clock
        self._wanted = WantedTypes()
        self._served: dict[str, asyncio.Event] = {}
        """Of the types that are waited for: somebody may serve it now."""
        self._told: tuple[str, ...] = ()
        self._later: asyncio.TimerHandle | None = None
        if hold_s > 0:
            ways.state.on_instances.append(self._instances_changed)

    def __repr__(self) -> str:
        return f"<Holding of {self.held} calls: {self._wanted}>"

    @property
    def held(self) -> int:
        """Calls that are held now."""
        return self._wanted.waiting

    async def until_served(self, type_: str, *, ends_s: float | None = None) -> bool:
        """Wait for an instance that may serve this type; whether there is one now, and was none before.

        Until `ends_s` by the clock, or as long as a call is held at most.
        """
        left_s = self.hold_s if ends_s is None else min(self.hold_s, ends_s - self._clock.now_s())
        if left_s <= 0 or self._is_served(type_) or self.held >= HELD_MAX:
            return False
        with self._waiting_for(type_) as served:
            if served is None:
                return False
            try:
                async with asyncio.timeout(left_s):
                    await served.wait()
            except TimeoutError:
                log.info("nobody has come to serve a type", extra={"type": type_, "waited_s": left_s})
                return False
        return True

    @contextmanager
    def _waiting_for(self, type_: str) -> Iterator[asyncio.Event | None]:
        """While inside, others are told that the type is wanted. None: of no more types can be told."""
        if not self._wanted.add(type_):
            yield None
            return
        if type_ not in self._served:
            log.info("calls are held: nobody may serve their type now", extra={"type": type_})
        served = self._served.setdefault(type_, asyncio.Event())
        self._tell()
        try:
            yield served
        finally:
            self._wanted.leave(type_, self._clock.now_s())
            self._tell()

    def _is_served(self, type_: str) -> bool:
        return is_served(type_, self._ways.instances(), self._ways.constraints)

    def _instances_changed(self) -> None:
        for type_ in [type_ for type_ in self._served if self._is_served(type_)]:
            # Whoever waits has this event; if it must be waited for again, that is another one.
            self._served.pop(type_).set()

    # What is told.

    def _tell(self) -> None:
        self._wanted.pass_time(self._clock.now_s())
        types, key = self._wanted.types, self._ways.state.key(WANTED, self._ways.state.here)
        self._served = {type_: served for type_, served in self._served.items() if type_ in types}
        if types != self._told:
            self._told = types
            if types:
                self._presence.put(key, encode_wanted(types))
            else:
                self._presence.remove(key)
        if self._later is not None:
            self._later.cancel()
        due_s = self._wanted.due_s
        self._later = None
        if due_s is not None:
            delay_s = max(due_s - self._clock.now_s(), 0.0)
            self._later = asyncio.get_running_loop().call_later(delay_s, self._tell)
