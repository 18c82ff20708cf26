import time

from adapter.aio.clock import LoopClock


async def test_the_clock_follows_the_loop() -> None:
    clock = LoopClock()
    began_s = clock.now_s()
    await clock.sleep(3600)
    assert clock.now_s() - began_s == 3600


async def test_records_are_stamped_with_the_time_of_day() -> None:
    assert abs(LoopClock().epoch_ms() - time.time() * 1000) < 60_000
