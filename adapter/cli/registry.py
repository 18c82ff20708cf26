"""`remesh registry`: the embedded registry by itself, for several instances."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from adapter.aio.clock import LoopClock
from adapter.cli.running import fail, run
from adapter.registry.embedded_server import embedded_serving
from adapter.telemetry import logs

DEFAULT_LISTEN = "127.0.0.1:2379"


def command(
    *,
    file: Annotated[Path, typer.Option(dir_okay=False, help="Where it is kept; made if it is not there.")],
    listen: Annotated[str, typer.Option(help="host:port (port 0: any), or unix:PATH.")] = DEFAULT_LISTEN,
    log_format: Annotated[
        str, typer.Option(envvar="REMESH_LOG_FORMAT", help="json, or text for people.")
    ] = "json",
) -> None:
    """Serve the registry of a mesh from one file, to instances and to whatever speaks to etcd.

    It offers the part of etcd's v3 API that a mesh needs, for a laptop or for tests: there is no replication,
    no password and no encryption, so let it listen on loopback or on a unix socket. Instances find it like an
    etcd: KV_STORE=etcd:127.0.0.1:2379 remesh instance. `remesh up` starts one by itself.
    """
    if log_format not in ("json", "text"):
        fail(f"--log-format: json or text, not {log_format!r}")
    logs.configure(level="info", form="json" if log_format == "json" else "text")
    run(_serve(file, listen))


async def _serve(file: Path, listen: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with embedded_serving(file, listen, clock=LoopClock()):
        await stop.wait()
