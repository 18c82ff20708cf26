"""`remesh up` as a person runs it, for tests: on any ports, below a folder of the test."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapter.up.mesh_folder import MeshFolder, MeshIsDown, Whereabouts
from tests.integration.test_demo import children_of

REMESH = Path(sys.executable).with_name("remesh")
START_S_MAX = 90.0
END_S_MAX = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """A `remesh up` that runs."""

    process: subprocess.Popen[bytes]
    folder: MeshFolder
    output: Path

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def where(self) -> Whereabouts:
        return self.folder.whereabouts()

    def pids(self, child: str) -> list[int]:
        """Of this child: one for each time that it became ready."""
        return [int(pid) for pid in re.findall(rf"process is ready \(child={child}, pid=(\d+)\)", self.said)]

    @property
    def descendants(self) -> set[int]:
        return children_of(self.process.pid)

    def metrics(self, instance: str) -> str:
        """The URL that it was said to have."""
        found = re.search(rf"{instance} +(http://\S+/metrics)", self.said)
        assert found, self.said
        return found[1]

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(END_S_MAX)


@contextmanager
def up(folder: Path, *words: str, **env: str) -> Iterator[Up]:
    """A mesh with its data in this folder, until the end of the block."""
    with starting(folder, *words, **env) as mesh:
        wait_until(lambda: _is_up(mesh), mesh)
        yield mesh


@contextmanager
def starting(folder: Path, *words: str, **env: str) -> Iterator[Up]:
    """The same, not waited for."""
    output = folder.parent / f"{folder.name}.said"
    output.unlink(missing_ok=True)
    command = [str(REMESH), "up", "--port", "0", "--rest-port", "0", "--data-dir", str(folder), *words]
    with output.open("ab") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, env=os.environ | env, start_new_session=True
        )
    mesh = Up(process=process, folder=MeshFolder(folder), output=output)
    try:
        yield mesh
    finally:
        try:
            mesh.end()
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def wait_until(true: Callable[[], bool], mesh: Up, *, seconds: float = START_S_MAX) -> None:
    """Look until it is so; what the mesh said is the failure."""
    ends_s = time.monotonic() + seconds
    while not true():
        assert mesh.process.poll() is None, f"it ended:\n{mesh.said}"
        assert time.monotonic() < ends_s, f"not within {seconds:g} s:\n{mesh.said}"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_up(mesh: Up) -> bool:
    try:
        _ = mesh.where
    except MeshIsDown:
        return False
    return "Ctrl-C ends everything" in mesh.said
