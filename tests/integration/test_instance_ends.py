import sys
import time
from pathlib import Path

import pytest

from tests.integration.mesh import free_port, started

SOON_S = 8.0
"""Far less than the runtime may take."""


@pytest.mark.parametrize("kind", ["python", "model-runtime"])
def test_an_instance_that_waits_for_its_runtime_ends_when_it_is_told_to(tmp_path: Path, kind: str) -> None:
    probe = free_port()
    settings = {
        "MM_SERVICE_NAME": "test",
        "MM_SVC_GRPC_PORT": str(free_port()),
        "MM_PROBE_PORT": str(probe),
        "MM_PRESTOP_WAIT_PORT": "NONE",
        "REMESH_HOST": "127.0.0.1",
        "REMESH_RUNTIME": kind,
        "REMESH_RUNTIME_START_S": "120",
        "RUNTIME_PORT": str(free_port()),
        "INTERNAL_GRPC_PORT": str(free_port()),
        "ROOT_MODEL_DIR": str(tmp_path / "models"),
        "REMESH_DATA_DIR": str(tmp_path / "state"),
    }
    command = [sys.executable, "-m", "adapter", "instance"]
    with started(command, output=tmp_path / "log", env=settings) as process:
        ends_s = time.monotonic() + 30
        while f"port={probe}" not in process.said and f'"port": {probe}' not in process.said:
            assert time.monotonic() < ends_s, process.said
            time.sleep(0.05)
        began_s = time.monotonic()
        assert process.stop() == 0, process.said
        assert time.monotonic() - began_s < SOON_S, process.said
