"""The aliases of one instance over fakes, without the rest of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapter.aio.clock import LoopClock
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.instance.vmodels import VModels
from adapter.mesh.vmodels import CopyCounts, Held, Writes, moved
from adapter.registry.model_records import ModelRecords
from adapter.registry.vmodel_records import VModelLedger, VModelRecords
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.vmodel_mesh import FakeMesh

PREFIX = "mm/serving/"
INFO = ModelInfo(type="t")


@dataclass(slots=True, kw_only=True)
class Aliased:
    """One that follows the registry."""

    registry: MemoryRegistry
    models: ModelRecords
    records: VModelRecords
    ledger: VModelLedger
    mesh: FakeMesh
    vmodels: VModels

    async def move(self, target: ModelId, copies: CopyCounts, vmodel: str = "v") -> None:
        """What the leader does, somewhere else."""

        def decide(held: Held) -> Writes | None:
            return moved(held, target, copies)

        elsewhere = VModelLedger(ModelRecords(self.registry, PREFIX), VModelRecords(self.registry, PREFIX))
        await elsewhere.change(vmodel, decide)


@asynccontextmanager
async def aliased(*, read_only: bool = False, default_owner: str = "") -> AsyncIterator[Aliased]:
    registry = MemoryRegistry()
    models = ModelRecords(registry, PREFIX, read_only=read_only)
    records = VModelRecords(registry, PREFIX, read_only=read_only)
    ledger, mesh = VModelLedger(models, records), FakeMesh(models=models)
    vmodels = VModels(
        records=records,
        ledger=ledger,
        mesh=mesh,
        clock=LoopClock(),
        default_owner=default_owner,
        read_only=read_only,
    )
    following = [asyncio.ensure_future(table.follow()) for table in (models, records)]
    await asyncio.sleep(0)
    yield Aliased(
        registry=registry, models=models, records=records, ledger=ledger, mesh=mesh, vmodels=vmodels
    )
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
