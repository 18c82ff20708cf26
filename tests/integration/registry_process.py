"""An embedded registry in a process of its own, as `remesh up` has it.

python -m tests.integration.registry_process FILE ADDRESS
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapter.aio.clock import LoopClock
from adapter.registry.embedded_server import embedded_serving
from tests.integration import mesh


async def main(path: Path, address: str) -> None:
    async with embedded_serving(path, address, clock=LoopClock()) as serving:
        sys.stdout.write(f"{serving}\n")
        sys.stdout.flush()
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()


@dataclass(slots=True, kw_only=True)
class RegistryProcess:
    """Its file and its address stay the same over restarts."""

    path: Path
    address: str = field(default_factory=lambda: f"127.0.0.1:{mesh.free_port()}")
    child: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    def start(self) -> None:
        """Until it listens."""
        command = [sys.executable, "-m", __name__, str(self.path), self.address]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.child.stdout is not None
        said = self.child.stdout.readline()
        assert said == f"{self.address}\n", said + self.child.communicate()[0]

    def kill(self) -> str:
        """What it said beside its address."""
        return self._end(signal.SIGKILL)

    def stop(self) -> str:
        """As Ctrl-C in `remesh up` does it; what it said beside its address."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> str:
        if self.child is None:
            return ""
        os.kill(self.pid, how)
        said, _ = self.child.communicate(timeout=30)
        self.child = None
        return said


@contextmanager
def running(path: Path) -> Iterator[RegistryProcess]:
    """A registry in this file, until the end of the block."""
    registry = RegistryProcess(path=path)
    registry.start()
    try:
        yield registry
    finally:
        registry.kill()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
