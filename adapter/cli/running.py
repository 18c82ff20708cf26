"""How a command runs what it is about: one event loop, and errors as one line instead of a trace."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Final, NoReturn

import typer

from adapter.domain.errors import AdapterError

INTERRUPTED: Final = 130
"""The status of a command that Ctrl-C ended, as shells have it."""


def run(work: Coroutine[object, object, None]) -> None:
    """Run to the end. Errors of ours end the command with their texts and status 1, Ctrl-C with 130."""
    complaints: list[str] = []
    interrupted = False
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(work)
    except* AdapterError as group:
        complaints = [str(error) for error in _leaves(group)]
    except* (KeyboardInterrupt, asyncio.CancelledError):
        interrupted = True
    if complaints:
        fail("\n".join(complaints))
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Of uvloop, where there is one: it halves what a relayed call costs."""
    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    return uvloop.new_event_loop


def fail(text: str) -> NoReturn:
    """End the command: the text on standard error, status 1. Raises `typer.Exit`."""
    typer.echo(f"remesh: {text}", err=True)
    raise typer.Exit(1)


def _leaves(group: BaseExceptionGroup[AdapterError]) -> Iterator[AdapterError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
