"""A registry in one SQLite file, for an instance without etcd.

One thread owns the connection. What is asked for while it is busy is done in one transaction, which is on
the disk before any of it is answered, so that thousands of registrations a second share a few syncs.
Revisions count as etcd's do: an empty store has revision 1, each commit that changes something adds 1, and
every key keeps the revisions of its creation and of its last change, and how often it was written since.

The file belongs to one process at a time, and survives the end of that process at any moment.
"""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar

from adapter.domain.errors import AdapterError, RegistryUnavailable
from adapter.registry.registry import Entry
from adapter.registry.sqlite_store import SqliteStore

T = TypeVar("T")

PENDING_MAX: Final = 20_000
"""Calls that wait for the thread; a further one is told `RegistryUnavailable` at once."""

BATCH_MAX: Final = 1_000
"""Calls that share one transaction."""

Deed = Callable[[SqliteStore], Any]


class _Call(NamedTuple):
    do: Deed
    answer: "asyncio.Future[Any]"


_Outcome = tuple["asyncio.Future[Any]", Any]
"""A call's future, and its result or its error."""


class EmbeddedRegistry:
    """`Registry` over SQLite. Made by `open`; belongs to the event loop in which it was opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._calls = queue.SimpleQueue[_Call | None]()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"registry {path.name}", daemon=True)

    def __repr__(self) -> str:
        return f"<EmbeddedRegistry {self._path}>"

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        """Open the file, or make it; on leaving, what was asked for is done and the file is closed.

        Raises `RegistryUnavailable` if it is damaged, in use by another process, or cannot be written.
        """
        registry = cls(path)
        registry._thread.start()
        try:
            await registry._opened
            yield registry
        finally:
            await registry._close()

    async def get(self, key: str) -> Entry | None:
        return await self._ask(lambda store: store.get(key))

    async def scan(self, prefix: str, *, after: str = "", limit: int) -> Sequence[Entry]:
        if limit < 1:
            raise ValueError(f"a scan needs a limit of at least 1, not {limit}")
        return await self._ask(lambda store: store.scan(prefix, after=after, limit=limit))

    async def commit(self, writes: Mapping[str, bytes | None], *, guards: Mapping[str, int]) -> int | None:
        writes, guards = dict(writes), dict(guards)
        return await self._ask(lambda store: store.commit(writes, guards=guards))

    async def _ask(self, do: Callable[[SqliteStore], T]) -> T:
        if self._closing:
            raise RegistryUnavailable("the registry is closed: this instance is going down")
        if self._calls.qsize() >= PENDING_MAX:
            raise RegistryUnavailable(f"{PENDING_MAX} calls to the registry wait already; try again later")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._calls.put(_Call(do, answer))
        return await answer

    async def _close(self) -> None:
        self._closing = True
        self._calls.put(None)
        await self._ended
        self._thread.join()

    # What the thread does.

    def _run(self) -> None:
        try:
            with SqliteStore.open(self._path) as store:
                self._tell([(self._opened, None)])
                while calls := self._next_calls():
                    self._tell(_carried_out(store, calls))
        except AdapterError as error:
            # Nobody listens any more if it comes of closing the file; what was answered is on the disk.
            self._tell([(self._opened, error)])
        finally:
            self._tell([(self._ended, None)])

    def _next_calls(self) -> list[_Call]:
        """What waits, in its order; when nothing does, wait. Empty: the registry is to be closed."""
        calls = []
        call = self._calls.get()
        while call is not None:
            calls.append(call)
            if self._calls.empty() or len(calls) == BATCH_MAX:
                return calls
            call = self._calls.get()
        if calls:
            self._calls.put(None)  # first these, then the end
        return calls

    def _tell(self, outcomes: Sequence[_Outcome]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_deliver, outcomes)


def _carried_out(store: SqliteStore, calls: Sequence[_Call]) -> list[_Outcome]:
    """Do all in one transaction. What fails, fails for all: none of it is on the disk."""
    try:
        with store.transaction():
            return [(call.answer, call.do(store)) for call in calls]
    except Exception as error:  # noqa: BLE001 - whatever it is, those who asked must hear of it
        # To each an error of its own: a raised one gathers the frames of whoever raises it.
        return [(call.answer, copy(error)) for call in calls]


def _deliver(outcomes: Sequence[_Outcome]) -> None:
    for answer, outcome in outcomes:
        if answer.done():  # whoever asked has left
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
