"""Concurrent requests to one model, answered by one call of it.

For models whose settings ask for it (`max_batch_size` and `max_batch_time`, as MLServer has them). Requests
fit together when they ask for the same outputs and their inputs agree in name, datatype and all lengths but
the first. The first request of a batch leads: it waits for others, but no longer than `wait_s_max`, and then
calls the model for all. A batch whose call fails is asked again one by one, so that nobody pays for another's
request.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runtimes.python_runtime.signature import Array, Arrays

Run = Callable[[Arrays, tuple[str, ...]], Mapping[str, Any]]


@dataclass(slots=True)
class _Batch:
    members: list[Arrays]
    rows: list[int]
    full: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    answers: list[Mapping[str, Any]] | None = None
    """None once it is done: the call failed, or its answer has not one row for each row asked."""


class Batcher:
    """The batches of one model. `run` has the model's own signature, and may be called by several threads."""

    def __init__(self, run: Run, *, requests_max: int, wait_s_max: float) -> None:
        self._run = run
        self._requests_max = requests_max
        self._wait_s_max = wait_s_max
        self._lock = threading.Lock()
        self._open: dict[object, _Batch] = {}

    def run(self, inputs: Arrays, outputs: tuple[str, ...]) -> Mapping[str, Any]:
        """As the model's own `run`; what the model raises is raised here."""
        rows = _rows_of(inputs)
        if rows is None:
            return self._run(inputs, outputs)
        key = (outputs, tuple((name, array.dtype.str, array.shape[1:]) for name, array in inputs.items()))
        batch, place = self._join(key, inputs, rows)
        if place:
            batch.done.wait()
        else:
            self._lead(key, batch, outputs)
        if batch.answers is None:
            return self._run(inputs, outputs)
        return batch.answers[place]

    def _join(self, key: object, inputs: Arrays, rows: int) -> tuple[_Batch, int]:
        with self._lock:
            batch = self._open.get(key)
            if batch is None:
                batch = self._open[key] = _Batch([], [])
            batch.members.append(inputs)
            batch.rows.append(rows)
            if len(batch.members) == self._requests_max:
                del self._open[key]
                batch.full.set()
            return batch, len(batch.members) - 1

    def _lead(self, key: object, batch: _Batch, outputs: tuple[str, ...]) -> None:
        batch.full.wait(self._wait_s_max)
        with self._lock:
            if self._open.get(key) is batch:
                del self._open[key]
        try:
            batch.answers = self._ask_for_all(batch, outputs) if len(batch.members) > 1 else None
        except Exception:  # noqa: BLE001  whoever caused it meets it again when asking alone
            batch.answers = None
        finally:
            batch.done.set()

    def _ask_for_all(self, batch: _Batch, outputs: tuple[str, ...]) -> list[Mapping[str, Any]] | None:
        names = batch.members[0].keys()
        together = {name: np.concatenate([member[name] for member in batch.members]) for name in names}
        answer = {name: np.asarray(value) for name, value in self._run(together, outputs).items()}
        total = sum(batch.rows)
        if any(not array.ndim or array.shape[0] != total for array in answer.values()):
            return None
        ends = np.cumsum(batch.rows)[:-1]
        parts: dict[str, list[Array]] = {name: np.split(array, ends) for name, array in answer.items()}
        return [{name: part[place] for name, part in parts.items()} for place in range(len(batch.members))]


def _rows_of(inputs: Arrays) -> int | None:
    """How many rows all inputs have; None if they are not rows."""
    lengths = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
    return lengths.pop() or None if len(lengths) == 1 else None
