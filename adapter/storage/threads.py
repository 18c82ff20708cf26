"""Blocking work in worker threads, which a cancel cannot stop from outside."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def in_thread(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """As `asyncio.to_thread`, but a cancel takes effect once the work is done.

    For short work on the disk: so nobody cleans up below the hands of a thread that still writes.
    """
    working = asyncio.get_running_loop().run_in_executor(None, partial(work, *args, **kwargs))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        while not working.done():
            with suppress(asyncio.CancelledError):  # A further one: the first is raised all the same.
                await asyncio.wait([working])
        if not working.cancelled():
            working.exception()  # Seen: the cancel is what the caller gets.
        raise


class Stopped(Exception):
    """The work was told to stop. Never seen outside the thread that does it."""


class Stop:
    """Tells a worker thread to end at its next look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False

    def set(self) -> None:
        with self._lock:
            self._stopped = True

    def look(self) -> None:
        """Raise `Stopped` if that is wanted."""
        if self._stopped:
            raise Stopped

    @contextmanager
    def held_off(self) -> Iterator[None]:
        """A step that either was done before `set` returned, or is never done."""
        with self._lock:
            self.look()
            yield
