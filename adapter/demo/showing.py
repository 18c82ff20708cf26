"""The examples as the person in front of the terminal sees them: trained, registered, asked cold and warm."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console

from adapter.demo import examples
from adapter.demo.asking import Asked, ask, register, request_for
from adapter.demo.examples import Example
from adapter.domain.errors import Refused
from adapter.peers.mesh_client import MeshClient

DEFAULT_ADDRESS: Final = "127.0.0.1:8033"
"""Of the commands that ask a mesh."""


def a_console() -> Console:
    """Where it is told."""
    return Console(highlight=False, soft_wrap=True)


async def train(console: Console) -> list[Example]:
    """All examples. Raises `Refused` if a library is missing."""
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


async def show_all(
    console: Console, address: str, trained: Sequence[Example], *, storage: Mapping[str, object]
) -> None:
    """Register each and ask it twice. Raises `PredictionDiffers`, `MeshRefused`."""
    console.print("Each model is asked twice; a format's first load also imports its library.\n")
    async with MeshClient.connect(address) as mesh:
        for example in trained:
            await _show(console, mesh, example, storage)


async def _show(console: Console, mesh: MeshClient, example: Example, storage: Mapping[str, object]) -> None:
    await register(mesh, example, storage)
    request = request_for(example)
    cold = await ask(mesh, example, request)
    warm = await ask(mesh, example, request)
    console.print(f"[bold]{example.name}[/] says {_short(cold)}, as {example.library} itself does")
    steps = "  ".join(f"{step} {ms:.1f}" for step, ms in cold.timings_ms.items())
    console.print(f"  {'cold' if steps else 'first'} {cold.took_ms:6.1f} ms   {steps}")
    console.print(f"  warm {warm.took_ms:6.1f} ms\n")


def commands_for(address: str) -> str:
    """What may be typed to ask the mesh at this address."""
    where = "" if address == DEFAULT_ADDRESS else f" --address {address}"
    return f"""\
  .venv/bin/remesh get models{where}
  .venv/bin/remesh explain iris-onnx{where}
  .venv/bin/remesh infer iris-onnx{where} --data '[[5.1, 3.5, 1.4, 0.2]]'
  .venv/bin/remesh infer digits-sklearn{where}"""


def _short(asked: Asked) -> str:
    return str([round(value, 4) for value in asked.values.ravel().tolist()[:3]])
