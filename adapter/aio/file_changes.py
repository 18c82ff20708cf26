"""Files that may change while the program runs: edited in place, replaced, or swapped as Kubernetes does it.

A mounted ConfigMap or Secret is a folder of links through `..data`, which the kubelet points elsewhere; the
file itself sees no event. So its folder is watched, and whoever asked looks again at whatever happens in it.
A file that is reached in another way is looked at every `CHECK_S`.
"""

import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing
from pathlib import Path
from typing import Final

from watchfiles import awatch

from adapter.aio.clock import Clock, LoopClock

log = logging.getLogger(__name__)

CHECK_S: Final = 10.0
"""At the latest after so long the files are looked at, whether or not the system told of a change."""

QUIET_MS: Final = 200
"""Several changes within so long are one; the watcher wakes as often."""


async def keep_looking(
    paths: Collection[Path],
    look: Callable[[], Awaitable[None]],
    *,
    check_s: float = CHECK_S,
    clock: Clock | None = None,
) -> None:
    """Look at once, and again whenever one of the files may have changed; ends when cancelled.

    `look` compares for itself: it is called more often than something changes, and never twice at a time.
    What changes in the instant between a look and the watcher's start is found `check_s` later.
    """
    clock = clock or LoopClock()
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of each file in each folder
    folders = {path.parent for path in paths}
    await look()
    while True:
        try:
            await _look_at_changes(folders, look, check_s)
        except OSError as error:
            # The folder is away, or the system has no watcher left for us; the next try may find one.
            log.debug("no watcher; looking again later", extra={"error": str(error)})
        await clock.sleep(check_s)
        await look()


async def _look_at_changes(
    folders: Collection[Path], look: Callable[[], Awaitable[None]], check_s: float
) -> None:
    changes = awatch(
        *folders,
        watch_filter=None,
        recursive=False,
        step=QUIET_MS,
        rust_timeout=round(check_s * 1e3),
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    async with aclosing(changes):
        async for _ in changes:
            await look()
