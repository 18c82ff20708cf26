"""`remesh get models`: what is registered, and what is loaded where."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from adapter.cli.addresses import found
from adapter.domain.ids import ModelId
from adapter.domain.status import ModelStatus
from adapter.peers.mesh_client import MeshClient

ASKED_AT_ONCE: Final = 16


async def list_models(address: str, *, with_copies: bool) -> None:
    """Print them, each with its state and, if its load failed, the reason. Raises `MeshRefused`."""
    async with MeshClient.connect(found(address)) as mesh:
        models = await mesh.models()
        copies = await _copies(mesh, [model.name for model in models]) if with_copies else None
    if not models:
        typer.echo("no models are registered")
        return
    table = Table("NAME", "STATE", *(["COPIES"] if copies is not None else []), "REASON", box=box.SIMPLE_HEAD)
    for model in models:
        beside = [copies[model.name]] if copies is not None else []
        table.add_row(model.name, model.state, *beside, model.reason)
    Console(soft_wrap=True).print(table)


async def _copies(mesh: MeshClient, names: Iterable[str]) -> Mapping[str, str]:
    """What is to be said of the copies of each."""
    left, said = iter(names), {}

    async def work() -> None:
        for name in left:
            told = await mesh.status(ModelId(name))
            said[name] = ", ".join(_copy(*copy) for copy in sorted(told.copies.items()))

    async with asyncio.TaskGroup() as group:
        for number in range(ASKED_AT_ONCE):
            group.create_task(work(), name=f"ask for copies {number}")
    return said


def _copy(instance: str, status: ModelStatus) -> str:
    """Whether it is loaded or still being loaded is not told, as ModelMesh has it."""
    return f"{instance} (failed)" if status is ModelStatus.LOADING_FAILED else instance
