"""`remesh explain NAME`: where a model is, why, why it is cold, and what would change it."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from adapter.aio.clock import LoopClock
from adapter.cli.addresses import DEFAULT_ADDRESS, Address, found
from adapter.cli.running import run
from adapter.mesh.explain_facts import State
from adapter.mesh.wording import ago, in_bytes
from adapter.peers.mesh_client import MeshClient
from adapter.stubs.mesh.mesh_pb2 import ExplainResponse

UNREGISTERED = 1
"""The exit status of a name that nothing is registered under, as of any error."""
GOOD = frozenset({State.LOADED.value, State.LOADING.value, State.COLD.value, State.MOVING.value})
"""States in which nobody need do anything."""


def command(
    name: Annotated[str, typer.Argument(help="A registered model, or an alias (vmodel).")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it for programs.")] = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Say where a model is and why; and if it is not loaded, what became of it and what would change that.

    It tells the state in a word, its cause and its cure in a sentence each, the copies with the reason for
    each, where the next call would go, and every instance that may not hold the model. Asking never causes a
    load. The exit status is 1 if nothing is registered under the name.
    """
    run(_explain(name, address, as_json=as_json))


async def _explain(name: str, address: str, *, as_json: bool) -> None:
    async with MeshClient.connect(found(address)) as mesh:
        told = await mesh.explain(name)
    if as_json:
        typer.echo(json.dumps(document(told), indent=2))
    else:
        Console(highlight=False, soft_wrap=True).print(page(told, now_ms=LoopClock().epoch_ms()))
    if told.state == State.UNREGISTERED.value:
        raise typer.Exit(UNREGISTERED)


def document(told: ExplainResponse) -> dict[str, object]:
    """The answer for programs; times are in milliseconds since the epoch, and as ISO 8601 has them."""
    return {
        "name": told.name,
        "model": told.model or None,
        "state": told.state,
        "cause": told.cause,
        "cure": told.cure,
        "copies": [
            {
                "instance": copy.instance,
                "state": copy.state,
                "because": copy.because,
                "since_ms": copy.since_ms,
                "since": datetime.fromtimestamp(copy.since_ms / 1e3, UTC).isoformat(timespec="milliseconds"),
                "size_bytes": copy.size_bytes,
            }
            for copy in told.copies
        ],
        "next": told.next or None,
        "refused": list(told.refused),
    }


def page(told: ExplainResponse, *, now_ms: int) -> Group:
    """The answer for people."""
    stands_for = f" (stands for {told.model})" if told.model not in {"", told.name} else ""
    head = Text.assemble(
        (told.name, "bold"), f"{stands_for}: ", (told.state, "green" if told.state in GOOD else "red")
    )
    parts = Table.grid(padding=(0, 2))
    for title, text in (("cause", told.cause), ("cure", told.cure), ("next call", told.next)):
        if text:
            parts.add_row(Text(title, style="dim"), Text(text))
    for number, text in enumerate(told.refused):
        parts.add_row(Text("" if number else "refused by", style="dim"), Text(text))
    copies = [_copies(told, now_ms)] if told.copies else []
    return Group(head, Padding(parts, (0, 0, 0, 2)), *copies)


def _copies(told: ExplainResponse, now_ms: int) -> Table:
    table = Table("INSTANCE", "STATE", "SINCE", "SIZE", "BECAUSE", box=box.SIMPLE_HEAD)
    for copy in told.copies:
        size = in_bytes(copy.size_bytes) if copy.size_bytes else ""
        table.add_row(copy.instance, copy.state, ago(copy.since_ms, now_ms), size, Text(copy.because))
    return table
