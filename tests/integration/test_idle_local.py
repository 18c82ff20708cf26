"""Scale to zero by idleness on the local cluster: `remesh up --manifests`, real processes, real time."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapter.up.mesh_folder import MeshFolder
from tests.integration import examples
from tests.integration.local_meshes import REMESH, Up, up

PATIENCE_S = 60.0
IDLE_S = 3
"""The instance says that it is idle after ten seconds."""
CONFIG = f"""
apiVersion: v1
kind: ConfigMap
metadata:
  name: model-serving-config
data:
  config.yaml: |
    scaleToZero:
      idleSeconds: {IDLE_S}
"""
ISVC = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: digits
  annotations:
    serving.kserve.io/deploymentMode: ModelMesh
spec:
  predictor:
    model:
      modelFormat:
        name: sklearn
      storage:
        parameters:
          type: local
        path: digits.joblib
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A mesh that is up over a folder of manifests."""

    mesh: Up
    home: Path

    def remesh(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "HOME": str(self.home)}
        return subprocess.run(
            [REMESH, *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=env
        )

    def state(self) -> str:
        """`activeModelState`."""
        told = json.loads(self.remesh("get", "isvc", "digits", "-o", "json").stdout or "{}")
        return str(told.get("status", {}).get("modelStatus", {}).get("states", {}).get("activeModelState"))

    def instances(self) -> int:
        """How many run: `remesh up` is one process, and each instance and runtime another."""
        return sum(
            b"adapter\0instance" in Path(f"/proc/{pid}/cmdline").read_bytes()
            for pid in self.mesh.descendants
            if Path(f"/proc/{pid}/cmdline").exists()
        )

    def until(self, true: Callable[[], object]) -> None:
        ends_s = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < ends_s, self.mesh.said
            time.sleep(0.5)


@pytest.fixture
def declared(tmp_path: Path) -> Iterator[Declared]:
    manifests, home, files = tmp_path / "m", tmp_path / "home", MeshFolder(tmp_path / "mesh").files
    for folder in (manifests, home, files):
        folder.mkdir(parents=True)
    (files / "digits.joblib").write_bytes(examples.dumped(examples.constant_model(7)))
    (manifests / "all.yaml").write_text(f"{CONFIG}---{ISVC}")
    words = ("--manifests", str(manifests), "--instances", "1")
    with up(tmp_path / "mesh", *words, HOME=str(home)) as mesh:
        yield Declared(mesh=mesh, home=home)


def test_what_nobody_asks_stops_and_the_next_call_is_held_until_it_is_there_again(declared: Declared) -> None:
    declared.until(lambda: declared.state() == "Loaded")
    declared.until(lambda: declared.instances() == 0)
    declared.until(lambda: declared.state() == "Standby")
    answer = declared.remesh("infer", "digits", "--data", "[[0, 0, 0, 0]]")
    assert answer.returncode == 0, answer.stderr
    assert "7" in answer.stdout
    assert declared.instances() > 0
