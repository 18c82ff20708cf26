import asyncio

from adapter.aio.keyed_lock import KeyedLock


async def test_one_key_is_served_in_the_order_of_asking() -> None:
    lock, story = KeyedLock(), list[str]()

    async def work(name: str, seconds: float) -> None:
        async with lock("iris"):
            story.append(f"{name} begins")
            await asyncio.sleep(seconds)
            story.append(f"{name} ends")

    await asyncio.gather(work("load", 5), work("unload", 1))
    assert story == ["load begins", "load ends", "unload begins", "unload ends"]


async def test_different_keys_do_not_wait_for_each_other() -> None:
    lock = KeyedLock()

    async def work(key: str) -> None:
        async with lock(key):
            await asyncio.sleep(10)

    await asyncio.gather(*(work(str(key)) for key in range(50)))
    assert asyncio.get_running_loop().time() == 10


async def test_a_key_that_nobody_uses_is_forgotten_even_when_a_waiter_left() -> None:
    lock = KeyedLock()

    async def work() -> None:
        async with lock("iris"):
            await asyncio.sleep(10)

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        leaver = group.create_task(work())
        await asyncio.sleep(1)
        leaver.cancel()
    assert len(lock) == 0
