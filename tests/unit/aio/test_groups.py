import asyncio

import pytest

from adapter.aio.groups import cancelled_at_the_end


async def test_what_still_runs_is_cancelled_when_the_block_is_left() -> None:
    async with cancelled_at_the_end() as group:
        task = group.create_task(asyncio.sleep(3600))
        await asyncio.sleep(1)
    assert task.cancelled()
    assert asyncio.get_running_loop().time() == pytest.approx(1)


async def test_what_a_task_raises_ends_the_block() -> None:
    async def fails() -> None:
        raise ValueError("no")

    async def block() -> None:
        async with cancelled_at_the_end() as group:
            group.create_task(fails())
            await asyncio.sleep(3600)

    with pytest.raises(ExceptionGroup) as caught:
        await block()
    assert caught.group_contains(ValueError)


async def test_what_the_block_raises_is_not_lost() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with cancelled_at_the_end():
            raise KeyError("mine")
    assert caught.group_contains(KeyError)


async def test_what_ends_the_block_in_the_middle_is_told() -> None:
    async def block() -> None:
        async with cancelled_at_the_end() as group:
            group.create_task(asyncio.sleep(3600))
            await asyncio.sleep(3600)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(block(), 1)
