"""Gathers what `remesh explain NAME` is answered from: registry, view, and what each instance recalls.

Other instances are asked at once, and for a moment only: what one does not answer is missing from the answer.
"""

import asyncio
import difflib
import logging
from collections.abc import Mapping
from typing import Final

from adapter.aio.clock import Clock
from adapter.cache.model_cache import ModelCache
from adapter.domain.errors import AdapterError
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState, ModelRecord, VModelRecord
from adapter.instance.peer_links import PeerLinks
from adapter.instance.reasons import Reasons
from adapter.instance.recalling import recalled
from adapter.instance.wayfinder import Wayfinder
from adapter.mesh.explain_facts import Alias, Explanation, Facts, Recalled
from adapter.mesh.explaining import explain
from adapter.registry.model_records import ModelRecords
from adapter.registry.vmodel_records import VModelRecords

log = logging.getLogger(__name__)

RECALL_S_MAX: Final = 0.03
"""How long another instance may take; the answer is to be there within 50 ms."""
ASKED_MAX: Final = 32
"""Instances that are asked what they recall."""
SIMILAR_LOOKED_AT: Final = 2000
"""Names among which one like the one asked for is looked for."""
PREFIX: Final = 3


class Explainer:
    """Answers `mesh.Mesh/explain`."""

    def __init__(  # noqa: PLR0913 - what it joins, each by name
        self,
        *,
        records: ModelRecords,
        vmodels: VModelRecords,
        cache: ModelCache,
        reasons: Reasons,
        ways: Wayfinder,
        links: PeerLinks,
        clock: Clock,
        overhead_bytes: int,
    ) -> None:
        self._records = records
        self._vmodels = vmodels
        self._cache = cache
        self._reasons = reasons
        self._ways = ways
        self._links = links
        self._clock = clock
        self._overhead_bytes = overhead_bytes

    async def explain(self, name: str) -> Explanation:
        """Where the model is, why, and what would change it. Raises `RegistryUnavailable`."""
        vmodel = await self._vmodels.get(name)
        model = ModelId(name if vmodel is None else vmodel.active)
        record = await self._records.get(model)
        if record is None:
            return explain(
                Facts(
                    name=name,
                    model=model if vmodel is not None else "",
                    alias=None if vmodel is None else self._alias(vmodel),
                    similar=await self._similar(name),
                    here=self._ways.state.here,
                    now_ms=self._clock.epoch_ms(),
                )
            )
        return explain(await self._facts(name, model, record, vmodel))

    async def _facts(
        self, name: str, model: ModelId, record: ModelRecord, vmodel: VModelRecord | None
    ) -> Facts:
        told = await self._recalled(model)
        copies = self._ways.copies(model)
        type_ = record.info.type
        lacking = {
            id_: missing
            for id_, instance in self._ways.instances().items()
            if (missing := self._ways.constraints.missing(type_, instance.record.labels))
        }
        return Facts(
            name=name,
            model=model,
            record=record,
            alias=None if vmodel is None else self._alias(vmodel),
            here=self._ways.state.here,
            now_ms=self._clock.epoch_ms(),
            copies=copies,
            instances=self._ways.instances(),
            lacking=lacking,
            recalled=told,
            size_bytes=_size_bytes(copies, told),
            overhead_bytes=self._overhead_bytes,
            route=self._ways.route(model, record, excluded={}),
            placement=self._ways.place(model, record, excluded={}),
        )

    def _alias(self, vmodel: VModelRecord) -> Alias:
        copies = self._ways.copies(ModelId(vmodel.target))
        failed = [copy for copy in copies.values() if copy.state is CopyState.FAILED]
        newest = max(failed, key=lambda copy: copy.since_ms, default=None)
        return Alias(record=vmodel, target_copies=copies, failure="" if newest is None else newest.failure)

    async def _recalled(self, model: ModelId) -> dict[InstanceId, Recalled]:
        """What each instance recalls; those that do not answer at once are left out."""
        here = self._ways.state.here
        told = {here: recalled(self._cache, self._reasons, model, self._clock)}
        others = [id_ for id_ in self._ways.instances() if id_ != here][:ASKED_MAX]

        async def ask(instance: InstanceId) -> None:
            try:
                told[instance] = await self._links.channels.recall(instance, model, timeout_s=RECALL_S_MAX)
            except AdapterError as error:
                log.debug("nothing is recalled", extra={"peer": instance, "error": error.described})

        async with asyncio.TaskGroup() as group:
            for id_ in others:
                group.create_task(ask(id_), name=f"what {id_} recalls")
        return told

    async def _similar(self, name: str) -> tuple[str, ...]:
        """Registered names like this one: of those that begin alike, and of the first ones of all."""
        names: list[str] = []
        try:
            for start in {name[:PREFIX], ""}:
                page = await self._records.page(after=start, limit=SIMILAR_LOOKED_AT)
                names += [model for model, _ in page]
        except AdapterError:
            return ()
        return tuple(difflib.get_close_matches(name, dict.fromkeys(names), n=3, cutoff=0.7))


def _size_bytes(copies: Mapping[InstanceId, CopyRecord], told: Mapping[InstanceId, Recalled]) -> int:
    """What the model needs, as far as anybody knows."""
    held = [copy.size_bytes for copy in copies.values()]
    return max([*held, *(each.size_bytes for each in told.values())], default=0)
