"""What the benches share: facts of the machine, figures of a process, servers, and how a result is printed.

A bench prints what it does, and as its last line one JSON object: `{"bench", "figures", "machine"}`.
"""

import argparse
import importlib
import json
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc import aio

from tests.tools.recipe import Recipe, cache_folder

START_S_MAX = 60.0
STOP_S_MAX = 20.0
SERVICE = "/inference.GRPCInferenceService"

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Some measurements of the same thing."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median=statistics.median(values), least=min(values), most=max(values))

    def __str__(self) -> str:
        return f"{self.median:.0f} [{self.least:.0f}-{self.most:.0f}]"

    def rounded(self) -> list[float]:
        """Median, least, most."""
        return [round(value, 1) for value in (self.median, self.least, self.most)]


class Process:
    """A server that was started for a bench."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._folder = Path("/proc") / str(process.pid)

    def cpu_s(self) -> float:
        """User and system time so far, to a hundredth of a second."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND

    def resident_bytes(self) -> int:
        for line in (self._folder / "smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("smaps_rollup has no Rss")

    def threads(self) -> int:
        return len(list((self._folder / "task").iterdir()))

    def open_files(self) -> int:
        return len(list((self._folder / "fd").iterdir()))

    def check_alive(self) -> None:
        if self._process.poll() is not None:
            raise SystemExit(f"{self._process.args!r} ended with status {self._process.returncode}")


@contextmanager
def started(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> Iterator[Process]:
    """Run a server, its output in `log`; at the end it is told to stop, and killed if it does not."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command), stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
        )
        try:
            yield Process(process)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def python_runtime(models_dir: Path, *, port: int, flags: Sequence[str] = ()) -> Iterator[Process]:
    """The in-house runtime over these models, listening for gRPC."""
    command = [
        sys.executable,
        "-m",
        "runtimes.python_runtime",
        "--grpc-port",
        str(port),
        "--rest-port",
        "off",
    ]
    log = models_dir / ".log"
    with started([*command, "--models-dir", str(models_dir), *flags], log=log) as process:
        wait_until_live(port, process, log=log)
        yield process


def wait_until_live(port: int, process: Process, *, log: Path) -> None:
    """Wait for the gRPC door to say that the server is ready."""
    deadline_s = time.monotonic() + START_S_MAX
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ready: Callable[..., bytes] = channel.unary_unary(f"{SERVICE}/ServerReady")
        while True:
            process.check_alive()
            try:
                ready(b"", timeout=1)
            except grpc.RpcError as error:
                away = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
                if not away or time.monotonic() > deadline_s:
                    said = log.read_text(errors="replace")[-2000:]
                    raise SystemExit(f"no server on port {port}: {error}\n{said}") from error
                time.sleep(0.05)
            else:
                return


def method(channel: grpc.Channel, name: str) -> Callable[[bytes], bytes]:
    """A call of the service with encoded messages; blocks until it is answered."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"{SERVICE}/{name}")
    return call


def aio_method(channel: aio.Channel, name: str) -> "aio.UnaryUnaryMultiCallable[bytes, bytes]":
    """The same for an event loop."""
    call: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"{SERVICE}/{name}")
    return call


PORTS = (12_000, 32_000)
"""Below those that Linux gives to connections (`ip_local_port_range`)."""
_given: set[int] = set()


def free_port() -> int:
    """A port of the loopback that nobody listens on.

    It is none of those that the kernel gives to connections, or one of them could have it by the time that it
    is listened on; and none that was given here before.
    """
    while True:
        port = random.randrange(*PORTS)
        if port in _given:
            continue
        _given.add(port)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def tool(name: str) -> Path:
    """The program that a recipe of `make tools` obtained."""
    recipe: Recipe = importlib.import_module(f"tests.tools.{name}").RECIPE
    if not recipe.is_built(cache_folder()):
        raise SystemExit(
            f"this bench needs {name}: run `make tools` first ({recipe.missing() or 'not built'})"
        )
    return recipe.path(cache_folder())


def machine() -> dict[str, object]:
    """Enough of this machine to know whether two results can be compared."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpus": os.cpu_count(),
        "cpu": model,
        "memory_gib": round(memory / 1024**3, 1),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def arguments(description: str | None) -> argparse.Namespace:
    """The flags that all benches have."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="end within 60 s, with a rougher result")
    return parser.parse_args()


def report(bench: str, figures: Mapping[str, object]) -> None:
    """The last line."""
    print(json.dumps({"bench": bench, "figures": dict(figures), "machine": machine()}), flush=True)
