"""Processes, on a core of their own if they are given one, and what they take."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from adapter.cluster import leash
from bench import harness

PROC: Final = Path("/proc")
TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")

NO_SOCKETS: Final = ""
"""The leash hands none over."""

_FORGET_PEAK = "5"  # to clear_refs: VmHWM begins anew (proc(5))


class Broken(Exception):
    """Something that was to be measured does not work; the text says what."""


class Watched:
    """A process with all that it started, seen from outside."""

    def __init__(
        self, pid: int, *, child: "subprocess.Popen[bytes] | None" = None, log: Path | None = None
    ) -> None:
        self.pid = pid
        self._child = child
        self._log = log

    def cpu_s(self) -> float:
        """User and system time so far, with what it started, to a hundredth of a second."""
        return sum(map(_ticks, self._tree())) / TICKS_A_SECOND

    def resident_bytes(self) -> int:
        return sum(_status_bytes(pid, "VmRSS") for pid in self._tree())

    def forget_peak(self) -> None:
        for pid in self._tree():
            (PROC / str(pid) / "clear_refs").write_text(_FORGET_PEAK)

    def peak_bytes(self) -> int:
        """The most that was resident since the peak was forgotten."""
        return sum(_status_bytes(pid, "VmHWM") for pid in self._tree())

    def check_alive(self) -> None:
        """Raises `Broken`."""
        if self._child and self._child.poll() is not None:
            raise Broken(
                f"it ended with status {self._child.returncode}:\n{self.said or repr(self._child.args)}"
            )
        if not (PROC / str(self.pid)).exists():
            raise Broken(f"there is no process {self.pid}")

    @property
    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-2000:] if self._log else ""

    def _tree(self) -> list[int]:
        found, unseen = [], [self.pid]
        while unseen:
            pid = unseen.pop()
            found.append(pid)
            with suppress(OSError):
                for task in (PROC / str(pid) / "task").iterdir():
                    unseen.extend(map(int, (task / "children").read_text().split()))
        return found


def _ticks(pid: int) -> int:
    """Its own, and those of children that it has waited for."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def _status_bytes(pid: int, name: str) -> int:
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def cores() -> tuple[int, int]:
    """One for the client and the backend, one for the proxy; the same if there is but one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started within runs there, its threads and children too; None: wherever we do."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if core is None else {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(
    command: Sequence[str], *, log: Path, core: int | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Watched]:
    """Run a server, on that core; at the end it is told to stop, and killed if it does not.

    If the bench itself is killed, so is the server.
    """
    leashed = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), NO_SOCKETS, *command]
    with log.open("wb") as output, on_core(core):
        child = subprocess.Popen(
            leashed,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
    try:
        yield Watched(child.pid, child=child, log=log)
    finally:
        child.terminate()
        try:
            child.wait(harness.STOP_S_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def ran(command: Sequence[str], *, patience_s: float, core: int | None = None) -> str:
    """Run to the end, on that core; what it printed. Raises `Broken`."""
    try:
        with on_core(core):
            child = subprocess.Popen(list(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with child:
            try:
                said, complaint = child.communicate(timeout=patience_s)
            finally:
                child.kill()
    except subprocess.TimeoutExpired:
        raise Broken(f"{Path(command[0]).name} was not done after {patience_s:.0f} s") from None
    if child.returncode != 0:
        raise Broken(f"{Path(command[0]).name}: {(complaint or said).strip()[-1000:]}")
    return said


def wait_for_port(port: int, process: Watched) -> None:
    """Until somebody listens there. Raises `Broken`."""
    ends_s = time.monotonic() + harness.START_S_MAX
    while True:
        process.check_alive()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > ends_s:
                raise Broken(f"nobody listens on port {port}\n{process.said}") from None
            time.sleep(0.02)
        else:
            return
