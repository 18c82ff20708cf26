"""The thread that owns the embedded registry's file, and how it is asked.

What is asked for while it is busy is done in one transaction, which is on the disk before any of it is
answered, so that thousands of registrations a second share a few syncs. The file belongs to one process at a
time, and survives the end of that process at any moment.
"""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar

from adapter.domain.errors import AdapterError, RegistryUnavailable
from adapter.registry.embedded_checks import Refusal, too_many_requests
from adapter.registry.embedded_history import History
from adapter.registry.sqlite_store import Committed, Identity, SqliteStore

T = TypeVar("T")

PENDING_MAX: Final = 20_000
"""Calls that wait for the thread; a further one is refused at once."""

BATCH_MAX: Final = 1_000
"""Calls that share one transaction."""

Deed = Callable[[SqliteStore], Any]


class _Call(NamedTuple):
    do: Deed
    answer: "asyncio.Future[Any]"


_Outcome = tuple["asyncio.Future[Any]", Any]
"""A call's future, and its result or its error."""


class Opened(NamedTuple):
    """What the store is when it has been opened."""

    identity: Identity
    history: History
    """May be read by any thread; what stands in it is on the disk."""
    leases: dict[int, int]
    """With their seconds."""


class StoreThread:
    """The store, in a thread of its own. Made by `open`; belongs to the event loop in which it was opened."""

    opened: Opened

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._calls = queue.SimpleQueue[_Call | None]()
        self._open: asyncio.Future[Opened] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        self._listeners: list[Callable[[Committed], None]] = []
        self._thread = threading.Thread(target=self._run, name=f"registry {path.name}", daemon=True)

    def __repr__(self) -> str:
        return f"<StoreThread {self._path}>"

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        """Open the file, or make it; on leaving, what was asked for is done and the file is closed.

        Raises `RegistryUnavailable` if it is damaged, in use by another process, or cannot be written.
        """
        thread = cls(path)
        thread._thread.start()
        try:
            thread.opened = await thread._open
            yield thread
        finally:
            await thread._close()

    def listen(self, listener: Callable[[Committed], None]) -> None:
        """It is called with what was done, before anybody who asked for it is answered."""
        self._listeners.append(listener)

    async def ask(self, do: Callable[[SqliteStore], T]) -> T:
        """Have it done, once it is on the disk. Raises `Refusal`, and `RegistryUnavailable`."""
        if self._closing:
            raise RegistryUnavailable("the registry is closed: its process is going down")
        if self._calls.qsize() >= PENDING_MAX:
            raise too_many_requests()
        answer: asyncio.Future[T] = self._loop.create_future()
        self._calls.put(_Call(do, answer))
        return await answer

    async def _close(self) -> None:
        self._closing = True
        self._calls.put(None)
        await self._ended
        self._thread.join()

    def _deliver(self, done: Committed | None, outcomes: Sequence[_Outcome]) -> None:
        if done is not None:
            for listener in self._listeners:
                listener(done)
        for answer, outcome in outcomes:
            if answer.done():  # whoever asked has left
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    # What the thread does.

    def _run(self) -> None:
        try:
            with SqliteStore.open(self._path) as store:
                self._tell(None, [(self._open, Opened(store.identity, store.history, store.leases))])
                while calls := self._next_calls():
                    self._tell(*_carried_out(store, calls))
        except AdapterError as error:
            # Nobody listens any more if it comes of closing the file; what was answered is on the disk.
            self._tell(None, [(self._open, error)])
        finally:
            self._tell(None, [(self._ended, None)])

    def _next_calls(self) -> list[_Call]:
        """What waits, in its order; when nothing does, wait. Empty: the store is to be closed."""
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

    def _tell(self, done: Committed | None, outcomes: Sequence[_Outcome]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._deliver, done, outcomes)


def _carried_out(store: SqliteStore, calls: Sequence[_Call]) -> tuple[Committed | None, list[_Outcome]]:
    """Do all in one transaction. What fails, fails for all: none of it is on the disk."""
    try:
        with store.transaction() as done:
            outcomes = [(call.answer, _done(store, call.do)) for call in calls]
    except Exception as error:  # noqa: BLE001 - whatever it is, those who asked must hear of it
        # To each an error of its own: a raised one gathers the frames of whoever raises it.
        return None, [(call.answer, copy(error)) for call in calls]
    return done, outcomes


def _done(store: SqliteStore, do: Deed) -> Any:  # noqa: ANN401 - whatever the call returns
    try:
        return do(store)
    except Refusal as refusal:  # its call's alone: nothing was changed
        return refusal
