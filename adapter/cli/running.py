"""How a command runs what it is about: one event loop, and errors as one line instead of a trace."""

import asyncio
import ctypes
import gc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

import typer

from adapter.domain.errors import AdapterError

GARBAGE_EVERY: Final = 20_000
"""Objects that may gather before the youngest are looked through."""

KEPT_BLOCK_BYTES_MAX: Final = 1 << 20
KEPT_BYTES_MAX: Final = 64 << 20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

INTERRUPTED: Final = 130
"""The status of a command that Ctrl-C ended, as shells have it."""


def run(work: Coroutine[object, object, None], *, told_in: Path | None = None) -> None:
    """Run to the end. Errors of ours end the command with their texts and status 1, Ctrl-C with 130.

    The texts also go to the file `told_in`, if it is there: Kubernetes shows what a container says in it.
    """
    # What is imported stays, and what a call leaves behind has no cycles: to look for garbage
    # as often as Python does by default would cost a twentieth of a relayed call.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY)
    _keep_freed_memory()
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
        if told_in is not None and told_in.exists():
            with suppress(OSError):
                told_in.write_text("\n".join(complaints))
        fail("\n".join(complaints))
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Of uvloop, where there is one: it halves what a relayed call costs."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _keep_freed_memory() -> None:
    """Have the C library keep what is freed, up to a bound, for what is read next.

    By default it gives blocks of the size of a read back to the system, and each read pays for its pages.
    """
    with suppress(OSError, AttributeError):  # not the GNU C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES_MAX)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES_MAX)


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
