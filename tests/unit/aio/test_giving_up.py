import asyncio

import pytest

from adapter.aio.giving_up import given_up_when


async def test_work_ends_when_the_event_is_set() -> None:
    event, done = asyncio.Event(), []
    asyncio.get_running_loop().call_later(1.0, event.set)
    async with given_up_when(event):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            done.append("cancelled")
            raise
    assert done == ["cancelled"]
    assert asyncio.get_running_loop().time() == pytest.approx(1.0)


async def test_work_that_comes_to_its_end_is_left_alone() -> None:
    event = asyncio.Event()
    async with given_up_when(event):
        await asyncio.sleep(1)
    event.set()
    await asyncio.sleep(1)


async def test_an_event_that_is_set_already_ends_it_at_its_first_pause() -> None:
    event, done = asyncio.Event(), []
    event.set()
    async with given_up_when(event):
        done.append("begun")
        await asyncio.sleep(60)
        done.append("ended")
    assert done == ["begun"]


@pytest.mark.parametrize("error", [TimeoutError, ValueError])
async def test_errors_of_the_work_are_its_own(error: type[Exception]) -> None:
    with pytest.raises(error):
        async with given_up_when(asyncio.Event()):
            raise error


async def test_whoever_cancels_it_from_outside_is_obeyed() -> None:
    async def work() -> None:
        async with given_up_when(asyncio.Event()):
            await asyncio.sleep(60)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
