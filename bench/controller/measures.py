"""What is measured, one after the other, with all models there."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

from bench.controller.declared import Declared
from bench.processes import Broken, Watched
from tests.integration.controllers import Controller, Managed

SECONDS_A_MODEL_MAX: Final = 0.2
"""A controller that takes longer to look at each is given up."""
PATIENCE_S: Final = 60.0
LOOKING_EVERY_S: Final = 0.1
LOOKS_IDLE: Final = 3
"""It is idle when nothing waits at so many looks in a row."""
LOOKS: Final = "remesh_controller_looks_total"
QUEUE: Final = "remesh_controller_queue_length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resync:
    """One start of the controller with all models there, until it had looked at everything and was idle."""

    seconds: float
    cpu_s: float
    """With what a start costs without any models."""
    looks: int
    resident_bytes: int
    """When it was idle."""


@dataclass(slots=True, kw_only=True)
class Measured:
    """One sitting."""

    models: int
    settled_s: float = 0.0
    """From the first that was created to the last that was loaded."""
    settled_cpu_s: float = 0.0
    resyncs: list[Resync] = field(default_factory=list)
    changes_ms: list[float] = field(default_factory=list)
    change_cpu_ms: float = 0.0
    """Of the controller, for each change."""
    resident_bytes: int = 0
    """After all that."""
    peak_bytes: int = 0
    """The most of any of the processes."""
    failures: int = 0
    """What the controllers had to try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """What it is measured with."""

    managed: Managed
    declared: Declared
    measured: Measured

    async def fill(self) -> None:
        """Everything is declared, while the controller runs. Raises `Broken`."""
        told = self.measured
        with self._running() as process:
            began_s = time.monotonic()
            await self.declared.create(told.models)
            patience_s = PATIENCE_S + SECONDS_A_MODEL_MAX * told.models
            await self.declared.wait_until_settled(told.models, patience_s=patience_s)
            told.settled_s, told.settled_cpu_s = time.monotonic() - began_s, process.cpu_s()

    async def resync(self) -> None:
        """The controller is started anew. Raises `Broken`."""
        with self._running(wait=False) as process:
            self.measured.resyncs.append(await self._idle(process, time.monotonic()))

    async def change(self, changes: int, *, random: Random) -> None:
        """One model after the other. Raises `Broken`."""
        told = self.measured
        with self._running() as process:
            await self._idle(process, time.monotonic())
            before_s = process.cpu_s()
            for number in random.sample(range(told.models), changes):
                took_s = await self.declared.change(number, version=1, patience_s=PATIENCE_S)
                told.changes_ms.append(took_s * 1e3)
            told.change_cpu_ms = (process.cpu_s() - before_s) * 1e3 / changes
            told.resident_bytes = process.resident_bytes()

    async def _idle(self, process: "Running", began_s: float) -> Resync:
        ends_s = began_s + PATIENCE_S + SECONDS_A_MODEL_MAX * self.measured.models
        idle = 0
        looks = idle_s = cpu_s = 0.0
        while idle < LOOKS_IDLE:
            if time.monotonic() > ends_s:
                raise Broken(f"it is not idle:\n{process.said}")
            await asyncio.sleep(LOOKING_EVERY_S)
            looks, waiting = await process.figures(LOOKS, QUEUE)
            idle = idle + 1 if looks >= self.measured.models and waiting == 0 else 0
            if idle == 1:
                idle_s, cpu_s = time.monotonic() - began_s, process.cpu_s()
        return Resync(seconds=idle_s, cpu_s=cpu_s, looks=int(looks), resident_bytes=process.resident_bytes())

    @contextmanager
    def _running(self, *, wait: bool = True) -> Iterator["Running"]:
        controller = self.managed.controller(f"controller-{len(self.measured.resyncs)}")
        controller.start()
        try:
            if wait:
                controller.wait_until_ready()
            process = Running(controller)
            yield process
            self.measured.peak_bytes = max(self.measured.peak_bytes, process.peak_bytes())
            self.measured.failures += int(controller.figure("remesh_controller_failures_total"))
        except AssertionError as error:
            raise Broken(str(error)) from error
        finally:
            controller.kill()


class Running(Watched):
    """One process of the controller."""

    def __init__(self, controller: Controller) -> None:
        assert controller.child is not None, "it was started"
        super().__init__(controller.child.pid, child=controller.child, log=controller.output)
        self._controller = controller

    async def figures(self, *names: str) -> list[float]:
        """Of its metrics; 0 while it does not serve them yet. Raises `Broken` if it has ended."""
        self.check_alive()
        try:
            return [await asyncio.to_thread(self._controller.figure, name) for name in names]
        except OSError:
            return [0.0 for _ in names]
