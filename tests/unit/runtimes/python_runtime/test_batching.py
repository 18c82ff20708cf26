import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from runtimes.python_runtime.batching import Batcher
from runtimes.python_runtime.signature import Arrays

LONG_S = 30.0
"""A batch that is full does not wait; the tests would, if it did."""


class Doubler:
    """Answers with twice the input, and remembers how many rows each call had. Negative rows fail."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self._lock = threading.Lock()

    def run(self, inputs: Arrays, outputs: tuple[str, ...]) -> Mapping[str, Any]:
        rows = inputs["x"]
        with self._lock:
            self.calls.append(len(rows))
        if (rows < 0).any():
            raise ValueError("negative")
        return dict.fromkeys(outputs or ("y",), rows * 2)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def ask(
    pool: ThreadPoolExecutor, batcher: Batcher, *rows: object, outputs: tuple[str, ...] = ()
) -> "Future[Any]":
    return pool.submit(batcher.run, {"x": np.array(rows, float)}, outputs)


def test_requests_that_come_together_are_one_call(pool: ThreadPoolExecutor) -> None:
    model = Doubler()
    batcher = Batcher(model.run, requests_max=3, wait_s_max=LONG_S)
    answers = [ask(pool, batcher, 1, 2), ask(pool, batcher, 3), ask(pool, batcher, 4, 5)]
    assert [answer.result(timeout=10)["y"].tolist() for answer in answers] == [[2, 4], [6], [8, 10]]
    assert model.calls == [5]


def test_a_lone_request_is_answered_when_the_time_is_up() -> None:
    model = Doubler()
    batcher = Batcher(model.run, requests_max=3, wait_s_max=0.001)
    assert batcher.run({"x": np.array([1.0])}, ())["y"].tolist() == [2]
    assert batcher._open == {}


def test_what_does_not_fit_together_is_not_put_together(pool: ThreadPoolExecutor) -> None:
    model = Doubler()
    batcher = Batcher(model.run, requests_max=2, wait_s_max=LONG_S)
    pairs = [((1,), ()), (([1, 1],), ()), ((2,), ("z",))]
    answers = [ask(pool, batcher, *rows, outputs=outputs) for rows, outputs in pairs * 2]
    for answer in answers:
        answer.result(timeout=10)
    assert sorted(model.calls) == [2, 2, 2]


def test_who_asks_wrongly_pays_alone(pool: ThreadPoolExecutor) -> None:
    model = Doubler()
    batcher = Batcher(model.run, requests_max=2, wait_s_max=LONG_S)
    good, bad = ask(pool, batcher, 1), ask(pool, batcher, -1)
    assert good.result(timeout=10)["y"].tolist() == [2]
    with pytest.raises(ValueError, match="negative"):
        bad.result(timeout=10)


def test_an_answer_without_a_row_for_each_row_is_not_split(pool: ThreadPoolExecutor) -> None:
    def total(inputs: Arrays, _: tuple[str, ...]) -> Mapping[str, Any]:
        return {"sum": inputs["x"].sum()}

    batcher = Batcher(total, requests_max=2, wait_s_max=LONG_S)
    answers = [ask(pool, batcher, 1, 2), ask(pool, batcher, 3)]
    assert [answer.result(timeout=10)["sum"] for answer in answers] == [3, 3]


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param({"x": np.array(1.0)}, id="a scalar"),
        pytest.param({"x": np.zeros((0, 2))}, id="no rows"),
        pytest.param({"x": np.zeros(2), "w": np.zeros(3)}, id="inputs of different lengths"),
    ],
)
def test_what_is_not_rows_is_asked_at_once(inputs: dict[str, np.ndarray]) -> None:
    batcher = Batcher(lambda inputs, _: {"n": len(inputs)}, requests_max=2, wait_s_max=LONG_S)
    assert batcher.run(inputs, ())["n"] == len(inputs)
