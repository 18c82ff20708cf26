"""The tour: everything started, the examples registered, each asked cold and warm, then what to type next."""

import asyncio
import json
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from adapter.aio.clock import LoopClock
from adapter.cluster.processes import Supervisor
from adapter.demo import examples
from adapter.demo.asking import Asked, ask, register, request_for
from adapter.demo.examples import Example
from adapter.demo.processes import Ports, free_port, instance_process, runtime_process
from adapter.demo.store import Store, given_store, store_process
from adapter.domain.errors import InvalidRequest, Refused
from adapter.peers.mesh_client import MeshClient

STORAGE_KEY: Final = "localMinIO"
DEFAULT_PORT: Final = 8033
DEFAULT_REST_PORT: Final = 8008
DEFAULT_METRICS_PORT: Final = 2112


@dataclass(frozen=True, slots=True, kw_only=True)
class Tour:
    """What the person who takes it may choose."""

    environ: Mapping[str, str] = field(repr=False)
    port: int = DEFAULT_PORT
    """Of the mesh; another one is taken if it is not free."""
    stays: bool = True
    """Stay up after the predictions, until Ctrl-C."""


async def fill_given_store(environ: Mapping[str, str]) -> None:
    """Train the examples and put them into the store that the environment names, and no more."""
    store = given_store(environ)
    if store is None:
        raise InvalidRequest(
            "REMESH_DEMO_S3_ENDPOINT must name the store to fill; "
            "its credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    await store.fill(await _train(Console()))


async def take(tour: Tour) -> None:
    """The whole tour. Whatever it started has ended when it returns, by whichever way."""
    _end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="remesh-demo-") as name:
        async with asyncio.TaskGroup() as owner:
            supervisor = Supervisor(owner=owner, clock=LoopClock())
            try:
                await _walk(tour, supervisor, Path(name))
            finally:
                await supervisor.stop()


async def _walk(tour: Tour, supervisor: Supervisor, folder: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    trained = await _train(console)
    store = await _start_store(tour, supervisor, folder)
    await store.fill(trained)
    console.print(f"The models lie in {store.server}, bucket {store.bucket}.")
    keys = folder / "storage-config"
    keys.mkdir()
    (keys / STORAGE_KEY).write_text(json.dumps(store.storage_key()))

    runtime_port = free_port()
    # Who wants any port wants no well-known one at all.
    rest, metrics = (DEFAULT_REST_PORT, DEFAULT_METRICS_PORT) if tour.port else (0, 0)
    ports = Ports(grpc=free_port(tour.port), rest=free_port(rest), metrics=free_port(metrics))
    await supervisor.start(runtime_process(folder=folder, port=runtime_port))
    await supervisor.start(
        instance_process(tour.environ, folder=folder, ports=ports, runtime_port=runtime_port)
    )
    address = f"127.0.0.1:{ports.grpc}"
    console.print(f"A runtime and an instance are up; the mesh answers on [bold]{address}[/].")
    console.print("Each model is asked twice; a format's first load also imports its library.\n")
    async with MeshClient.connect(address) as mesh:
        for example in trained:
            await _show(console, mesh, example)
    if tour.stays:
        told = _told_to_end()
        console.print(_what_next(ports, folder=folder))
        await told.wait()


async def _train(console: Console) -> list[Example]:
    with console.status("Training the example models ..."):
        try:
            trained = [await asyncio.to_thread(make) for make in examples.ALL]
        except ModuleNotFoundError as error:
            raise Refused(
                f"the demo needs {error.name}; install it with: pip install 'remesh[demo]'"
            ) from error
    for example in trained:
        console.print(f"Trained {example.name} ({example.format}, {len(example.content):,} bytes).")
    return trained


async def _start_store(tour: Tour, supervisor: Supervisor, folder: Path) -> Store:
    given = given_store(tour.environ)
    if given is not None:
        return given
    store, process = store_process(tour.environ, port=free_port(), folder=folder / "objects")
    await supervisor.start(process)
    return store


async def _show(console: Console, mesh: MeshClient, example: Example) -> None:
    await register(mesh, example, STORAGE_KEY)
    request = request_for(example)
    cold = await ask(mesh, example, request)
    warm = await ask(mesh, example, request)
    console.print(f"[bold]{example.name}[/] says {_short(cold)}, as {example.library} itself does")
    steps = "  ".join(f"{step} {ms:.1f}" for step, ms in cold.timings_ms.items())
    console.print(f"  cold {cold.took_ms:6.1f} ms   {steps}")
    console.print(f"  warm {warm.took_ms:6.1f} ms\n")


def _short(asked: Asked) -> str:
    return str([round(value, 4) for value in asked.values.ravel().tolist()[:3]])


def _what_next(ports: Ports, *, folder: Path) -> str:
    rest = f"http://127.0.0.1:{ports.rest}"
    where = "" if ports.grpc == DEFAULT_PORT else f" --address 127.0.0.1:{ports.grpc}"
    return f"""\
All of it stays up. In another terminal, try:

  .venv/bin/remesh get models{where}
  .venv/bin/remesh infer iris-onnx{where} --data '[[5.1, 3.5, 1.4, 0.2]]'
  .venv/bin/remesh infer digits-sklearn{where}
  curl {rest}/v1/models/iris-onnx:predict -d '{{"instances": \\[[5.1, 3.5, 1.4, 0.2]]}}'
  curl {rest}/v2/models/iris-onnx
  curl http://127.0.0.1:{ports.metrics}/metrics

What the instance and the runtime say is in {folder}/*.log. Ctrl-C ends everything."""


def _told_to_end() -> asyncio.Event:
    """Set by Ctrl-C; listen before it is proposed."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, told.set)
    return told


def _end_on_sigterm() -> None:
    """As Ctrl-C does it: everything that was started is stopped."""
    task = asyncio.current_task()
    assert task is not None, "the tour is a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
