import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor

import pytest
import typer

from adapter.cli.running import run
from adapter.domain.errors import ModelNotFound


async def fails() -> None:
    raise ModelNotFound("model iris is not registered")


async def fails_in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fails())


async def is_interrupted() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("work", "status", "told"),
    [
        pytest.param(fails(), 1, "remesh: model iris is not registered\n", id="an error of ours"),
        pytest.param(fails_in_a_group(), 1, "remesh: model iris is not registered\n", id="in a task group"),
        pytest.param(is_interrupted(), 130, "", id="Ctrl-C"),
    ],
)
def test_a_command_ends_with_a_line_and_a_status(
    work: Coroutine[object, object, None], status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # In a thread of its own: the main one has pytest's loop, which `asyncio.run` would orphan.
    with ThreadPoolExecutor(max_workers=1) as thread:
        end = thread.submit(run, work).exception()
    assert isinstance(end, typer.Exit)
    assert (end.exit_code, capsys.readouterr().err) == (status, told)
