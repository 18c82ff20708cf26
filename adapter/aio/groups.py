"""Task groups with an end of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class _Stopped(Exception):
    """Ends a task group: what still runs in it is cancelled."""


@asynccontextmanager
async def cancelled_at_the_end() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose tasks are cancelled, rather than waited for, when the block is left."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
            raise _Stopped  # noqa: TRY301 - the group is to see it
    except* _Stopped:
        pass
