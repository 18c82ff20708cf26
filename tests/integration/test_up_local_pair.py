"""Pairs of real processes: small Python programs in the place of an instance and its runtime."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapter.aio.clock import LoopClock
from adapter.aio.groups import cancelled_at_the_end
from adapter.cluster.process_states import Backoff
from adapter.cluster.processes import ProcessSpec
from adapter.up import local_pair
from adapter.up.local_pair import Pair

QUICK = Backoff(pause_s_first=0.05, pause_s_max=0.1, tries_max=1 << 30)
LIVES = "import time; open({path!r}, 'w').write('x'); print('it lives', flush=True); time.sleep(600)"
FAILS = "import sys; print('no such thing'); sys.exit(3)"


def spec(name: str, folder: Path, program: str = LIVES) -> ProcessSpec:
    path = folder / name

    async def ready() -> bool:
        return path.exists()

    command = (sys.executable, "-c", program.format(path=str(path)))
    return ProcessSpec(name=name, command=command, ready=ready, backoff=QUICK, grace_s=5.0)


@asynccontextmanager
async def kept(starting: Callable[[], list[ProcessSpec]]) -> AsyncIterator[Pair]:
    changed = asyncio.Event()
    pair = Pair("p", starting, clock=LoopClock(), on_change=changed.set)
    async with cancelled_at_the_end() as owner:
        owner.create_task(pair.keep())
        yield pair


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await LoopClock().sleep(0.02)


async def test_it_is_ready_when_all_of_it_answers_and_nothing_is_left_of_it(tmp_path: Path) -> None:
    async with kept(lambda: [spec("runtime", tmp_path), spec("instance", tmp_path)]) as pair:
        assert not pair.is_ready
        await pair.settled.wait()
        assert pair.is_ready
        pids = [process.pid for process in pair._processes.values()]
        assert all(pids)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid or 0, 0)


async def test_what_ends_is_started_again_and_meanwhile_that_is_the_problem(tmp_path: Path) -> None:
    async with kept(lambda: [spec("runtime", tmp_path), spec("instance", tmp_path)]) as pair:
        await pair.settled.wait()
        pid = pair._processes["runtime"].pid
        assert pid
        (tmp_path / "runtime").unlink()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not pair.is_ready)
        await until(lambda: pair.is_ready)
        assert pair.problem == ""


async def test_what_cannot_start_is_told_with_its_last_words_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_pair, "HEAL", QUICK)
    programs = iter([FAILS, FAILS])

    def starting() -> list[ProcessSpec]:
        return [spec("runtime", tmp_path, next(programs, LIVES))]

    async with kept(starting) as pair:
        await pair.settled.wait()
        assert pair.problem.startswith("runtime does not run; the end of its output:\nno such thing\n")
        assert pair.problem.endswith("[ended with status 3]")
        await until(lambda: pair.is_ready)
        assert pair.problem == ""
