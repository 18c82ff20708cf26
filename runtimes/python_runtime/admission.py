"""Who may run now, who waits, and who is turned away.

Each model may run a few requests at once; further ones wait in their order, each in its own thread of the
pool. Together they may never take all threads, so that calls about the runtime itself, and requests to other
models, always find one. Nothing is kept for a model that nobody is asking.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from runtimes.python_runtime.errors import OutOfTime, TooBusy

WAIT_S_MAX = 3600.0
"""Nobody waits longer for a turn, even without a deadline of their own."""


class Caller(Protocol):
    """Whoever waits for an answer. A gRPC servicer context is one."""

    def time_remaining(self) -> float | None:
        """Seconds until the answer is of no use; None: the caller has set no limit."""
        ...

    def is_active(self) -> bool:
        """Whether the caller still waits."""
        ...


class PatientCaller:
    """Waits as long as it takes."""

    def time_remaining(self) -> float | None:
        return None

    def is_active(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many requests, running and waiting, there may be."""

    running_max: int
    """Of one model, running at once."""
    admitted_max: int
    """Of one model, running and waiting."""
    total_max: int
    """Of all models, running and waiting."""


@dataclass(slots=True)
class _Gate:
    running: int = 0
    waiting: deque[threading.Lock] = field(default_factory=deque)
    emptied: threading.Event | None = None


class Admission:
    """The gates of all models that are being asked."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._gates: dict[str, _Gate] = {}
        self._total = 0

    @contextmanager
    def admitted(self, model: str, caller: Caller, *, alone: bool = True) -> Iterator[None]:
        """Run the body when it is this request's turn.

        Raises `TooBusy` when too many wait, `OutOfTime` when the caller's time is up. With `alone` false the
        request only counts, and does not wait: its model groups requests by itself.
        """
        turn = self._enter(model, alone=alone)
        if turn is not None:
            self._wait(model, turn, caller)
        try:
            yield
        finally:
            self._leave(model)

    def wait_until_idle(self, model: str, *, patience_s: float) -> bool:
        """Wait until nobody is at the model's gate; whether that came true in time."""
        with self._lock:
            gate = self._gates.get(model)
            if gate is None:
                return True
            emptied = gate.emptied = gate.emptied or threading.Event()
        return emptied.wait(patience_s)

    def _enter(self, model: str, *, alone: bool) -> "threading.Lock | None":
        """Take a place; None if the request may run at once, else the lock that opens when it is its turn."""
        bounds = self._bounds
        with self._lock:
            gate = self._gates.get(model) or _Gate()
            admitted = gate.running + len(gate.waiting)
            if admitted >= bounds.admitted_max or self._total >= bounds.total_max:
                raise TooBusy(
                    f"{self._total} requests are here already, {admitted} of them for model {model}; "
                    "try again later"
                )
            self._gates[model] = gate
            self._total += 1
            if gate.running < bounds.running_max or not alone:
                gate.running += 1
                return None
            turn = threading.Lock()
            turn.acquire()
            gate.waiting.append(turn)
            return turn

    def _wait(self, model: str, turn: threading.Lock, caller: Caller) -> None:
        patience_s = caller.time_remaining()
        in_time = turn.acquire(timeout=WAIT_S_MAX if patience_s is None else min(patience_s, WAIT_S_MAX))
        if in_time and caller.is_active():
            return
        with self._lock:
            gate = self._gates[model]
            if turn in gate.waiting:
                gate.waiting.remove(turn)
                gate.running += 1  # so that it can leave like the others
        self._leave(model)
        raise OutOfTime(f"the caller's time ran out while the request waited for model {model}")

    def _leave(self, model: str) -> None:
        with self._lock:
            gate = self._gates[model]
            self._total -= 1
            if gate.waiting and gate.running <= self._bounds.running_max:
                gate.waiting.popleft().release()
                return
            gate.running -= 1
            if not gate.running and not gate.waiting:
                del self._gates[model]
                if gate.emptied:
                    gate.emptied.set()


class KeyedLocks:
    """One lock for each name that is in use, and none for the others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        with self._lock:
            lock, users = self._held.get(name, (threading.Lock(), 0))
            self._held[name] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, users = self._held[name]
                if users == 1:
                    del self._held[name]
                else:
                    self._held[name] = (lock, users - 1)
