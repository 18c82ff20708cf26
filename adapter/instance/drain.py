"""Leaving without a request noticing (reference: ModelMesh core 4.19; `mesh.leaving` has the plan).

The record says that this instance drains, so nothing new is placed here. What is needed is loaded elsewhere
first; each copy here goes on answering until its record is withdrawn, and after that too, as long as somebody
still asks. Then no more connections are taken, clients are asked to go, and what is in flight may end.
"""

import asyncio
import logging
from typing import Final

from adapter.aio.clock import Clock, epoch_ms_at
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import AdapterError
from adapter.domain.records import CopyState
from adapter.instance.announcer import TOLD_S_MAX, Announcer
from adapter.instance.copies import Copies
from adapter.instance.held import held
from adapter.instance.in_flight import InFlight
from adapter.instance.models import Models
from adapter.instance.scaler import Scaler
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.leaving import Held, LeavingPlan, Move, leaving_plan

log = logging.getLogger(__name__)

KEPT_BACK_S: Final = 5.0
"""Of the grace period so much is left for calls in flight (reference: ModelMesh core 4.19)."""


class Drain:
    """One instance's way out."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        announcer: Announcer,
        cache: ModelCache,
        models: Models,
        copies: Copies,
        ways: Wayfinder,
        scaler: Scaler,
        in_flight: InFlight,
        clock: Clock,
        grace_s: float,
    ) -> None:
        self._announcer = announcer
        self._cache = cache
        self._models = models
        self._copies = copies
        self._ways = ways
        self._scaler = scaler
        self._in_flight = in_flight
        self._clock = clock
        self._grace_s = grace_s
        self.begun = False

    async def leave(self) -> None:
        """Have everything needed loaded elsewhere, within the grace period, and withdraw all copies."""
        self.begun = self._scaler.draining = True
        budget_s = max(self._grace_s - KEPT_BACK_S, self._grace_s / 2)
        ends_s = self._clock.now_s() + budget_s
        self._announcer.stand_down()
        self._announcer.announce(draining=True)
        await self._announcer.settled(TOLD_S_MAX)
        plan = self._plan(budget_s)
        log.info(
            "this instance drains",
            extra={
                "moves": len(plan.moves),
                "given_up": len(plan.given_up),
                "expected_s": round(plan.expected_s, 3),
                "grace_s": self._grace_s,
            },
        )
        try:
            async with asyncio.timeout(ends_s - self._clock.now_s()):
                await self._move(plan, ends_s)
        except TimeoutError:
            log.warning("the grace period ended before all copies were loaded elsewhere")
        self._announcer.withdraw()
        await self._announcer.settled(TOLD_S_MAX)
        log.info("this instance holds no copy that others know of")

    def _plan(self, budget_s: float) -> LeavingPlan:
        now_s, there = self._clock.now_s(), []
        for model in list(self._cache):
            state = held(self._cache, model)
            if state is None:
                continue
            worth, used_s = self._cache.worth(model, now_s), self._cache.used_s(model)
            there.append(
                Held(
                    model=model,
                    used_ms=epoch_ms_at(self._clock, used_s or 0.0),
                    load_s=0.0 if worth is None else worth.load_s,
                    rules=self._models.at_hand(model).rules,
                    # This instance drains, and so is not among those.
                    loaded_elsewhere=self._copies.loaded(model),
                    loading=state is CopyState.LOADING,
                    in_use=self._in_flight.get(model, 0),
                )
            )
        others = [each for id_, each in self._ways.instances().items() if id_ != self._ways.state.here]
        return leaving_plan(there, others, now_ms=self._clock.epoch_ms(), budget_s=budget_s)

    async def _move(self, plan: LeavingPlan, ends_s: float) -> None:
        moves = iter(plan.moves)

        async def work() -> None:
            for move in moves:
                await self._move_one(move, ends_s)

        async with asyncio.TaskGroup() as group:
            for number in range(plan.at_once):
                group.create_task(work(), name=f"move copies elsewhere {number}")

    async def _move_one(self, move: Move, ends_s: float) -> None:
        try:
            record = await self._models.record(move.model)
            await self._copies.add(
                move.model,
                record,
                because=f"{self._ways.state.here} drains: {move.because}",
                wait_s=max(ends_s - self._clock.now_s(), 0.1) if move.wait else 0.0,
                used_ms=move.used_ms,
            )
        except AdapterError as error:
            log.info(
                "the copy could not be loaded elsewhere",
                extra={"model": move.model, "error": error.described},
            )
