"""`remesh get models`: what is registered, and what is loaded."""

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from adapter.cli.addresses import DEFAULT_ADDRESS, Address
from adapter.cli.running import run
from adapter.peers.mesh_client import MeshClient

app = typer.Typer(help="Show what the mesh has.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Keep `models` a word of its own: more things to get will stand beside it."""


@app.command("models")
def command(address: Address = DEFAULT_ADDRESS) -> None:
    """List the registered models, each with its state and, if its load failed, the reason."""
    run(_list_models(address))


async def _list_models(address: str) -> None:
    async with MeshClient.connect(address) as mesh:
        models = await mesh.models()
    if not models:
        typer.echo("no models are registered")
        return
    table = Table("NAME", "STATE", "REASON", box=box.SIMPLE_HEAD)
    for model in models:
        table.add_row(model.name, model.state, model.reason)
    Console(soft_wrap=True).print(table)
