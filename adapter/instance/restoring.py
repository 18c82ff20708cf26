"""What a runtime held when it ended is loaded again, before anybody asks for it.

In the order of the last use, and only what was used in the last hour. What another instance holds meanwhile,
or what the runtime may have ended on, waits for a call.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from adapter.aio.clock import Clock
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import AdapterError
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyState
from adapter.domain.runtime import RuntimeStatus
from adapter.instance.announcer import Announcer
from adapter.instance.copies import Copies
from adapter.instance.held import held
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.reasons import Reasons

log = logging.getLogger(__name__)

USED_LATELY_S: Final = 3600.0
RESTORED_MAX: Final = 1000
"""Models that are loaded again; the queue of loads is for those who ask."""
AT_ONCE: Final = 100
"""Models after which others have their turn."""


class Restoring:
    """Brings the copies of one instance back."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        owner: asyncio.TaskGroup,
        announcer: Announcer,
        cache: ModelCache,
        loader: Loader,
        models: Models,
        copies: Copies,
        reasons: Reasons,
        clock: Clock,
    ) -> None:
        self._owner = owner
        self._announcer = announcer
        self._cache = cache
        self._loader = loader
        self._models = models
        self._copies = copies
        self._reasons = reasons
        self._clock = clock

    def runtime_reset(self, status: RuntimeStatus) -> None:
        """The runtime is a new one, and holds nothing."""
        lately = self._held()
        self._loader.runtime_reset(status)
        if lately:
            log.info("what the runtime held is loaded again", extra={"models": len(lately)})
            self._owner.create_task(self._restore(lately), name="load again what the runtime held")

    def _held(self) -> list[tuple[ModelId, float]]:
        """What was loaded and used lately, the last used first."""
        since_s = self._clock.now_s() - USED_LATELY_S
        used = [
            (model, self._cache.used_s(model) or 0.0)
            for model in self._cache
            if held(self._cache, model) is CopyState.LOADED and not self._announcer.crashes(model)
        ]
        lately = [(model, used_s) for model, used_s in used if used_s >= since_s]
        return sorted(lately, key=lambda each: -each[1])[:RESTORED_MAX]

    async def _restore(self, lately: Sequence[tuple[ModelId, float]]) -> None:
        for number, (model, used_s) in enumerate(lately, start=1):
            try:
                record = await self._models.record(model)
            except AdapterError as error:
                log.debug("not loaded again", extra={"model": model, "error": error.described})
                continue
            if not self._copies.there_or_coming(model):
                self._reasons.note(model, "its runtime restarted, and it was loaded before")
                self._loader.start_load(model, record.info, used_s=used_s, pinned=record.rules.pinned)
            if number % AT_ONCE == 0:
                await self._clock.sleep(0.0)
