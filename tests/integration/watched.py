"""An instance under watch: what it counts about itself, its memory, and a client beside the others."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import IO, Any, Final

from tests.integration import certificates, mesh
from tests.integration.clients import meshes
from tests.integration.clients.meshes import MODEL, Door, EchoRuntime
from tests.integration.raw_http2 import Pair, RawClient

UNARY: Final = "test.Echo/Unary"
SERVER_STREAM: Final = "test.Echo/ServerStream"
CLIENT_STREAM: Final = "test.Echo/ClientStream"
BIDI: Final = "test.Echo/Bidi"
INFER: Final = "inference.GRPCInferenceService/ModelInfer"
TO_MODEL: Final[list[Pair]] = [("mm-model-id", MODEL)]

MIB: Final = 1 << 20
REST_S_MAX: Final = 10.0
"""How long an instance may take to be as it was before."""
CALLS_MIN: Final = 20
"""Fewer calls of a witness have no median to speak of."""
MEDIAN_MS_MAX: Final = 50.0
SLOWEST_MS_MAX: Final = 1000.0
"""Two cores are shared by the attacker, the attacked, the runtime and the witness."""

_SAMPLE = re.compile(r"^(\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """An instance before an echo runtime."""

    door: Door
    runtime: EchoRuntime
    metrics_port: int
    witness: "Witness"

    def connect(self, greeting: bytes | None = None, *, receive_buffer_bytes: int | None = None) -> RawClient:
        return RawClient(self.door.port, greeting=greeting, receive_buffer_bytes=receive_buffer_bytes)

    def figures(self) -> dict[str, float]:
        """All metrics, by name and labels as they are written."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            return {name: float(value) for name, value in _SAMPLE.findall(answer.read().decode())}

    def figure(self, name: str, **labels: str) -> float:
        """One metric; 0 if it was never counted."""
        told = ",".join(f'{key}="{value}"' for key, value in labels.items())
        return self.figures().get(f"{name}{{{told}}}" if told else name, 0.0)

    def hits(self, limit: str) -> float:
        return self.figure("remesh_relay_limit_hits_total", limit=limit)

    def is_at_rest(self) -> bool:
        """Nobody is connected but the witness, and nothing is kept."""
        told = self.figures()
        return (
            told['remesh_relay_open_connections{side="client"}'] <= 1
            and told["remesh_relay_open_calls"] <= 1
            and told["remesh_relay_waiting_calls"] == 0
            and told["remesh_relay_buffered_bytes"] < 1024
        )

    def comes_to_rest(self) -> None:
        wait_until(self.is_at_rest, lambda: f"still not at rest: {self._relay_figures()}")

    def _relay_figures(self) -> dict[str, float]:
        return {name: value for name, value in self.figures().items() if name.startswith("remesh_relay")}


def wait_until(is_met: Callable[[], bool], why: Callable[[], str], *, wait_s: float = REST_S_MAX) -> None:
    ends_s = time.monotonic() + wait_s
    while not is_met():
        assert time.monotonic() < ends_s, why()
        time.sleep(0.02)


class Witness:
    """A well-behaved client beside the others (`witness`)."""

    def __init__(self, to_it: IO[str], from_it: IO[str]) -> None:
        self._to_it, self._from_it = to_it, from_it

    def forget(self) -> None:
        """What it saw so far does not count."""
        self._ask()

    def was_not_disturbed(self) -> None:
        """All its calls since it was asked last were answered, and as fast as ever."""
        told = self._ask()
        assert not told["failures"], told["failures"][:3]
        latencies_ms = told["latencies_ms"]
        if len(latencies_ms) < CALLS_MIN:
            assert not latencies_ms or max(latencies_ms) < SLOWEST_MS_MAX
            return
        cuts = quantiles(latencies_ms, n=100)
        assert cuts[49] < MEDIAN_MS_MAX, f"median {cuts[49]:.1f} ms of {len(latencies_ms)} calls"
        assert cuts[98] < SLOWEST_MS_MAX, f"99th percentile {cuts[98]:.1f} ms of {len(latencies_ms)} calls"

    def _ask(self) -> dict[str, Any]:
        self._to_it.write("\n")
        self._to_it.flush()
        told: dict[str, Any] = json.loads(self._from_it.readline())
        return told


@contextmanager
def witness(door: Door) -> Iterator[Witness]:
    command = [sys.executable, "-m", "tests.integration.witness", door.target, door.model]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin
        assert child.stdout
        seen = Witness(child.stdin, child.stdout)
        seen.forget()
        try:
            yield seen
        finally:
            child.stdin.close()
            child.wait(timeout=20)


@contextmanager
def watched(folder: Path, *runtime_arguments: str, **env: str) -> Iterator[Watched]:
    """An echo runtime, an instance with these settings before it, and a witness."""
    (folder / "certificates").mkdir(parents=True)
    (folder / "runtime").mkdir()
    made = certificates.make(folder / "certificates")
    port = mesh.free_port()
    told = {"MM_METRICS": f"prometheus:port={port};scheme=http"}
    with (
        meshes.echo_runtime(folder / "runtime", made, *runtime_arguments) as runtime,
        meshes.relay(folder / "instance", runtime, made, **told | env) as door,
        witness(door) as seen,
    ):
        yield Watched(door=door, runtime=runtime, metrics_port=port, witness=seen)


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
