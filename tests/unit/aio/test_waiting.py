import asyncio

from adapter.aio.waiting import Waiting


async def test_each_is_taken_once_in_the_order_of_its_coming() -> None:
    waiting: Waiting[str] = Waiting()
    for thing in ("a", "b", "a"):
        waiting.add(thing)
    assert len(waiting) == 2
    assert [await waiting.next(), await waiting.next()] == ["a", "b"]


async def test_what_is_not_there_is_waited_for() -> None:
    waiting: Waiting[str] = Waiting()
    asyncio.get_running_loop().call_later(1.0, waiting.add, "a")
    assert await waiting.next() == "a"
    assert not len(waiting)
