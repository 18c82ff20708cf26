"""What an instance does by the clock, each thing at its own pace, until it ends."""

import gc
import logging
from dataclasses import replace
from typing import Final
from zlib import crc32

from adapter.aio.clock import epoch_ms_at
from adapter.domain.errors import AdapterError, RecordUnreadable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelRecord
from adapter.instance.garbage import Keeping
from adapter.instance.parts import Parts
from adapter.instance.settings import InstanceSettings
from adapter.mesh.reaping import Pass, Reaper

log = logging.getLogger(__name__)

REAP_EVERY_S: Final = 360.0
"""How often an instance looks whether what it holds is still registered (reference: ModelMesh core 4.14)."""
REAP_AFTER_RESET_S: Final = 30.0
"""The same after the registry was away: what was unregistered meanwhile was not told."""
USE_NOTED_H: Final = 6.0
"""So many hours later than the use that is written down, a use is written (reference: ModelMesh core 3.4)."""
KEEPING_EVERY_S: Final = 0.5
PAGE: Final = 1000
PAGE_PAUSE_S: Final = 0.02


def keep_house(settings: InstanceSettings, parts: Parts) -> None:
    """Start it all; it ends with the parts' owner."""
    start = parts.owner.create_task
    start(parts.loader.keep_time(), name="keep time")
    if settings.runtime != "none":
        start(
            parts.watch.keep(
                on_gone=parts.crashes.runtime_gone,
                on_reset=parts.restoring.runtime_reset,
                start_s_max=settings.runtime_start_s_max,
            ),
            name="watch the runtime",
        )
    start(parts.announcer.keep_telling(), name="tell of this instance")
    start(parts.scaler.keep_adding(), name="more copies")
    start(parts.scaler.keep_shrinking(), name="fewer copies")
    start(parts.leading.run(), name="lead")
    start(parts.config.follow(), name="follow the registry's configuration")
    start(Janitor(parts).run(), name="janitor")
    start(_keep_records(parts), name="keep records from the garbage collector")


async def _keep_records(parts: Parts) -> None:
    keeping = Keeping(gc.freeze)
    while True:
        await parts.clock.sleep(KEEPING_EVERY_S)
        keeping.look(len(parts.cache) + len(parts.state.view), busy=parts.cache.loading > 0)


class Janitor:
    """Drops copies of models that are registered no more, though nobody told so."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reaper = Reaper()
        # Not alike everywhere, so that the holders of one model do not all write.
        spread = crc32(parts.state.here.encode()) / 2**32
        self._use_noted_ms = round((USE_NOTED_H + spread) * 3_600_000)
        self._due_s = parts.clock.now_s() + REAP_EVERY_S
        self._soon = 0
        """So many of the next looks do not wait for long."""
        parts.records.on_reset.append(self._reset)

    async def run(self) -> None:
        """Look again and again; ends when cancelled."""
        while True:
            await self._parts.clock.sleep(1.0)
            now_s = self._parts.clock.now_s()
            if now_s < self._due_s:
                continue
            self._soon = max(self._soon - 1, 0)
            self._due_s = now_s + (REAP_AFTER_RESET_S if self._soon else REAP_EVERY_S)
            try:
                await self._look()
            except AdapterError as error:
                log.info("what is registered cannot be looked up", extra={"error": error.described})

    async def _note_use(self, model: ModelId, record: ModelRecord | RecordUnreadable) -> None:
        """Write down that the model was used, if the registry knows of no use for hours."""
        parts, used_s = self._parts, self._parts.cache.used_s(model)
        if used_s is None or isinstance(record, RecordUnreadable) or parts.records.read_only:
            return
        used_ms = epoch_ms_at(parts.clock, used_s)
        if used_ms - record.last_used_ms >= self._use_noted_ms:
            await parts.records.update(
                model, lambda there: replace(there, last_used_ms=max(there.last_used_ms, used_ms))
            )

    def _reset(self) -> None:
        # Twice, since only what two looks do not find is believed to be gone.
        self._soon = 2
        self._due_s = min(self._due_s, self._parts.clock.now_s() + REAP_AFTER_RESET_S)

    async def _look(self) -> None:
        records, held = self._parts.records, Pass(list(self._parts.cache))
        last = ""
        while True:
            entries = await records.scan(after=last, limit=PAGE)
            names = [records.name_of(entry) for entry in entries]
            for name, entry in zip(names, entries, strict=True):
                await self._note_use(ModelId(name), records.decoded(entry))
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
