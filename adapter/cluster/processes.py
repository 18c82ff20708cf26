"""The supervisor: start, wait until ready, restart with back-off, stop in order.

Each process has one keeper task in the owner's group. To stop a process is to cancel its keeper, which
ends the process on its way out; so none outlives the group, whatever ends it. Processes have a process group
of their own, hence a Ctrl-C in the terminal reaches only us, and they end in our order.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from adapter.aio.clock import Clock
from adapter.cluster.process_states import Backoff, ProcessFailed, ProcessLife, ProcessState

log = logging.getLogger(__name__)

PROBE_EVERY_S = 0.05
TAIL_LINES = 30
LINE_BYTES_MAX = 4096
"""A longer line of output is cut into pieces of this length."""
DRAIN_S_MAX = 1.0
"""How long output is still read after the process has ended."""

_LEASH = Path(__file__).with_name("leash.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A process that should run."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], Awaitable[bool]]
    """Whether it answers; asked often until it says so, and not after."""
    env: Mapping[str, str] | None = field(default=None, repr=False)
    """Its whole environment; None: as ours. Never told, since it may hold credentials."""
    on_line: Callable[[str], None] | None = field(default=None, repr=False)
    """Given each line of its output; must not block."""
    on_state: Callable[[ProcessState], None] | None = field(default=None, repr=False)
    """Given each state that it comes into, `STARTING` apart; must not block."""
    sockets: Mapping[str, socket.socket] = field(default_factory=dict, repr=False)
    """Listening sockets that it is handed (sd_listen_fds(3)), by names of letters and digits. They stay ours
    too: while the child restarts, connections wait."""
    ready_s_max: float = 60.0
    grace_s: float = 10.0
    """Between SIGTERM and SIGKILL."""
    backoff: Backoff = field(default_factory=Backoff)


class Supervisor:
    """The processes of one program, stopped in the reverse order of their start."""

    def __init__(self, *, owner: asyncio.TaskGroup, clock: Clock) -> None:
        self._owner = owner
        self._clock = clock
        self._processes: list[Process] = []

    def __repr__(self) -> str:
        return f"<Supervisor of {', '.join(map(str, self._processes)) or 'nothing'}>"

    async def start(self, spec: ProcessSpec) -> "Process":
        """Start it and wait until it is ready. Raises `ProcessFailed` with the end of its output."""
        process = Process(spec, clock=self._clock)
        self._processes.append(process)
        process.keep_in(self._owner)
        try:
            await process.wait_ready()
        except BaseException:
            await process.stop()
            with suppress(ValueError):  # a stop of all was quicker
                self._processes.remove(process)
            raise
        return process

    async def stop(self) -> None:
        """Stop them all, the youngest first; returns when all are gone."""
        while self._processes:
            await self._processes.pop().stop()


class Process:
    """One supervised process, whichever child it is at the moment."""

    def __init__(self, spec: ProcessSpec, *, clock: Clock) -> None:
        self.spec = spec
        self.pid: int | None = None
        """Of the present child; None while there is none."""
        self._clock = clock
        self._life = ProcessLife(spec.name, spec.backoff)
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._first_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeper: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        return f"{self.spec.name} ({self.state.value})"

    @property
    def state(self) -> ProcessState:
        return self._life.state

    @property
    def story(self) -> tuple[str, ...]:
        """The latest changes of state, each with its cause."""
        return self._life.story

    @property
    def tail(self) -> str:
        """The latest lines of its output."""
        return "\n".join(self._tail)

    def keep_in(self, owner: asyncio.TaskGroup) -> None:
        assert self._keeper is None, f"{self} is kept already"
        self._keeper = owner.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def wait_ready(self) -> None:
        """Until it has been ready once. Raises `ProcessFailed`."""
        await asyncio.shield(self._first_ready)

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after the grace; returns when it is gone."""
        if self._keeper is None:
            return
        if not self._keeper.cancelling():  # a second time would cut the grace short
            self._keeper.cancel()
        await asyncio.wait({self._keeper})

    async def _keep(self) -> None:
        try:
            while (pause_s := await self._live_once()) is not None:
                log.warning("process restarts", extra={"child": self.spec.name, "pause_s": pause_s})
                await self._clock.sleep(pause_s)
                self._life.paused()
            self._give_up()
        finally:
            self._life.stop_asked()
            self._life.stopped()
            self._tell_state()
            self._tell_those_who_wait()

    async def _live_once(self) -> float | None:
        """One child from its start to its end; then the pause before the next, or None."""
        child = await self._spawn()
        self.pid = child.pid
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read(child), name=f"output of {self.spec.name}")
                probing = group.create_task(self._probe(child), name=f"probe {self.spec.name}")
                try:
                    await child.wait()
                finally:
                    probing.cancel()
                    await self._end(child)
                    await asyncio.wait({reading}, timeout=DRAIN_S_MAX)
                    reading.cancel()
        finally:
            self.pid = None
        log.warning("process ended", extra={"child": self.spec.name, "status": child.returncode})
        self._note(f"[ended with status {child.returncode}]")
        pause_s = self._life.ended(now_s=self._clock.now_s())
        self._tell_state()
        return pause_s

    async def _spawn(self) -> asyncio.subprocess.Process:
        handed = {name: each.fileno() for name, each in self.spec.sockets.items()}
        told = ",".join(f"{name}={fd}" for name, fd in handed.items())
        leash = (sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), told)
        return await asyncio.create_subprocess_exec(
            *leash,
            *self.spec.command,
            env=None if self.spec.env is None else dict(self.spec.env),  # uvloop takes no other mapping
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(handed.values()),
        )

    async def _probe(self, child: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(self.spec.ready_s_max):
                while not await self.spec.ready():
                    await self._clock.sleep(PROBE_EVERY_S)
        except TimeoutError:
            self._note(f"[not ready within {self.spec.ready_s_max:g} s]")
            _signal_group(child.pid, signal.SIGKILL)
            return
        if child.returncode is None:
            self._life.answered(now_s=self._clock.now_s())
            self._tell_state()
            log.info("process is ready", extra={"child": self.spec.name, "pid": child.pid})
            if not self._first_ready.done():
                self._first_ready.set_result(None)

    async def _read(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        rest = b""
        while chunk := await child.stdout.read(LINE_BYTES_MAX):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) >= LINE_BYTES_MAX:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._note(line.decode(errors="replace"))
        if rest:
            self._note(rest.decode(errors="replace"))

    async def _end(self, child: asyncio.subprocess.Process) -> None:
        """End the child if it still runs, and all that is left of its group."""
        try:
            if child.returncode is None:
                self._life.stop_asked()
                _signal_group(child.pid, signal.SIGTERM)
                async with asyncio.timeout(self.spec.grace_s):
                    await child.wait()
        except TimeoutError:
            log.warning("process is killed", extra={"child": self.spec.name})
        finally:
            _signal_group(child.pid, signal.SIGKILL)
        await child.wait()

    def _note(self, line: str) -> None:
        self._tail.append(line)
        if self.spec.on_line is not None:
            self.spec.on_line(line)

    def _tell_state(self) -> None:
        if self.spec.on_state is not None:
            self.spec.on_state(self.state)

    def _give_up(self) -> None:
        """Whoever waits for the first readiness is told; if nobody does, the owner's group fails."""
        failure = ProcessFailed(f"{self.spec.name} does not run; the end of its output:\n{self.tail}")
        if self._first_ready.done():
            raise failure
        self._first_ready.set_exception(failure)

    def _tell_those_who_wait(self) -> None:
        if not self._first_ready.done():
            self._first_ready.set_exception(
                ProcessFailed(f"{self.spec.name} was stopped before it was ready")
            )
        self._first_ready.exception()  # Seen, even when nobody waits.


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # all of it may be gone
        os.killpg(pid, number)
