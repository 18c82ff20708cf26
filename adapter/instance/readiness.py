"""Whether this instance is ready, for whoever probes it (reference: ModelMesh core 4.17 to 4.19, 7.2, 7.3).

Until it has been ready once, an instance is not ready while another one drains: so a rollout goes one by one.
A new instance that cannot load what others can is not ready either, and stays so.
"""

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from adapter.aio.clock import LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.domain.ids import ModelId
from adapter.instance.parts import Parts
from adapter.instance.settings import InstanceSettings
from adapter.servers.probes import PreStop, prestop_serving, probes_serving

log = logging.getLogger(__name__)

PRESTOP_FACTOR: Final = 2.0
"""Containers wait at most so many shutdown times (reference: ModelMesh core 7.3)."""
FATAL_MAX: Final = 2
"""Failures of models that another instance holds; one more and this instance is no good."""
OUTCOMES_MIN: Final = 20
"""So many loads must have ended before their share of failures says something."""


@dataclass(slots=True)
class FailFast:
    """What the first loads of a new instance say about it (reference: ModelMesh core 4.18)."""

    until_s: float
    """Its probation ends then."""
    enabled: bool = True
    loaded: int = 0
    failed: int = 0
    fatal: int = 0

    def load_ended(self, *, failed: bool, loads_elsewhere: bool, now_s: float) -> None:
        """A first load of a model here has ended."""
        if not self.enabled or now_s > self.until_s:
            return
        self.loaded += not failed
        self.failed += failed
        self.fatal += failed and loads_elsewhere

    @property
    def verdict(self) -> str:
        """Why the instance is no good; empty: nothing speaks against it."""
        if self.fatal > FATAL_MAX:
            return f"{self.fatal} models that other instances hold could not be loaded here"
        outcomes = self.loaded + self.failed
        if outcomes > OUTCOMES_MIN and 2 * self.failed > outcomes:
            return f"{self.failed} of the first {outcomes} loads failed"
        return ""


class Readiness:
    """The answers to the probes of one instance."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._parts: Parts | None = None
        self._leaving = False
        self._was_ready = False
        self._told = ""
        self.failfast = FailFast(until_s=0.0)
        self.endpoints: dict[str, str] = {}

    async def open(self, settings: InstanceSettings, stack: AsyncExitStack) -> None:
        """Answer from now on. Raises `CannotListen` for a port that was named and is taken."""
        now_s = LoopClock().now_s()
        self.failfast = FailFast(until_s=now_s + settings.bootstrap_ms / 1e3, enabled=settings.failfast)
        if settings.probe_port is not None:
            probes = probes_serving(
                is_ready=self.is_ready,
                is_live=lambda: True,
                host=settings.host,
                port=settings.probe_port,
                replaceable="probe_port" not in settings.model_fields_set,
            )
            port = await stack.enter_async_context(probes)
            self.endpoints["probes"] = f"http://{settings.advertised_host}:{port}"
        if settings.prestop_port is not None:
            prestop = PreStop(wait_s_max=PRESTOP_FACTOR * settings.shutdown_timeout_ms / 1e3)
            await stack.enter_async_context(
                prestop_serving(
                    prestop,
                    host=settings.host,
                    port=settings.prestop_port,
                    replaceable="prestop_port" not in settings.model_fields_set,
                )
            )
            owner = await stack.enter_async_context(cancelled_at_the_end())
            owner.create_task(self._stop_when_asked(prestop), name="wait for a pre-stop")

    async def _stop_when_asked(self, prestop: PreStop) -> None:
        """The pod is about to be stopped: this instance begins to leave at once."""
        await prestop.asked.wait()
        self._stop.set()

    def watch(self, parts: Parts) -> None:
        """From now on the ends of loads are heard of."""
        clock = parts.clock

        def ended(model: ModelId, failed: bool) -> None:  # noqa: FBT001 - it is told so
            elsewhere = failed and parts.copies.loaded(model) > 0
            self.failfast.load_ended(failed=failed, loads_elsewhere=elsewhere, now_s=clock.now_s())

        parts.load_ended.append(ended)

    def serve(self, parts: Parts) -> None:
        """The doors are open."""
        self._parts = parts

    def leaving(self) -> None:
        """The instance drains."""
        self._leaving = True

    def is_ready(self) -> bool:
        """Whether clients are to be sent here."""
        reason = self._why_not()
        if reason != self._told:
            log.info("ready" if not reason else "not ready", extra={"because": reason})
            self._told = reason
        self._was_ready = self._was_ready or not reason
        return not reason

    def _why_not(self) -> str:
        if self._parts is None:
            return "it starts"
        if self._leaving:
            return "it drains"
        if self.failfast.verdict:
            return self.failfast.verdict
        state = self._parts.state
        draining = [id_ for id_, each in state.view.instances.items() if each.record.draining]
        if draining and not self._was_ready:
            return f"{', '.join(sorted(draining))} drains; one at a time"
        return ""
