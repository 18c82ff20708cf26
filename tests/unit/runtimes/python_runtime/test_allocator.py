import gc
import weakref
from collections.abc import Iterator

import pytest

from runtimes.python_runtime.allocator import SWEEP_UNLOADS_MIN, Sweeper, allocated_bytes


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How often it swept, without doing it."""
    seen: list[int] = []
    monkeypatch.setattr(Sweeper, "sweep", lambda _: seen.append(1))
    yield seen
    gc.unfreeze()


def test_nothing_is_collected_during_a_load() -> None:
    sweeper = Sweeper()
    with sweeper.loading():
        with sweeper.loading():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


@pytest.mark.parametrize(
    ("models", "unloads", "size_bytes", "expected"),
    [
        pytest.param(1000, SWEEP_UNLOADS_MIN, 1, 0, id="not for a few of many"),
        pytest.param(1000, 250, 1, 1, id="for a quarter"),
        pytest.param(10, SWEEP_UNLOADS_MIN, 1, 1, id="for so many"),
        pytest.param(1000, 1, 10**9, 1, id="for a large one"),
        pytest.param(0, 1, 1, 1, id="when all are gone"),
    ],
)
def test_memory_is_given_back_when_it_is_worth_it(
    sweeps: list[int], models: int, unloads: int, size_bytes: int, expected: int
) -> None:
    sweeper = Sweeper()
    for _ in range(unloads):
        sweeper.unloaded(size_bytes=size_bytes, models_left=models)
    assert len(sweeps) == expected


def test_a_sweep_finds_cycles_among_frozen_objects() -> None:
    class Node:
        pass

    sweeper = Sweeper()
    gone: list[int] = []
    with sweeper.loading():
        node = Node()
        node.me = node  # type: ignore[attr-defined]  # it takes any field
    weakref.finalize(node, gone.append, 1)
    del node
    sweeper.sweep()
    assert gone == [1]
    gc.unfreeze()


def test_what_is_allocated_grows_with_it() -> None:
    before = allocated_bytes()
    if before is None:
        pytest.skip("this C library cannot tell: no glibc of 2.33 or later")
    block = bytearray(10_000_000)
    assert (allocated_bytes() or 0) - before >= len(block) // 2
