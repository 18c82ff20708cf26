import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapter.aio.clock import LoopClock
from adapter.cluster.cluster import ClusterRefused, ClusterUnavailable
from adapter.cluster.leader_election import ElectionTimes, LeaderElection, LeadershipLost
from adapter.domain.kinds import LEASE, Key
from tests.fakes.memory_cluster import MemoryCluster

KEY = Key(kind=LEASE, name="modelmesh-controller-leader-lock", namespace="default")


def candidate(cluster: MemoryCluster, identity: str) -> LeaderElection:
    return LeaderElection(cluster=cluster, clock=LoopClock(), namespace="default", identity=identity)


def spec(cluster: MemoryCluster) -> dict[str, Any]:
    record = cluster.now(KEY)
    assert record is not None
    return dict(record["spec"])


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def for_ever() -> None:
    await asyncio.Event().wait()


async def when(is_so: Callable[[], bool]) -> float:
    """When it is so."""
    async with asyncio.timeout(600):
        while not is_so():  # noqa: ASYNC110 - the time is virtual, and it is what is asked for
            await asyncio.sleep(0.1)
    return now_s()


@asynccontextmanager
async def standing(election: LeaderElection) -> AsyncIterator["asyncio.Task[None]"]:
    """It stands within the block; how it ended is the task's."""
    task = asyncio.ensure_future(election.run(for_ever))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_the_first_one_leads() -> None:
    cluster = MemoryCluster()
    election = candidate(cluster, "one")
    async with standing(election):
        await when(lambda: election.is_leading)
        told = spec(cluster)
        assert (told["holderIdentity"], told["leaseDurationSeconds"]) == ("one", 15)
        assert told["leaseTransitions"] == 0
        assert told["renewTime"].endswith("Z")
        assert len(told["renewTime"]) == len("2026-01-01T00:00:00.000000Z")
    assert not election.is_leading


async def test_one_leads_and_the_other_waits_for_as_long() -> None:
    cluster = MemoryCluster()
    one, two = candidate(cluster, "one"), candidate(cluster.another("two"), "two")
    async with standing(one), standing(two):
        await when(lambda: one.is_leading)
        await asyncio.sleep(600)
        assert (one.is_leading, two.is_leading) == (True, False)
        assert spec(cluster)["leaseTransitions"] == 0


async def test_who_ends_gives_it_back_at_once() -> None:
    cluster = MemoryCluster()
    one, two = candidate(cluster, "one"), candidate(cluster.another("two"), "two")
    async with standing(two), standing(one):
        await when(lambda: two.is_leading)
        await asyncio.sleep(60)
        assert not one.is_leading
    assert spec(cluster)["holderIdentity"] == ""
    ended_s = now_s()
    async with standing(one):
        assert await when(lambda: one.is_leading) - ended_s < 1
        assert spec(cluster)["leaseTransitions"] == 1


async def test_after_a_crash_the_other_leads_within_twenty_seconds() -> None:
    cluster = MemoryCluster()
    one, two = candidate(cluster, "one"), candidate(cluster.another("two"), "two")
    async with standing(one) as crashed, standing(two):
        await when(lambda: one.is_leading)
        await asyncio.sleep(30)
        cluster.away = True  # it says nothing any more, nor gives anything back
        crashed.cancel()
        ended_s = now_s()
        took_s = await when(lambda: two.is_leading) - ended_s
    assert 10 < took_s < 20


async def test_who_cannot_renew_ends_before_the_other_begins() -> None:
    cluster = MemoryCluster()
    one, two = candidate(cluster, "one"), candidate(cluster.another("two"), "two")
    async with standing(one) as ended, standing(two):
        await when(lambda: one.is_leading)
        cluster.away = True
        lost_s = await when(ended.done)
        assert not two.is_leading
        with pytest.raises(LeadershipLost, match="could not be renewed for 10 s"):
            ended.result()
        assert 0 < await when(lambda: two.is_leading) - lost_s < 10


async def test_a_short_outage_is_survived() -> None:
    cluster = MemoryCluster()
    one = candidate(cluster, "one")
    async with standing(one):
        await when(lambda: one.is_leading)
        for _ in range(20):
            cluster.away = not cluster.away
            await asyncio.sleep(4)
        assert one.is_leading


async def test_who_was_replaced_ends_at_once() -> None:
    cluster = MemoryCluster()
    one = candidate(cluster, "one")
    async with standing(one) as ended:
        await when(lambda: one.is_leading)
        record = cluster.now(KEY)
        assert record is not None
        cluster.put({**record, "spec": {**record["spec"], "holderIdentity": "two"}})
        began_s = now_s()
        assert await when(ended.done) - began_s < 4
        with pytest.raises(LeadershipLost, match="`two` leads now"):
            ended.result()
    assert spec(cluster)["holderIdentity"] == "two"


async def test_a_call_that_hangs_is_not_waited_for() -> None:
    class Hanging(MemoryCluster):
        hangs = False

        async def get(self, key: Key) -> Any:
            if self.hangs:
                await for_ever()
            return await super().get(key)

    cluster = Hanging()
    one = candidate(cluster, "one")
    async with standing(one) as ended:
        await when(lambda: one.is_leading)
        cluster.hangs, began_s = True, now_s()
        assert await when(ended.done) - began_s < 12
        with pytest.raises(LeadershipLost):
            ended.result()


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> None:
        raise ClusterRefused("no")

    cluster = MemoryCluster()
    with pytest.raises(ClusterRefused, match="no"):
        await candidate(cluster, "one").run(work)
    assert spec(cluster)["holderIdentity"] == ""


async def test_work_that_is_done_is_the_end() -> None:
    async def work() -> None:
        await asyncio.sleep(100)

    await candidate(MemoryCluster(), "one").run(work)
    assert now_s() >= 100


async def test_it_may_stand_again_after_a_loss() -> None:
    cluster = MemoryCluster()
    one = candidate(cluster, "one")
    async with standing(one) as lost:
        await when(lambda: one.is_leading)
        cluster.away = True
        await when(lost.done)
        cluster.away = False
        async with standing(one):
            assert await when(lambda: one.is_leading)


async def test_a_refusal_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(verb: str, key: Key) -> None:
        raise ClusterRefused("leases is forbidden")

    cluster = MemoryCluster()
    cluster.before = refuse
    async with standing(candidate(cluster, "one")):
        await asyncio.sleep(60)
    assert [record.message for record in caplog.records] == ["cannot have the lease"]


async def test_a_lease_of_odd_content_may_be_taken() -> None:
    cluster = MemoryCluster()
    cluster.put({"metadata": {"name": KEY.name, "namespace": "default"}}, LEASE)
    one = candidate(cluster, "one")
    async with standing(one):
        assert await when(lambda: one.is_leading)


async def test_a_server_that_is_away_is_waited_for() -> None:
    cluster = MemoryCluster()
    cluster.away = True
    one = candidate(cluster, "one")
    async with standing(one):
        await asyncio.sleep(60)
        with pytest.raises(ClusterUnavailable):
            await cluster.get(KEY)
        cluster.away = False
        assert await when(lambda: one.is_leading)


@pytest.mark.parametrize("times", [(10, 10, 2), (15, 10, 10), (15, 20, 2), (15, 10, 0)])
def test_times_must_make_sense(times: tuple[float, float, float]) -> None:
    lease_s, renew_s, retry_s = times
    with pytest.raises(ValueError, match="retry < renew < lease"):
        ElectionTimes(lease_s=lease_s, renew_s=renew_s, retry_s=retry_s)
