"""What a measure is played on: a registry, a runtime, an instance; each in a folder of its own."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import harness
from bench.compiled import check_kind, compiled_core
from bench.mesh.options import Options
from bench.mesh.place import HOST, Place
from bench.mesh.registry import Etcd, etcd
from bench.mesh.stub import Stub
from bench.processes import Broken, Watched, started, wait_for_port
from hatch_build import missing_compiler

INSTANCE: Final = (sys.executable, "-m", "adapter", "instance")
NAME: Final = "instance-0"
LOOKING_EVERY_S: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An instance that is ready."""

    address: str
    process: Watched
    ready_s: float
    """From the start of the process."""


@dataclass(slots=True)
class Stage:
    """Starts what a measure asks for."""

    options: Options
    folder: Path

    @contextmanager
    def registry(self) -> Iterator[Etcd | None]:
        """A new etcd; None: the instance is to use its own. Raises `Broken`."""
        if self.options.embedded:
            yield None
            return
        with etcd(self._new("etcd"), flags=self.options.etcd_flags) as running:
            yield running

    @contextmanager
    def stub(self, *, flags: Sequence[str] = ()) -> Iterator[Stub]:
        """A runtime without models, with room for all of them. Raises `Broken`."""
        runtime = Stub(name="stub", flags=flags)
        with started(runtime.command(), log=self._new("stub") / "log") as process:
            wait_for_port(runtime.port, process)
            yield runtime

    def place(self) -> Place:
        """Where an instance may be started, again and again."""
        return Place(name=NAME, folder=self._new(NAME))

    @contextmanager
    def instance(
        self,
        place: Place,
        *,
        registry: Etcd | None,
        runtime_port: int,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[Running]:
        """As a pod runs it: its core compiled, if there is a C compiler. Raises `Broken`."""
        compiled = self._is_compiled()
        settings = {
            **place.environment(kv_store=registry.kv_store if registry else "", runtime_port=runtime_port),
            **(compiled_core() if compiled else {}),
            **(env or {}),
        }
        log = place.folder / "log"
        began_s = time.monotonic()
        with started(self.options.instance or INSTANCE, log=log, env=settings) as process:
            wait_until_ready(place, process)
            ready_s = time.monotonic() - began_s
            if self.options.instance is None:
                check_kind(log, compiled=compiled)
            yield Running(address=place.address, process=process, ready_s=ready_s)

    @contextmanager
    def python_runtime(self, models_dir: Path) -> Iterator[tuple[int, Watched]]:
        """The in-house runtime over the area that an instance lays out; its port. Raises `Broken`."""
        port = harness.free_port()
        command = [sys.executable, "-m", "runtimes.python_runtime", "--models-dir", str(models_dir)]
        command += ["--grpc-port", str(port), "--rest-port", "off"]
        with started(command, log=self._new("runtime") / "log") as process:
            wait_for_port(port, process)
            yield port, process

    def _is_compiled(self) -> bool:
        if self.options.plain or self.options.instance is not None:
            return False
        if complaint := missing_compiler():
            print(f"NOTE: the instance is plain Python: {complaint}", flush=True)
        return not complaint

    def _new(self, name: str) -> Path:
        number = sum(1 for _ in self.folder.iterdir())
        path = self.folder / f"{number}-{name}"
        path.mkdir()
        return path


def wait_until_ready(place: Place, process: Watched) -> None:
    """Until the instance says that it is. Raises `Broken`."""
    ends_s = time.monotonic() + harness.START_S_MAX
    while not place.is_ready():
        process.check_alive()
        if time.monotonic() > ends_s:
            raise Broken(f"{place.name} at {HOST} is not ready:\n{process.said}")
        time.sleep(LOOKING_EVERY_S)
