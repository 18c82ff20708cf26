import asyncio

import pytest

from adapter.registry.alongside import alongside


async def for_ever() -> None:
    await asyncio.Event().wait()


async def failing() -> None:
    raise LookupError("alongside")


async def test_what_goes_on_beside_a_block_ends_with_it() -> None:
    tasks = asyncio.all_tasks()
    async with alongside(for_ever(), for_ever()):
        assert len(asyncio.all_tasks()) == len(tasks) + 2
    assert asyncio.all_tasks() == tasks


async def test_what_fails_beside_a_block_ends_it() -> None:
    with pytest.raises(LookupError, match="alongside"):
        async with alongside(failing(), for_ever()):
            await for_ever()


async def test_the_error_of_the_block_comes_out_as_it_is() -> None:
    cause = ZeroDivisionError()
    with pytest.raises(ValueError, match="mine") as raised:
        async with alongside(for_ever()):
            raise ValueError("mine") from cause
    assert raised.value.__cause__ is cause


async def test_a_block_that_is_cancelled_is_cancelled() -> None:
    async def block() -> None:
        async with alongside(for_ever()):
            await for_ever()

    task = asyncio.ensure_future(block())
    await asyncio.wait([task], timeout=1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_two_errors_come_as_a_group() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with alongside(failing(), failing()):
            await for_ever()
    assert len(raised.value.exceptions) == 2
