import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from adapter.aio.groups import cancelled_at_the_end
from adapter.controller.fleet_logs import CHARS_MAX, LINES_MAX, Logs
from adapter.controller.pod_facts import Trouble
from adapter.domain.kinds import POD, Key
from tests.fakes.memory_cluster import MemoryCluster

POD_1 = Key(kind=POD, name="pod-1", namespace="apples")
CRASH = Trouble(
    pod="pod-1", container="mm", what="it crashed", restarts=1, has_log=True, log_is_previous=True
)


@asynccontextmanager
async def reading(cluster: MemoryCluster) -> AsyncIterator[tuple[Logs, asyncio.Queue[str]]]:
    told: asyncio.Queue[str] = asyncio.Queue()
    async with cancelled_at_the_end() as owner:
        yield Logs(cluster, owner=owner, on_read=told.put_nowait), told


async def test_the_last_lines_are_read_once_for_each_end() -> None:
    cluster = MemoryCluster(namespaces=["apples"])
    cluster.logs[POD_1, "mm", True] = "\n".join(f"line {number}" for number in range(50))
    async with reading(cluster) as (logs, told):
        logs.want("apples", "u1", CRASH)
        assert await told.get() == "apples"
        assert logs.tail("apples", CRASH).splitlines() == [f"line {n}" for n in range(50 - LINES_MAX, 50)]
        cluster.logs[POD_1, "mm", True] = "another end"
        logs.want("apples", "u1", CRASH)
        again = replace(CRASH, restarts=2)
        logs.want("apples", "u1", again)
        await told.get()
        assert logs.tail("apples", again) == "another end"
        assert told.empty()


async def test_what_the_status_says_need_not_be_read() -> None:
    cluster = MemoryCluster(namespaces=["apples"])
    said = replace(CRASH, said="x" * 2 * CHARS_MAX)
    async with reading(cluster) as (logs, told):
        logs.want("apples", "u1", said)
        logs.want("apples", "u1", replace(CRASH, has_log=False))
        assert logs.tail("apples", said) == "x" * CHARS_MAX
        await asyncio.sleep(1)
        assert told.empty()


async def test_a_log_that_cannot_be_read_is_empty() -> None:
    cluster = MemoryCluster(namespaces=["apples"])
    cluster.away = True
    async with reading(cluster) as (logs, told):
        logs.want("apples", "u1", CRASH)
        await told.get()
        assert logs.tail("apples", CRASH) == ""


async def test_a_pod_that_is_gone_is_forgotten() -> None:
    cluster = MemoryCluster(namespaces=["apples"])
    cluster.logs[POD_1, "mm", True] = "its end"
    async with reading(cluster) as (logs, told):
        logs.want("apples", "u1", CRASH)
        await told.get()
        logs.forget("apples", "pod-1")
        assert logs.tail("apples", CRASH) == ""
