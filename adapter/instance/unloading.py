"""Unloads in the runtime, tried until they succeed or are given up (reference: ModelMesh core 4.9)."""

import logging
from typing import Final

from adapter.aio.clock import Clock
from adapter.domain.errors import AdapterError
from adapter.domain.ids import ModelId
from adapter.drivers.runtime import RuntimeDriver
from adapter.telemetry.model_metrics import ModelMetrics

log = logging.getLogger(__name__)

UNLOAD_TRIES_MAX: Final = 10
UNLOAD_RETRY_S: Final = 1.0


class Unloading:
    """Has the runtime unload models."""

    def __init__(self, *, driver: RuntimeDriver, clock: Clock, measures: ModelMetrics) -> None:
        self._driver = driver
        self._clock = clock
        self._measures = measures

    async def unload(self, model: ModelId) -> str | None:
        """Try until it is unloaded; what went wrong last if it never was."""
        described = ""
        for attempt in range(UNLOAD_TRIES_MAX):
            await self._clock.sleep(UNLOAD_RETRY_S * attempt)
            began_s = self._clock.now_s()
            try:
                await self._driver.unload(model)
            except AdapterError as error:
                described = error.described
                self._measures.unload_attempt_failed()
                log.warning("unload failed", extra={"model": model, "try": attempt + 1, "error": described})
            else:
                self._measures.unloaded(model, took_ms=(self._clock.now_s() - began_s) * 1e3)
                return None
        return described

    async def clean_up(self, model: ModelId) -> None:
        """An unload follows every failed load (reference: ModelMesh core 1.5)."""
        try:
            await self._driver.unload(model)
        except AdapterError as error:
            log.debug(
                "nothing to unload after a failed load", extra={"model": model, "error": error.described}
            )
