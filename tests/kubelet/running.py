"""A Node for a test: `with running_node(kubeconfig, images, folder=...) as node`."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kubelet.network import NAMESPACES, STATE, Network, sweep

START_S_MAX = 30.0
STOP_S_MAX = 20.0


@dataclass(slots=True, kw_only=True)
class RunningNode:
    """A kubelet in a process of its own; `images` may be rewritten while it runs."""

    child: subprocess.Popen[bytes]
    output: Path
    images: Path
    node_ip: str
    """Where pods reach the exposed ports of this machine."""

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def namespaces(self) -> list[Path]:
        """The networks of its pods."""
        slot = int(self.node_ip.split(".")[2])
        return list(NAMESPACES.glob(f"{Network(slot=slot, folder=STATE).bridge}-*"))

    def kill(self) -> None:
        """As a machine that loses its power: all pods with it. What is left goes when the next one starts."""
        self.child.kill()
        self.child.wait()


@contextmanager
def running_node(
    kubeconfig: Path,
    images: Mapping[str, Mapping[str, Any]],
    *,
    folder: Path,
    name: str = "node-1",
    expose: Sequence[int] = (),
    back_off_s: float = 1.0,
) -> Iterator[RunningNode]:
    """A registered Node while inside; `folder` is for its output and the file of images."""
    file = folder / f"{name}-images.json"
    file.write_text(json.dumps(images))
    output = folder / f"{name}.log"
    ports = [word for port in expose for word in ("--expose", str(port))]
    with output.open("wb") as log:
        child = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "tests.kubelet",
                    "--kubeconfig",
                    str(kubeconfig),
                    "--images",
                    str(file),
                ),
                *("--name", name, "--back-off-s", str(back_off_s), *ports),
            ],
            cwd=Path(__file__).resolve().parents[2],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield RunningNode(child=child, output=output, images=file, node_ip=_ready(child, output))
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        sweep()  # if it was killed


def _ready(child: subprocess.Popen[bytes], output: Path) -> str:
    """Until it is registered: the Node's address."""
    ends_s = time.monotonic() + START_S_MAX
    while time.monotonic() < ends_s:
        said = output.read_text(errors="replace")
        for line in said.splitlines():
            if line.startswith('{"node_ip"'):
                return str(json.loads(line)["node_ip"])
        assert child.poll() is None, f"the kubelet ended:\n{said}"
        time.sleep(0.02)
    raise AssertionError(f"the kubelet is not ready:\n{output.read_text()}")
