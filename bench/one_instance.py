"""One instance for benches: MinIO, and an instance before the in-house runtime."""

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench import harness


@contextmanager
def minio(objects: Path, *, port: int, env: Mapping[str, str]) -> Iterator[str]:
    """A MinIO of `make tools` with its objects below this folder; gives its endpoint."""
    command = [
        str(harness.tool("minio")),
        "server",
        "--quiet",
        "--address",
        f"127.0.0.1:{port}",
        str(objects),
    ]
    log = objects.with_suffix(".log")
    with harness.started(command, log=log, env=env) as process:
        endpoint_url = f"http://127.0.0.1:{port}"
        ends_s = time.monotonic() + harness.START_S_MAX
        while not _answers(f"{endpoint_url}/minio/health/live"):
            process.check_alive()
            if time.monotonic() > ends_s:
                raise SystemExit(f"MinIO does not answer:\n{log.read_text(errors='replace')}")
        yield endpoint_url


@contextmanager
def instance(folder: Path, *, runtime_port: int) -> Iterator[str]:
    """An instance before that runtime, its files, secrets and registry below `folder`; gives its address."""
    port = harness.free_port()
    settings = {
        "MM_SERVICE_NAME": "bench",
        "MM_SVC_GRPC_PORT": str(port),
        "REMESH_HOST": "127.0.0.1",
        "REMESH_RUNTIME": "python",
        "RUNTIME_PORT": str(runtime_port),
        "CONTAINER_MEM_REQ_BYTES": str(2**30),
        "ROOT_MODEL_DIR": str(folder / "models"),
        "STORAGE_CONFIG_DIR": str(folder / "storage-config"),
        "REMESH_DATA_DIR": str(folder / "state"),
        "LOG_LEVEL": "warning",
    }
    log = folder / "instance.log"
    with harness.started([sys.executable, "-m", "adapter", "instance"], log=log, env=settings) as process:
        harness.wait_until_live(port, process, log=log)
        yield f"127.0.0.1:{port}"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        time.sleep(0.05)
        return False
