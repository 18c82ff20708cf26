"""The leader moves aliases: each to its target, once that has as many copies as the active model has.

An alias is looked at when its record changes, when this instance becomes the leader, and on each pass over
all of them; one whose target could not be loaded, when the target's registration changes, and once a minute
(reference: ModelMesh core 1.4, the transition engine).
"""

import asyncio
import logging
from typing import Final

from adapter.aio.clock import Clock
from adapter.aio.keyed_lock import KeyedLock
from adapter.domain.errors import AdapterError, RecordUnreadable, RegistryUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import VModelRecord
from adapter.domain.status import ModelStatus
from adapter.instance.vmodels import VModelMesh
from adapter.mesh.vmodel_states import VModelStatus, status_of
from adapter.mesh.vmodels import CopyCounts, Held, Writes, can_move, copies_wanted, moved
from adapter.registry.model_records import ModelRecords
from adapter.registry.registry import Entry
from adapter.registry.vmodel_records import VModelLedger, VModelRecords

log = logging.getLogger(__name__)

AT_ONCE_MAX: Final = 16
"""Aliases that are moved at the same time."""
DUE_MAX: Final = 100_000
"""Aliases that wait to be looked at; further ones wait for the next pass."""
LOAD_S_MAX: Final = 600.0
"""How long the target's copies may take (reference: ModelMesh core 1.4)."""
PASS_S: Final = 420.0
FAILED_AGAIN_S: Final = 60.0
UNAVAILABLE_AGAIN_S: Final = 10.0
PAGE: Final = 200
"""Aliases that are decoded in one go."""


class VModelMoves:
    """Runs in the leader."""

    def __init__(
        self,
        *,
        records: VModelRecords,
        models: ModelRecords,
        ledger: VModelLedger,
        mesh: VModelMesh,
        clock: Clock,
    ) -> None:
        self._records = records
        self._models = models
        self._ledger = ledger
        self._mesh = mesh
        self._clock = clock
        self._turn = KeyedLock()
        self._due: dict[str, None] = {}
        self._is_due = asyncio.Event()
        self._failed: dict[str, ModelId] = {}
        """Aliases whose target could not be loaded, with that target."""
        self._loading: dict[str, tuple[ModelId, asyncio.Timeout]] = {}
        """Targets that are waited for."""

    async def run(self) -> None:
        """Move aliases while this instance is the leader, until cancelled; none in read-only mode."""
        if self._records.read_only:
            return
        self._records.on_change.append(self._heard)
        self._models.on_change.append(self._model_heard)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look_at_all(), name="look at all vmodels")
                group.create_task(self._try_failed_again(), name="try failed vmodels again")
                for number in range(AT_ONCE_MAX):
                    group.create_task(self._work(), name=f"move vmodels {number}")
        finally:
            self._records.on_change.remove(self._heard)
            self._models.on_change.remove(self._model_heard)
            self._due.clear()
            self._failed.clear()

    async def step(self, vmodel: str) -> None:
        """Move one alias as far as it gets. Raises `RegistryUnavailable`, or `RecordUnreadable`."""
        async with self._turn(vmodel):
            self._failed.pop(vmodel, None)
            record = await self._records.get(vmodel, fresh=True)
            if record is None or status_of(record) is VModelStatus.DEFINED:
                return
            target = ModelId(record.target)
            writes = await self._ledger.change(vmodel, lambda held: self._at_once(held, target))
            if writes is None:
                loaded = await self._loaded(vmodel, record)
                counts = CopyCounts(active=self._active(record), target=loaded)
                writes = await self._ledger.change(vmodel, lambda held: moved(held, target, counts))
            if writes is not None and status_of(writes.vmodel) is VModelStatus.TRANSITION_FAILED:
                self._failed[vmodel] = target
            if writes is not None and writes.cause is not None:
                fields = {"vmodel": vmodel, "target": target, "because": writes.cause.value}
                log.info("vmodel moves", extra=fields)

    # What it takes.

    def _at_once(self, held: Held, target: ModelId) -> Writes | None:
        record = held.vmodel
        if not isinstance(record, VModelRecord) or record.target != target:
            return None
        counts = CopyCounts(active=self._active(record), target=self._mesh.loaded(target))
        return moved(held, target, counts) if can_move(record, held, counts) else None

    def _active(self, record: VModelRecord) -> int:
        return self._mesh.there_or_coming(ModelId(record.active))

    async def _loaded(self, vmodel: str, record: VModelRecord) -> int:
        """Have the target loaded; how many copies there are now."""
        target = ModelId(record.target)
        wanted = copies_wanted(CopyCounts(active=self._active(record), target=0))
        active = await self._models.get(ModelId(record.active))
        used_ms = 0 if active is None else active.last_used_ms
        told_loaded = False
        try:
            async with asyncio.timeout(LOAD_S_MAX) as patience:
                self._loading[vmodel] = target, patience
                report = await self._mesh.ensure_copies(
                    target, copies=wanted, sync=True, last_used_ms=used_ms
                )
                told_loaded = report.status is ModelStatus.LOADED
        except TimeoutError:
            log.info("the wait for a vmodel's target is ended", extra={"target": target})
        except RegistryUnavailable:
            raise
        except AdapterError as error:
            log.info("a vmodel's target is not loaded", extra={"target": target, "error": error.described})
        finally:
            del self._loading[vmodel]
        # The table of copies may lag behind what was just told.
        return max(self._mesh.loaded(target), int(told_loaded))

    # Who is due.

    def _heard(self, vmodel: str, entry: Entry | None) -> None:
        record = None if entry is None else self._records.decoded(entry)
        if isinstance(record, RecordUnreadable):
            return
        target, patience = self._loading.get(vmodel, (None, None))
        if patience is not None and (record is None or record.target != target):
            patience.reschedule(asyncio.get_running_loop().time())  # it is to go elsewhere now
        if status_of(record) is VModelStatus.TRANSITIONING:
            self._make_due(vmodel)

    def _model_heard(self, model: str, _entry: Entry | None) -> None:
        for vmodel in [vmodel for vmodel, target in self._failed.items() if target == model]:
            self._make_due(vmodel)

    def _make_due(self, vmodel: str) -> None:
        if len(self._due) < DUE_MAX:
            self._due[vmodel] = None
            self._is_due.set()

    async def _work(self) -> None:
        while True:
            while not self._due:
                self._is_due.clear()
                await self._is_due.wait()
            vmodel = next(iter(self._due))
            del self._due[vmodel]
            try:
                await self.step(vmodel)
            except* RegistryUnavailable:
                await self._clock.sleep(UNAVAILABLE_AGAIN_S)
                self._make_due(vmodel)
            except* AdapterError as errors:
                log.warning(
                    "a vmodel cannot be moved", extra={"vmodel": vmodel, "error": str(errors.exceptions[0])}
                )

    async def _look_at_all(self) -> None:
        while True:
            try:
                await self._look_at_pages()
            except RegistryUnavailable:
                await self._clock.sleep(UNAVAILABLE_AGAIN_S)
            else:
                await self._clock.sleep(PASS_S)

    async def _look_at_pages(self) -> None:
        after = ""
        while page := await self._records.page(after=after, limit=PAGE):
            for vmodel, record in page:
                if isinstance(record, VModelRecord) and status_of(record) is not VModelStatus.DEFINED:
                    self._make_due(vmodel)
            after = page[-1][0]

    async def _try_failed_again(self) -> None:
        while True:
            await self._clock.sleep(FAILED_AGAIN_S)
            for vmodel in self._failed:
                self._make_due(vmodel)
