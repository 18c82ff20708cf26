"""Work that is not worth going on with once something has happened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def given_up_when(event: asyncio.Event) -> AsyncIterator[None]:
    """Cancel what is inside when the event is set; the block is then left as if it had come to its end."""
    loop, left, inside = asyncio.get_running_loop(), False, asyncio.timeout(None)
    try:
        async with inside:

            def end(_waiting: asyncio.Task[bool]) -> None:
                if not left and event.is_set():
                    inside.reschedule(loop.time())

            waiting = loop.create_task(event.wait(), name="wait for a reason to give up")
            waiting.add_done_callback(end)
            try:
                yield
            finally:
                left = True
                waiting.cancel()
    except TimeoutError:
        if not inside.expired():
            raise
