import asyncio
import threading

import pytest

from adapter.storage.threads import Stop, Stopped, in_thread


async def test_the_result_and_the_failure_come_back() -> None:
    assert await in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 7, 0)


async def test_a_cancel_waits_until_the_work_is_done() -> None:
    began, may_end, done = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        began.set()
        may_end.wait()
        done.append("done")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(in_thread(work))
        await asyncio.to_thread(began.wait)
        for _ in range(3):  # Even when it is cancelled again.
            task.cancel()
            await asyncio.to_thread(lambda: None)
        assert not task.done()
        may_end.set()
    assert (task.cancelled(), done) == (True, ["done"])


async def test_a_failure_after_a_cancel_is_still_a_cancel() -> None:
    began, may_end = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        may_end.wait()
        raise ValueError

    async with asyncio.TaskGroup() as group:
        task = group.create_task(in_thread(work))
        await asyncio.to_thread(began.wait)
        task.cancel()
        may_end.set()
    assert task.cancelled()


def test_who_looks_hears_that_it_is_over() -> None:
    stop = Stop()
    stop.look()
    stop.set()
    with pytest.raises(Stopped):
        stop.look()


def test_a_step_is_done_before_the_stop_or_never() -> None:
    stop, steps = Stop(), list[str]()
    with stop.held_off():
        steps.append("done")
    stop.set()
    with pytest.raises(Stopped), stop.held_off():
        steps.append("never")
    assert steps == ["done"]
