"""Real servers for the integration tests, obtained by `make tools`.

Where one is missing, the tests that need it are skipped and say so; with `CI=true` or
`REMESH_REQUIRE_TOOLS=1` they fail instead, so that a green run has skipped nothing.
"""

import os
import secrets
import time
import urllib.error
import urllib.request
from asyncio import AbstractEventLoop, new_event_loop
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import boto3
import botocore.config
import pytest
import uvloop

from tests.integration import mesh
from tests.tools import minio as minio_recipe
from tests.tools import mlserver as mlserver_recipe
from tests.tools.recipe import Recipe, cache_folder

if TYPE_CHECKING:
    from tests.integration.control_plane import ControlPlane

START_S_MAX = 60.0


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """The loop that the tests run in; the sockets of the relay in the one that production has as well."""
    if item.path.stem.startswith("test_relay_server"):
        return {"asyncio": new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": new_event_loop}


def tool(recipe: Recipe) -> Path:
    """The program that a recipe built; without it the test is skipped, or fails (see above)."""
    cache = cache_folder()
    if not recipe.is_built(cache):
        lacking = recipe.missing() or "it was not built yet"
        lacks(f"{recipe.name} is missing ({lacking}); get it with `make tools`")
    return recipe.path(cache)


def lacks(message: str) -> NoReturn:
    """Skip the test, or fail it (see above)."""
    if os.environ.get("CI") == "true" or os.environ.get("REMESH_REQUIRE_TOOLS") == "1":
        pytest.fail(message)
    pytest.skip(message)


def wait_for_http(url: str, process: mesh.Process) -> None:
    """Until a GET is answered with a success; if the process ends instead, its output is the failure."""
    ends_s = time.monotonic() + START_S_MAX
    while time.monotonic() < ends_s:
        assert process.child.poll() is None, f"it ended:\n{process.said}"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer:\n{process.said}")


@dataclass(kw_only=True)
class MinioServer:
    """A MinIO with a disk of its own."""

    process: mesh.Process
    port: int
    access_key: str
    secret_key: str
    region: str = "us-east-1"

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def client(self) -> Any:
        """A boto3 client with all rights."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=botocore.config.Config(proxies={}, retries={"max_attempts": 2}),
        )

    def make_bucket(self, bucket: str) -> None:
        """Make it if it is not there."""
        try:
            self.client.create_bucket(Bucket=bucket)
        except self.client.exceptions.BucketAlreadyOwnedByYou:
            return

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Put an object, making the bucket."""
        self.make_bucket(bucket)
        self.client.put_object(Bucket=bucket, Key=key, Body=content)

    def storage_key(self, bucket: str) -> dict[str, str]:
        """What a key of `storage-config` says to reach this bucket."""
        return {
            "type": "s3",
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
            "endpoint_url": self.endpoint_url,
            "region": self.region,
            "bucket": bucket,
        }


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    """One MinIO for the whole run; tests take a bucket each."""
    program = tool(minio_recipe.RECIPE)
    folder = tmp_path_factory.mktemp("minio")
    port, secret_key = mesh.free_port(), secrets.token_hex(16)
    env = {"MINIO_ROOT_USER": "remesh-tests", "MINIO_ROOT_PASSWORD": secret_key, "MINIO_BROWSER": "off"}
    command = [str(program), "server", "--quiet", "--address", f"127.0.0.1:{port}", str(folder / "disk")]
    with mesh.started(command, output=folder / "minio.log", env=env) as process:
        wait_for_http(f"http://127.0.0.1:{port}/minio/health/live", process)
        server = MinioServer(process=process, port=port, access_key="remesh-tests", secret_key=secret_key)
        yield server
        server.client.close()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[ControlPlane]":
    """One control plane of Kubernetes for the whole run; tests take a namespace each."""
    from tests.integration import control_plane  # it needs this module

    with control_plane.running(tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@dataclass(frozen=True, kw_only=True)
class MLServer:
    """A running `mlserver start`, without models at its start."""

    process: mesh.Process
    grpc_port: int
    http_port: int


StartMLServer = Callable[[Path], MLServer]


@pytest.fixture(scope="module")
def mlserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartMLServer]:
    """Starts a real MLServer over a models folder, set up as ModelMesh does (runtime adapter 5.1)."""
    program = tool(mlserver_recipe.RECIPE)
    logs = tmp_path_factory.mktemp("mlserver")
    with ExitStack() as stack:

        def start(models_folder: Path) -> MLServer:
            models_folder.mkdir(parents=True, exist_ok=True)
            grpc_port, http_port, metrics_port = (mesh.free_port() for _ in range(3))
            env = {
                "MLSERVER_MODELS_DIR": str(models_folder),
                "MLSERVER_HOST": "127.0.0.1",
                "MLSERVER_GRPC_PORT": str(grpc_port),
                "MLSERVER_HTTP_PORT": str(http_port),
                "MLSERVER_METRICS_PORT": str(metrics_port),
                "MLSERVER_LOAD_MODELS_AT_STARTUP": "false",
                "MLSERVER_MODEL_NAME": "no-model-at-start",
                "MLSERVER_PARALLEL_WORKERS": "0",
            }
            command = [str(program), "start", str(models_folder)]
            running = mesh.started(command, output=logs / f"{grpc_port}.log", env=env)
            process = stack.enter_context(running)
            wait_for_http(f"http://127.0.0.1:{http_port}/v2/health/ready", process)
            mesh.wait_until_serving(grpc_port, process)
            return MLServer(process=process, grpc_port=grpc_port, http_port=http_port)

        yield start
