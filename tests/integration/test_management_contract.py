"""What clients of the management API see: the real door and records, and a mesh of one fake instance."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
import pytest

from adapter.aio.clock import LoopClock
from adapter.instance.vmodel_moves import VModelMoves
from adapter.instance.vmodels import VModels
from adapter.registry.model_records import ModelRecords
from adapter.registry.vmodel_records import VModelLedger, VModelRecords
from adapter.servers.management import management_handlers
from tests.contracts.management import ManagementContract, rows, run
from tests.contracts.management_rows import READ_ONLY_BEFORE, READ_ONLY_ROWS
from tests.contracts.management_steps import DEFAULT_OWNER, Step
from tests.fakes.doors import connected
from tests.fakes.managed_mesh import ManagedMesh
from tests.fakes.memory_registry import MemoryRegistry

PREFIX = "mm/serving/"


@asynccontextmanager
async def an_instance(
    registry: MemoryRegistry, *, leads: bool = True, read_only: bool = False
) -> AsyncIterator[grpc.aio.Channel]:
    """Its channel."""
    models = ModelRecords(registry, PREFIX, read_only=read_only)
    records = VModelRecords(registry, PREFIX, read_only=read_only)
    ledger, clock = VModelLedger(models, records), LoopClock()
    async with asyncio.TaskGroup() as owner:
        mesh = ManagedMesh(models=models, owner=owner)
        vmodels = VModels(
            records=records,
            ledger=ledger,
            mesh=mesh,
            clock=clock,
            default_owner=DEFAULT_OWNER,
            read_only=read_only,
        )
        background = [owner.create_task(models.follow()), owner.create_task(records.follow())]
        if leads:
            moves = VModelMoves(records=records, models=models, ledger=ledger, mesh=mesh, clock=clock)
            background.append(owner.create_task(moves.run()))
        async with connected(
            management_handlers(mesh, vmodels, state=lambda: ["CACHESTATE: empty"])
        ) as channel:
            yield channel
        for task in (*background, *mesh.loads.values()):
            task.cancel()


class TestOneInstance(ManagementContract):
    @pytest.fixture
    async def channels(self) -> AsyncIterator[Sequence[grpc.aio.Channel]]:
        async with an_instance(MemoryRegistry()) as channel:
            yield [channel]


@pytest.mark.parametrize("steps", rows(READ_ONLY_ROWS))
async def test_read_only(steps: Sequence[Step]) -> None:
    registry = MemoryRegistry()
    async with (
        an_instance(registry) as writing,
        an_instance(registry, read_only=True, leads=False) as reading,
    ):
        await run([writing], READ_ONLY_BEFORE, prefix="row-")
        await run([reading], steps, prefix="row-")
