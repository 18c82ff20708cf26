"""What an instance does by the clock, each thing at its own pace, until it ends."""

import logging
from typing import Final

from adapter.domain.errors import AdapterError
from adapter.instance.parts import Parts
from adapter.instance.settings import InstanceSettings
from adapter.mesh.reaping import Pass, Reaper

log = logging.getLogger(__name__)

REAP_EVERY_S: Final = 360.0
"""How often an instance looks whether what it holds is still registered (reference: ModelMesh core 4.14)."""
REAP_AFTER_RESET_S: Final = 30.0
"""The same after the registry was away: what was unregistered meanwhile was not told."""
PAGE: Final = 1000
PAGE_PAUSE_S: Final = 0.02


def keep_house(settings: InstanceSettings, parts: Parts) -> None:
    """Start it all; it ends with the parts' owner."""
    start = parts.owner.create_task
    start(parts.loader.keep_time(), name="keep time")
    start(
        parts.watch.keep(
            on_gone=parts.crashes.runtime_gone,
            on_reset=parts.loader.runtime_reset,
            start_s_max=settings.runtime_start_s_max,
        ),
        name="watch the runtime",
    )
    start(parts.announcer.keep_telling(), name="tell of this instance")
    start(parts.scaler.keep_adding(), name="more copies")
    start(parts.scaler.keep_shrinking(), name="fewer copies")
    start(parts.leading.run(), name="lead")
    start(Janitor(parts).run(), name="janitor")


class Janitor:
    """Drops copies of models that are registered no more, though nobody told so."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reaper = Reaper()
        self._due_s = parts.clock.now_s() + REAP_EVERY_S
        parts.records.on_reset.append(self._reset)

    async def run(self) -> None:
        """Look again and again; ends when cancelled."""
        while True:
            await self._parts.clock.sleep(1.0)
            now_s = self._parts.clock.now_s()
            if now_s < self._due_s:
                continue
            self._due_s = now_s + REAP_EVERY_S
            try:
                await self._look()
            except AdapterError as error:
                log.info("what is registered cannot be looked up", extra={"error": error.described})

    def _reset(self) -> None:
        # Twice, since only what two looks do not find is believed to be gone.
        self._due_s = min(self._due_s, self._parts.clock.now_s() + REAP_AFTER_RESET_S)

    async def _look(self) -> None:
        records, held = self._parts.records, Pass(list(self._parts.cache))
        last = ""
        while True:
            entries = await records.scan(after=last, limit=PAGE)
            names = [records.name_of(entry) for entry in entries]
            held.page(names, last=len(entries) < PAGE)
            if held.complete:
                break
            last = names[-1]
            await self._parts.clock.sleep(PAGE_PAUSE_S)
        reaped = self._reaper.judge(held)
        if reaped.doubts:
            log.warning("copies without a registration are kept", extra={"because": reaped.doubts})
        for model in reaped.drop:
            log.info("a copy has no registration any more", extra={"model": model})
            self._parts.loader.drop(model)
