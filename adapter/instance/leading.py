"""What one instance does for the whole mesh, as long as it leads (reference: ModelMesh core 3.9, 4.13).

It moves aliases to their targets, goes through all registrations page by page to load what there is room for
and what its registration asks for, and tells the figures of the mesh.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from adapter.aio.clock import Clock
from adapter.domain.errors import AdapterError, RecordUnreadable
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyState, ModelRecord
from adapter.instance.copies import Copies
from adapter.instance.scaler import Scaler
from adapter.instance.vmodel_moves import VModelMoves
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.proactive import Candidate, Candidates, may_be_loaded, proactive_loads
from adapter.registry.model_records import ModelRecords
from adapter.telemetry.metrics import MeshFigures

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
"""How often an instance looks whether it has become the leader, or is it no more."""
FIRST_PASS_S: Final = 60.0
PASS_EVERY_S: Final = 420.0
"""Between two passes over all registrations."""
PAGE: Final = 500
PAGE_PAUSE_S: Final = 0.02
"""Requests go first."""
COUNT_EVERY_S: Final = 10.0
ADDED_AT_ONCE: Final = 16


class Leading:
    """The leader's work."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        ways: Wayfinder,
        records: ModelRecords,
        moves: VModelMoves,
        copies: Copies,
        scaler: Scaler,
        clock: Clock,
        default_size_bytes: int,
    ) -> None:
        self._ways = ways
        self._records = records
        self._moves = moves
        self._copies = copies
        self._scaler = scaler
        self._clock = clock
        self._default_size_bytes = default_size_bytes
        self._managed: int | None = None

    async def run(self) -> None:
        """Lead whenever this instance is the leader; ends when cancelled."""
        while True:
            while not self._ways.state.is_leader:
                await self._clock.sleep(LOOK_S)
            log.info("this instance leads")
            with suppress(_NoLonger):
                await self._lead()
            self._managed = None
            log.info("this instance leads no more")

    def figures(self) -> MeshFigures | None:
        """Of the whole mesh; None: somebody else tells them."""
        if self._managed is None or not self._ways.state.is_leader:
            return None
        view, loaded, failed = self._ways.state.view, 0, 0
        for model in view.models():
            states = {copy.state for copy in view.copies(model).values()}
            loaded += bool(states - {CopyState.FAILED})
            failed += CopyState.FAILED in states
        return MeshFigures(managed=self._managed, loaded=loaded, failed=failed)

    async def _lead(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._moves.run(), name="move vmodels")
                group.create_task(self._keep_passing(), name="pass over the registrations")
                group.create_task(self._keep_counting(), name="count the registrations")
                while self._ways.state.is_leader:
                    await self._clock.sleep(LOOK_S)
                raise _NoLonger  # noqa: TRY301 - the group is to see it
        except* _NoLonger:
            raise _NoLonger from None

    async def _keep_counting(self) -> None:
        while True:
            with suppress(AdapterError):
                self._managed = await self._records.count()
            await self._clock.sleep(COUNT_EVERY_S)

    async def _keep_passing(self) -> None:
        await self._clock.sleep(FIRST_PASS_S)
        while True:
            try:
                await self._pass()
            except AdapterError as error:
                log.warning("the registrations cannot be gone through", extra={"error": error.described})
            await self._clock.sleep(PASS_EVERY_S)

    async def _pass(self) -> None:
        """Load what there is room for, and what has fewer copies than its registration asks for."""
        view, candidates = self._ways.state.view, Candidates()
        last = ""
        while page := await self._records.page(after=last, limit=PAGE):
            for model, record in page:
                last = model
                if isinstance(record, RecordUnreadable):
                    continue
                if record.rules.copies_min and self._copies.there_or_coming(model) < record.rules.copies_min:
                    self._scaler.ruled(model, record)
                    self._scaler.look_at(model, registered_here=True)
                elif may_be_loaded(view.copies(model), self._clock.epoch_ms()):
                    candidates.offer(
                        Candidate(model=model, type=record.info.type, used_ms=record.last_used_ms)
                    )
            if len(page) < PAGE:
                break
            await self._clock.sleep(PAGE_PAUSE_S)
        await self._fill(candidates)

    async def _fill(self, candidates: Candidates) -> None:
        loads = iter(
            proactive_loads(
                candidates.best_first(),
                self._ways.instances().values(),
                may_hold=lambda type_, instance: (
                    not self._ways.constraints.missing(type_, instance.record.labels)
                ),
                default_size_bytes=self._default_size_bytes,
                now_ms=self._clock.epoch_ms(),
            )
        )

        async def work() -> None:
            for load in loads:
                await self._load(load.candidate, load.because)

        async with asyncio.TaskGroup() as group:
            for number in range(ADDED_AT_ONCE):
                group.create_task(work(), name=f"fill free space {number}")

    async def _load(self, candidate: Candidate, because: str) -> None:
        model = ModelId(candidate.model)
        try:
            record = await self._records.get(model)
            if isinstance(record, ModelRecord) and not self._copies.there_or_coming(model):
                await self._copies.add(
                    model, record, because=f"there is room: {because}", used_ms=candidate.used_ms
                )
        except AdapterError as error:
            log.debug("not loaded in advance", extra={"model": model, "error": error.described})


class _NoLonger(Exception):
    """Somebody else is the leader."""
