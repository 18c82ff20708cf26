"""One instance and its runtime, kept up: started together, and again after a pause when they cannot start."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from adapter.aio.clock import Clock
from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster.process_states import ProcessFailed, ProcessState
from adapter.cluster.processes import Process, ProcessSpec, Supervisor
from adapter.up.processes import HEAL

TAIL_LINES: Final = 10
"""Of the output, in what is said of a problem."""

Ready = Callable[[], Awaitable[bool]]
Starting = Callable[[], Sequence[ProcessSpec]]
"""The processes, the instance last; called for each start."""


class Pair:
    """Keeps its processes up while `keep` runs; they end with it, the instance first."""

    def __init__(self, name: str, starting: Starting, *, clock: Clock, on_change: Callable[[], None]) -> None:
        self.name: Final = name
        self._starting = starting
        self._clock = clock
        self._on_change = on_change
        self._processes: dict[str, Process] = {}
        self._states: dict[str, ProcessState] = {}
        self._failure = ""
        self._expected = 0
        self.settled = asyncio.Event()
        """It has been ready, or failed to start, once."""

    def __repr__(self) -> str:
        return f"<Pair {self.name}: {'ready' if self.is_ready else self.problem or 'starting'}>"

    @property
    def is_ready(self) -> bool:
        """Whether all of it answers."""
        ready = [state for state in self._states.values() if state is ProcessState.READY]
        return bool(self._expected) and len(ready) == self._expected

    @property
    def problem(self) -> str:
        """Why it is not ready, with the end of what it said; empty: nothing is wrong, or it only begins."""
        if self._failure and not self.is_ready:
            return self._failure
        for name, state in self._states.items():
            if state is ProcessState.BACKING_OFF:
                process = self._processes.get(name)
                tail = process.tail.splitlines() if process else []
                return f"{name} ended, and is started again{_said(tail)}"
        return ""

    async def keep(self) -> None:
        """Until it is cancelled."""
        failures = 0
        while True:
            try:
                async with cancelled_at_the_end() as owner:
                    await self._live(owner)
            except* ProcessFailed as group:
                self._failed(group)
            failures += 1
            await self._clock.sleep(HEAL.pause_s(failures))

    async def _live(self, owner: asyncio.TaskGroup) -> None:
        specs = [self._watched(spec) for spec in self._starting()]
        self._expected = len(specs)
        supervisor = Supervisor(owner=owner, clock=self._clock)
        try:
            async with asyncio.TaskGroup() as group:
                for spec in specs:
                    group.create_task(self._start(supervisor, spec), name=f"start {spec.name}")
            self._failure = ""
            self.settled.set()
            self._on_change()
            await asyncio.Event().wait()  # the owner's tasks keep them up
        finally:
            await supervisor.stop()
            self._processes.clear()
            self._states.clear()
            self._on_change()

    async def _start(self, supervisor: Supervisor, spec: ProcessSpec) -> None:
        self._processes[spec.name] = await supervisor.start(spec)

    def _watched(self, spec: ProcessSpec) -> ProcessSpec:
        def told(state: ProcessState) -> None:
            self._states[spec.name] = state
            self._on_change()

        return replace(spec, on_state=told)

    def _failed(self, group: BaseExceptionGroup[ProcessFailed]) -> None:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        head, *tail = str(first).splitlines()
        self._failure = f"{head.rstrip(':')}{_said(tail)}"
        self.settled.set()
        self._on_change()


def _said(lines: Sequence[str]) -> str:
    return ":\n" + "\n".join(lines[-TAIL_LINES:]) if lines else ""


async def always() -> bool:
    """The readiness of a process that nobody asks anything."""
    return True
