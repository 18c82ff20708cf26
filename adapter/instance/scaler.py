"""How many copies of a model there are: more where they are needed, fewer where memory is scarce.

The rules are in `mesh.scaling` and `mesh.shrinking`; here they are asked once a second about the few models
that stand out, and what they wish for is carried out.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from adapter.aio.clock import Clock, epoch_ms_at
from adapter.cache.entry import EntryState
from adapter.cache.messages import Dropped
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import AdapterError
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRules, CopyState, ModelRecord
from adapter.instance.copies import Copies
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.copy_facts import Copied, Mesh
from adapter.mesh.demand import Demand
from adapter.mesh.departures import Departure, Gone
from adapter.mesh.room import room_of
from adapter.mesh.scaling import Wish, more_copies
from adapter.mesh.shrinking import surplus_copies
from adapter.mesh.view import InstanceState

log = logging.getLogger(__name__)

TICK_S: Final = 1.0
SHRINK_EVERY_S: Final = 60.0
RECALL_S_MAX: Final = 2.0
WISHES_AT_ONCE_MAX: Final = 64
"""Models that are being given further copies."""
RULED_MAX: Final = 10_000
"""Models with a wished number of copies that are looked after at once when a copy goes; of more, the leader's
next pass finds what is missing."""
IDLE_AFTER_S: Final = 10.0
"""An instance without calls and loads for so long is idle. Rarer calls make it tell two records each."""
STEADY_LOOKED_AT_MAX: Final = 8
"""Models used steadily that are given a second copy in one second."""


class Scaler:
    """Carries the rules out in one instance."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        owner: asyncio.TaskGroup,
        demand: Demand,
        in_flight: Mapping[ModelId, int],
        models: Models,
        cache: ModelCache,
        loader: Loader,
        ways: Wayfinder,
        copies: Copies,
        clock: Clock,
    ) -> None:
        self._owner = owner
        self._demand = demand
        self._in_flight = in_flight
        self._models = models
        self._cache = cache
        self._loader = loader
        self._ways = ways
        self._copies = copies
        self._clock = clock
        self._granting: set[ModelId] = set()
        self._ruled: dict[ModelId, ModelRecord] = {}
        self._there: dict[ModelId, int] = {}
        """Of those: the copies there were or came, when that last changed."""
        self._departed_ms: dict[ModelId, int] = {}
        self._loaded_s = clock.now_s()
        """When a load was under way; at first: when this instance began."""
        self.draining = False
        """No more copies are added: this instance is about to leave."""
        models.on_rules = self.registered
        models.on_ruled = self.ruled
        ways.state.on_copies.append(self._copies_changed)

    def rpm(self) -> int:
        """Calls a minute, as this instance's record tells them."""
        return round(self._demand.rates.total_rpm)

    def idle_since_ms(self) -> int | None:
        """Since when nothing was asked of this instance's runtime, likewise; None: it has something to do."""
        used_s = max(self._demand.rates.used_s, self._loaded_s)
        return None if self._clock.now_s() - used_s < IDLE_AFTER_S else epoch_ms_at(self._clock, used_s)

    async def keep_adding(self) -> None:
        """Add copies where they are needed; ends when cancelled."""
        while True:
            await self._clock.sleep(TICK_S)
            if self._cache.loading:
                self._loaded_s = self._clock.now_s()
            noted = self._demand.tick(
                now_s=self._clock.now_s(), now_ms=self._clock.epoch_ms(), in_flight=self._in_flight
            )
            for model in (*noted.busy, *noted.steady[:STEADY_LOOKED_AT_MAX]):
                self.look_at(model, steady=model in noted.steady)

    async def keep_shrinking(self) -> None:
        """Give copies up where memory is scarce; ends when cancelled."""
        while True:
            await self._clock.sleep(SHRINK_EVERY_S)
            if not self.draining:
                self._shrink()

    def registered(self, model: ModelId, record: ModelRecord) -> None:
        """A registration asks for a number of copies, and came to this instance."""
        self.ruled(model, record)
        self.look_at(model, registered_here=True)

    def ruled(self, model: ModelId, record: ModelRecord) -> None:
        """This registration asks for a number of copies: they are looked after when one goes."""
        self._ruled.pop(model, None)
        if record.rules.copies_min:
            self._ruled[model] = record
            if len(self._ruled) > RULED_MAX:
                oldest = next(iter(self._ruled))
                del self._ruled[oldest]
                self._there.pop(oldest, None)

    def forget(self, model: ModelId) -> None:
        """The model is registered no more."""
        self._ruled.pop(model, None)
        self._there.pop(model, None)
        self._demand.marks.forget(model)

    def _copies_changed(self, model: ModelId) -> None:
        record = self._ruled.get(model)
        if record is None:
            return
        before, there = self._there.get(model, 0), self._copies.there_or_coming(model)
        self._there[model] = there
        if there < min(before, record.rules.copies_min) and self._ways.state.is_leader:
            self.look_at(model, registered_here=True)  # whoever has gone cannot ask, so the leader does

    def look_at(self, model: ModelId, *, steady: bool = False, registered_here: bool = False) -> None:
        """Ask the rules whether this model is to have more copies, and carry out what they wish."""
        if self.draining or model in self._granting or len(self._granting) >= WISHES_AT_ONCE_MAX:
            return
        self._granting.add(model)
        self._owner.create_task(
            self._grant(model, steady=steady, registered_here=registered_here), name=f"more copies of {model}"
        )

    async def _grant(self, model: ModelId, *, steady: bool, registered_here: bool) -> None:
        try:
            record = await self._models.record(model)
            copied = self._copied(model, record.rules, steady=steady)
            wish = more_copies(copied, self._mesh(record.info.type), registered_here=registered_here)
            if wish is not None:
                self._demand.asked(model, self._clock.epoch_ms())
                await self._fulfil(model, record, wish)
        except AdapterError as error:
            log.info("no further copy", extra={"model": model, "error": error.described})
        finally:
            self._granting.discard(model)

    async def _fulfil(self, model: ModelId, record: ModelRecord, wish: Wish) -> None:
        excluded = dict(wish.excluded)
        for _ in range(wish.copies):
            added = await self._copies.add(
                model, record, because=wish.because, used_ms=wish.used_ms, excluded=excluded
            )
            excluded[added.instance] = "it was just given a copy"

    def _shrink(self) -> None:
        view, here = self._ways.state.view, self._ways.state.here
        judged = []
        meshes: dict[str, Mesh] = {}
        for model in self._cache:
            copies = view.copies(model)
            if len(copies) < 2 or here not in copies:  # noqa: PLR2004 - there must be another one
                continue
            record = self._models.at_hand(model)
            mesh = meshes.setdefault(record.info.type, self._mesh(record.info.type))
            judged.append((self._copied(model, record.rules), mesh))
        for surplus in surplus_copies(judged, capacity_bytes=self._cache.capacity_bytes):
            self._owner.create_task(
                self._give_up(surplus.model, surplus.because), name=f"give up {surplus.model}"
            )

    async def _give_up(self, model: ModelId, because: str) -> None:
        """Unload the copy here, once another instance has said that it has one."""
        here = self._ways.state.here
        others = [
            id_
            for id_, copy in self._ways.copies(model).items()
            if copy.state is CopyState.LOADED and id_ != here
        ]
        for other in others:
            try:
                told = await self._ways.links.channels.recall(other, model, timeout_s=RECALL_S_MAX)
            except AdapterError:
                continue
            if told.state == EntryState.ACTIVE.value:
                break
        else:
            return
        log.info("a copy is given up", extra={"model": model, "because": because})
        self._departed_ms[model] = self._clock.epoch_ms()
        if len(self._departed_ms) > RULED_MAX:
            del self._departed_ms[next(iter(self._departed_ms))]
        gone = Departure(why=Gone.SURPLUS, words=because)
        self._loader.tell(Dropped(model=model, unregistered=False, because=str(gone)))

    def _copied(self, model: ModelId, rules: CopyRules, *, steady: bool = False) -> Copied:
        used_s, worth = self._cache.used_s(model), self._cache.worth(model, self._clock.now_s())
        marks, rates = self._demand.marks, self._demand.rates
        return Copied(
            model=model,
            rules=rules,
            copies=self._ways.copies(model),
            size_bytes=0 if worth is None else worth.size_bytes,
            used_ms=0 if used_s is None else epoch_ms_at(self._clock, used_s),
            rpm=rates.rpm(model),
            concurrency=rates.concurrency(model),
            asked_ms=self._demand.asked_ms(model),
            steady=steady,
            heavy_ms=marks.heavy_ms(model),
            departed_ms=self._departed_ms.get(model, 0),
        )

    def _mesh(self, type_: str) -> Mesh:
        """The instances that may hold models of this type."""
        allowed = allowed_instances(self._ways, type_)
        return Mesh(
            here=self._ways.state.here,
            now_ms=self._clock.epoch_ms(),
            instances=allowed,
            room=room_of(allowed.values()),
            rules=self._demand.rules,
            rpm=self._demand.rates.total_rpm,
            leads=self._ways.state.is_leader,
        )


def allowed_instances(ways: Wayfinder, type_: str) -> dict[InstanceId, InstanceState]:
    """Those whose labels allow models of this type; one without a runtime holds none at all."""
    return {
        id_: instance
        for id_, instance in ways.instances().items()
        if instance.record.capacity_bytes > 0 and not ways.constraints.missing(type_, instance.record.labels)
    }
