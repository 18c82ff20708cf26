"""The life of one container: started, probed, restarted with back-off, stopped in order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from tests.kubelet.environment import NotThereYet
from tests.kubelet.probes import Patience, Target, Verdict, ask
from tests.kubelet.process import GONE_S_MAX, Box, CannotStart, ContainerProcess, start
from tests.kubelet.status import ContainerStatus, Running, Terminated, Waiting, restarts

Manifest = Mapping[str, Any]

RETRY_S: Final = 0.5
"""After which is looked again whether what a container needs is there."""
GRACE_S_MIN: Final = 2.0
"""Between SIGTERM and SIGKILL, however long the pre-stop hook took."""
MESSAGE_BYTES_MAX: Final = 4096
LOG_TAIL_BYTES: Final = 2048
LOGS_KEPT: Final = 2
"""Of the latest runs of a container."""
KILLED: Final = 137


class Hindered(Exception):
    """A container cannot be started as things are: the reason, as its state has it, and the message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """Pauses between restarts: none before the first, then doubling."""

    first_s: float = 10.0
    max_s: float = 300.0
    good_s: float = 600.0
    """Running so long, it starts anew."""

    def pause_s(self, failures: int) -> float:
        """Before the next start, after so many ends in a row."""
        return 0.0 if failures <= 1 else float(min(self.first_s * 2.0 ** min(failures - 2, 30), self.max_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a container has from its pod."""

    pod: str
    """Name, namespace and uid, for messages."""
    folder: Path
    """Of this container."""
    policy: str
    """Whether it is restarted."""
    grace_s: float
    """If a probe ends it."""
    address: Callable[[], str]
    """Of the pod."""
    box: Callable[[Path], Box]
    """What it becomes, given where its termination message goes. Raises `NotThereYet`, `Hindered`."""
    http: httpx.AsyncClient
    back_off: BackOff
    changed: Callable[[], None]
    """Called whenever the status has changed."""


def now() -> str:
    """As the API has times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Container:
    """One container of a pod; `status` is how it does."""

    def __init__(self, spec: Manifest, around: Surroundings) -> None:
        self.status = ContainerStatus(name=spec["name"], image=spec["image"])
        self._spec = spec
        self._around = around
        self._stopping = asyncio.Event()
        self._process: ContainerProcess | None = None
        self._is_ending = False
        self._failures = 0

    def log(self, *, previous: bool) -> Path:
        """Where its output is, or that of the run before."""
        return self._log_of(self.status.restarts - previous)

    def _log_of(self, run: int) -> Path:
        return self._around.folder / f"{run}.log"

    async def live(self) -> None:
        """Until it has ended for good, or was told to stop. Cancelled, it is killed."""
        while not self._stopping.is_set():
            ended = await self._run_once()
            if ended is None:  # it was not started
                await self._pause(RETRY_S)
            elif self._stopping.is_set() or not self._goes_on(ended):
                return
            else:
                await self._back_off(ended)

    def _goes_on(self, ended: Terminated) -> bool:
        self.status.will_restart = restarts(self._around.policy, ended.exit_code)
        self._around.changed()
        return self.status.will_restart

    async def _back_off(self, ended: Terminated) -> None:
        self._failures += 1
        if (pause_s := self._around.back_off.pause_s(self._failures)) > 0:
            message = (
                f"back-off {pause_s:g}s restarting failed container={self.status.name} {self._around.pod}"
            )
            self._show(Waiting(reason="CrashLoopBackOff", message=message), last=ended)
            await self._pause(pause_s)
        if not self._stopping.is_set():
            self.status.last = ended
            self.status.restarts += 1
            self._log_of(self.status.restarts - LOGS_KEPT).unlink(missing_ok=True)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    # One run.

    async def _run_once(self) -> Terminated | None:
        """From a start to the end; None: it was not started, and the state says why."""
        message = self._around.folder / "message"
        self._around.folder.mkdir(parents=True, exist_ok=True)
        message.write_bytes(b"")
        message.chmod(0o666)
        began = now()
        try:
            box = self._around.box(message)
            self._process = await start(
                box, folder=self._around.folder, log=self._log_of(self.status.restarts)
            )
        except NotThereYet as why:
            self._show(Waiting(reason="CreateContainerConfigError", message=str(why)))
            return None
        except Hindered as why:
            self._show(Waiting(reason=why.reason, message=str(why)))
            return None
        except CannotStart as why:
            text = f"failed to create containerd task: {why}"
            ended = Terminated(
                exit_code=128, reason="StartError", message=text, started_at=began, finished_at=now()
            )
            self._show(ended)
            return ended
        code = await self._run_to_end(self._process)
        ended = Terminated(
            exit_code=code,
            reason="Completed" if code == 0 else "Error",
            message=self._last_words(message, failed=code != 0),
            started_at=began,
            finished_at=now(),
        )
        self._show(ended)
        return ended

    async def _run_to_end(self, process: ContainerProcess) -> int:
        began_s = asyncio.get_running_loop().time()
        self._is_ending = False
        try:
            if self._stopping.is_set():  # meanwhile
                process.send(signal.SIGKILL)
            self.status.started = "startupProbe" not in self._spec
            self.status.ready = self.status.started and "readinessProbe" not in self._spec
            self._show(Running(started_at=now()))
            async with asyncio.TaskGroup() as group:
                probing = group.create_task(self._probe(process, began_s))
                code = await process.ended()
                probing.cancel()
            return code
        finally:
            process.send(signal.SIGKILL)
            self._process = None
            self.status.ready = self.status.started = False
            if asyncio.get_running_loop().time() - began_s >= self._around.back_off.good_s:
                self._failures = 0

    def _show(self, state: Waiting | Running | Terminated, *, last: Terminated | None = None) -> None:
        if state != self.status.state or last is not None:
            self.status.state = state
            self.status.last = last or self.status.last
            self._around.changed()

    def _last_words(self, message: Path, *, failed: bool) -> str:
        told = message.read_bytes()[:MESSAGE_BYTES_MAX]
        if not told and failed and self._spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            told = self.log(previous=False).read_bytes()[-LOG_TAIL_BYTES:]
        return told.decode(errors="replace")

    # Probes.

    async def _probe(self, process: ContainerProcess, began_s: float) -> None:
        if spec := self._spec.get("startupProbe"):
            await self._asking(process, spec, began_s, self._startup_heard)
        async with asyncio.TaskGroup() as group:
            for name, heard in (
                ("readinessProbe", self._readiness_heard),
                ("livenessProbe", self._lives_heard),
            ):
                if spec := self._spec.get(name):
                    group.create_task(self._asking(process, spec, began_s, heard))

    async def _asking(
        self,
        process: ContainerProcess,
        spec: Manifest,
        began_s: float,
        heard: Callable[[bool, Manifest], Awaitable[bool]],
    ) -> None:
        """Ask again and again, until whoever hears the verdict has enough."""
        patience = Patience.of(spec)
        verdict = Verdict(patience, at_first=False)
        target = self._target(process)
        await asyncio.sleep(max(0.0, began_s + patience.delay_s - asyncio.get_running_loop().time()))
        while True:
            problem = await ask(spec, target, timeout_s=patience.timeout_s)
            if verdict.heard(good=not problem) and await heard(verdict.good, spec):
                return
            await asyncio.sleep(patience.period_s)

    def _target(self, process: ContainerProcess) -> Target:
        named = {
            each["name"]: each["containerPort"] for each in self._spec.get("ports") or [] if "name" in each
        }
        return Target(
            host=self._around.address(), ports=named, execute=process.execute, http=self._around.http
        )

    async def _startup_heard(self, good: bool, spec: Manifest) -> bool:
        if not good:
            return await self._lives_heard(good, spec)
        self.status.started = True
        self.status.ready = "readinessProbe" not in self._spec
        self._around.changed()
        return True

    async def _readiness_heard(self, good: bool, _: Manifest) -> bool:
        if self.status.ready != good:
            self.status.ready = good
            self._around.changed()
        return False

    async def _lives_heard(self, good: bool, spec: Manifest) -> bool:
        if good:
            return False
        await self._end(spec.get("terminationGracePeriodSeconds", self._around.grace_s))
        return True

    # The end.

    async def stop(self, grace_s: float) -> None:
        """Pre-stop hook, SIGTERM, and SIGKILL after the grace; it is not started again."""
        self._stopping.set()
        await self._end(grace_s)

    async def _end(self, grace_s: float) -> None:
        process = self._process
        if process is None:
            return
        ends_s = asyncio.get_running_loop().time() + grace_s
        if not self._is_ending:
            self._is_ending = True
            if hook := (self._spec.get("lifecycle") or {}).get("preStop"):
                await self._prestop(process, hook, grace_s)
            process.send(signal.SIGTERM)
        left_s = max(ends_s - asyncio.get_running_loop().time(), min(GRACE_S_MIN, grace_s))
        try:
            async with asyncio.timeout(left_s):
                await process.ended()
        except TimeoutError:
            process.send(signal.SIGKILL)
            async with asyncio.timeout(GONE_S_MAX):
                await process.ended()

    async def _prestop(self, process: ContainerProcess, hook: Manifest, grace_s: float) -> None:
        """What it says is no matter; that it ends is. It is given up when the container has ended."""
        if pause := hook.get("sleep"):
            asking = asyncio.ensure_future(asyncio.sleep(min(pause["seconds"], grace_s), ""))
        else:
            asking = asyncio.ensure_future(ask(hook, self._target(process), timeout_s=grace_s))
        ending = asyncio.ensure_future(process.ended())
        try:
            await asyncio.wait({asking, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asking.cancel()
            ending.cancel()
