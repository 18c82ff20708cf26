"""Aliases as this instance serves them: set, delete, report (`mmesh.ModelMesh`).

Rules are ModelMesh's (reference: ModelMesh core 1.4). What an alias becomes is decided in `mesh.vmodels`;
here the records are read, the decision is written, and whoever wants to wait for its end waits. The leader
moves aliases (`instance.vmodel_moves`).
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from adapter.aio.clock import Clock
from adapter.domain.errors import Code, RegistryReadOnly
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules, ModelInfo, ModelRecord, VModelRecord
from adapter.domain.status import ModelReport, ModelStatus
from adapter.mesh.vmodel_states import VModelStatus, status_of
from adapter.mesh.vmodels import (
    CopyCounts,
    Held,
    SetVModel,
    VModelReport,
    Writes,
    check_asked,
    delete_vmodel,
    models_wanted,
    set_vmodel,
)
from adapter.registry.registry import Entry
from adapter.registry.vmodel_records import VModelLedger, VModelRecords

log = logging.getLogger(__name__)

SYNC_S_MAX: Final = 240.0
"""How long `sync` waits for a move to end (reference: ModelMesh core 1.4)."""
LOOK_AGAIN_S: Final = 5.0
"""A change is heard of; if it is not, the record is looked up again so often."""


class VModelsReadOnly(RegistryReadOnly):
    """As `RegistryReadOnly`, with the code that ModelMesh has for aliases."""

    code = Code.UNAVAILABLE


class VModelMesh(Protocol):
    """What aliases need of the mesh. All that is awaited may raise `RegistryUnavailable`."""

    def loaded(self, model: ModelId) -> int:
        """How many copies are loaded."""
        ...

    def there_or_coming(self, model: ModelId) -> int:
        """How many copies are loaded, or being loaded."""
        ...

    async def status(self, model: ModelId) -> ModelReport:
        """What is known; for a model that is not registered, the status NOT_FOUND."""
        ...

    async def ensure_copies(
        self, model: ModelId, *, copies: int, sync: bool, last_used_ms: int
    ) -> ModelReport:
        """Have so many copies loaded, or as many as there is room for; `last_used_ms` 0 stands for now.

        With `sync` it is answered when no further one is being loaded for this. The report tells of failed
        loads. Raises `ModelNotFound`.
        """
        ...


class VModels:
    """What the management API asks about aliases."""

    def __init__(
        self,
        *,
        records: VModelRecords,
        ledger: VModelLedger,
        mesh: VModelMesh,
        clock: Clock,
        default_owner: str = "",
        read_only: bool = False,
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._mesh = mesh
        self._clock = clock
        self._default_owner = default_owner
        self._read_only = read_only
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.on_rules: Callable[[ModelId, ModelRecord], None] = lambda _model, _record: None
        """Told of a target that was written here, and asks for a number of copies."""
        records.on_change.append(self._heard)

    async def set(self, asked: SetVModel) -> VModelReport:
        """Make the alias as asked; with `sync` wait for its target.

        Raises `InvalidRequest`, `ModelNotFound`, `ModelExists`, `Refused` or `VModelsReadOnly`.
        """
        check_asked(asked)
        self._check_writable()
        before: list[bool] = []

        def decide(held: Held) -> Writes:
            before[:] = [held.vmodel is not None]
            return set_vmodel(
                asked,
                held,
                self._counts(held, asked.target),
                now_ms=self._clock.epoch_ms(),
                default_owner=self._default_owner,
            )

        writes = await self._ledger.change(asked.vmodel, decide, also=models_wanted(asked))
        assert writes is not None
        if writes.cause is not None:
            fields = {"vmodel": asked.vmodel, "target": asked.target, "because": writes.cause.value}
            log.info("vmodel is set", extra=fields)
        target = writes.models.get(asked.target)
        if target is not None and target.rules != CopyRules():
            self.on_rules(asked.target, target)
        [was_there] = before
        wanted_here = asked.sync and asked.info is not None and not was_there
        if asked.load_now or wanted_here:
            await self._mesh.ensure_copies(asked.target, copies=1, sync=asked.sync, last_used_ms=0)
        if asked.sync and status_of(writes.vmodel) is VModelStatus.TRANSITIONING:
            await self._arrived(asked.vmodel, asked.target)
            return await self.status(asked.vmodel)
        return await self._report(writes.vmodel)

    async def set_static(self, vmodel: str, model: ModelId, info: ModelInfo, *, auto_delete: bool) -> None:
        """Have the alias stand for the model, which is registered if need be."""
        await self.set(SetVModel(vmodel=vmodel, target=model, info=info, auto_delete=auto_delete))

    async def delete(self, vmodel: str, *, owner: str = "") -> None:
        """Forget the alias; one that is not there, or is another owner's, is fine.

        Raises `VModelsReadOnly`.
        """
        self._check_writable()
        writes = await self._ledger.change(vmodel, lambda held: delete_vmodel(held, owner=owner))
        if writes is not None:
            log.info("vmodel is deleted", extra={"vmodel": vmodel})

    async def status(self, vmodel: str, *, owner: str = "") -> VModelReport:
        """What is known; of one that is not there, or is another owner's, the status NOT_FOUND."""
        record = await self._records.get(vmodel, fresh=True)
        if record is None or (owner and owner != record.owner):
            return VModelReport()
        return await self._report(record)

    # What it takes.

    def _check_writable(self) -> None:
        if self._read_only:
            raise VModelsReadOnly("model-mesh read-only mode")

    def _counts(self, held: Held, target: ModelId) -> CopyCounts:
        record = held.vmodel
        active = self._mesh.there_or_coming(ModelId(record.active)) if isinstance(record, VModelRecord) else 0
        return CopyCounts(active=active, target=self._mesh.loaded(target))

    async def _report(self, record: VModelRecord | None) -> VModelReport:
        assert record is not None
        active = await self._mesh.status(ModelId(record.active))
        on_its_way = record.target != record.active
        target = await self._mesh.status(ModelId(record.target)) if on_its_way else None
        return VModelReport(
            record=record,
            status=status_of(record),
            active=active,
            target=None if target is None else target_report(record, target),
        )

    async def _arrived(self, vmodel: str, target: ModelId) -> None:
        """Wait until the alias is at this target, or will not be; at most as long as `sync` may."""
        try:
            async with asyncio.timeout(SYNC_S_MAX):
                while True:
                    with self._told_of(vmodel) as changed:
                        record = await self._records.get(vmodel, fresh=True)
                        if record is None or record.target != target:
                            return
                        if status_of(record) is not VModelStatus.TRANSITIONING:
                            return
                        await _either(changed, LOOK_AGAIN_S)
        except TimeoutError:
            log.info("vmodel is still on its way", extra={"vmodel": vmodel, "target": target})

    @contextmanager
    def _told_of(self, vmodel: str) -> Iterator[asyncio.Event]:
        """An event that the next change of the alias sets."""
        changed, waiting = asyncio.Event(), self._waiting.setdefault(vmodel, set())
        waiting.add(changed)
        try:
            yield changed
        finally:
            waiting.discard(changed)
            if not waiting:
                self._waiting.pop(vmodel, None)

    def _heard(self, vmodel: str, _entry: Entry | None) -> None:
        for changed in self._waiting.get(vmodel, ()):
            changed.set()


async def _either(changed: asyncio.Event, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await changed.wait()
    except TimeoutError:
        pass


def target_report(record: VModelRecord, told: ModelReport) -> ModelReport:
    """Of a target that the alias is on its way to: LOADING, unless it failed or has vanished."""
    if told.status is ModelStatus.NOT_FOUND or (record.failed and told.status is ModelStatus.LOADING_FAILED):
        return told
    return ModelReport(status=ModelStatus.LOADING, errors=told.errors, copies=told.copies)
