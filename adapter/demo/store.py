"""The S3 store of the demo: one that is given, MinIO where it is installed, else moto's server from PyPI."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from adapter.aio.clock import LoopClock
from adapter.cluster.probes import http_answers, port_accepts
from adapter.cluster.processes import ProcessSpec, Supervisor
from adapter.demo.examples import Example
from adapter.domain.errors import Broken
from adapter.up.ports import held_port

BUCKET: Final = "modelmesh-example-models"
REGION: Final = "us-east-1"
"""The one region in which every store makes a bucket without being told where."""
ACCESS_KEY_ID: Final = "remesh-demo"
SECRET_ACCESS_KEY: Final = "remesh-demo-secret"  # noqa: S105 - of a store on loopback that lives as long as the demo


class StoreUnusable(Broken):
    """The store does not take the examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """An S3 store and the credentials for it."""

    server: str
    """What it is, for people."""
    endpoint_url: str
    access_key_id: str = field(default=ACCESS_KEY_ID, repr=False)
    secret_access_key: str = field(default=SECRET_ACCESS_KEY, repr=False)
    bucket: str = BUCKET

    def storage_key(self) -> dict[str, str]:
        """The entry of `storage-config` by which an instance finds it."""
        return {
            "type": "s3",
            "endpoint_url": self.endpoint_url,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
            "region": REGION,
            "default_bucket": self.bucket,
        }

    async def fill(self, examples: Sequence[Example]) -> None:
        """Make the bucket if it is not there, and put the examples into it. Raises `StoreUnusable`."""
        await asyncio.to_thread(self._fill, examples)

    def _fill(self, examples: Sequence[Example]) -> None:
        try:
            self._put(examples)
        except (BotoCoreError, ClientError) as error:
            raise StoreUnusable(f"{self.server} at {self.endpoint_url} cannot be filled: {error}") from error

    def _put(self, examples: Sequence[Example]) -> None:
        s3 = boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=REGION,
        )
        if self.bucket not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=self.bucket)
        for example in examples:
            s3.put_object(Bucket=self.bucket, Key=example.path, Body=example.content)


def given_store(environ: Mapping[str, str]) -> Store | None:
    """The store that the environment names with `REMESH_DEMO_S3_ENDPOINT` and AWS's own variables."""
    endpoint_url = environ.get("REMESH_DEMO_S3_ENDPOINT")
    if not endpoint_url:
        return None
    return Store(
        server="the given S3 store",
        endpoint_url=endpoint_url,
        access_key_id=environ.get("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        bucket=environ.get("REMESH_DEMO_S3_BUCKET", BUCKET),
    )


@asynccontextmanager
async def store_serving(
    environ: Mapping[str, str], *, folder: Path, owner: asyncio.TaskGroup
) -> AsyncIterator[Store]:
    """The store that is given, or one of our own with its objects below `folder`, while inside.

    Raises `ProcessFailed`. Its process is kept by a task of the owner.
    """
    given = given_store(environ)
    if given is not None:
        yield given
        return
    supervisor = Supervisor(owner=owner, clock=LoopClock())
    with closing(held_port()) as held:
        store, process = store_process(environ, port=held.port, folder=folder)
        try:
            await supervisor.start(process)
            yield store
        finally:
            await supervisor.stop()


def store_process(environ: Mapping[str, str], *, port: int, folder: Path) -> tuple[Store, ProcessSpec]:
    """A store of our own on this port, its objects below `folder`, and the process that serves it."""
    endpoint_url = f"http://127.0.0.1:{port}"
    minio = _minio(environ)
    if minio is None:
        return Store(server="moto", endpoint_url=endpoint_url), ProcessSpec(
            name="store",
            command=(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)),
            ready=lambda: port_accepts(port),
        )
    credentials = {"MINIO_ROOT_USER": ACCESS_KEY_ID, "MINIO_ROOT_PASSWORD": SECRET_ACCESS_KEY}
    return Store(server="MinIO", endpoint_url=endpoint_url), ProcessSpec(
        name="store",
        command=(
            str(minio),
            "server",
            "--address",
            f"127.0.0.1:{port}",
            "--console-address",
            "127.0.0.1:0",
            str(folder),
        ),
        env={**environ, **credentials},
        ready=lambda: http_answers(port, "/minio/health/live"),
    )


def _minio(environ: Mapping[str, str]) -> Path | None:
    """MinIO where `make tools` puts it, else on the PATH."""
    cache = Path(environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    tools = Path(environ.get("REMESH_TOOLS") or cache / "remesh" / "tools")
    found = tools / "bin" / "minio"
    if os.access(found, os.X_OK):
        return found
    on_path = shutil.which("minio", path=environ.get("PATH"))
    return Path(on_path) if on_path else None
