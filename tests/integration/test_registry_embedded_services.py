"""What the embedded registry's services do as time goes by, and what they bear."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from adapter.aio.clock import LoopClock
from adapter.registry import embedded_services
from adapter.registry.embedded import StoreThread
from adapter.registry.embedded_server import embedded_serving
from adapter.registry.sqlite_store import Committed
from adapter.stubs.etcd import kv_pb2, rpc_pb2
from tests.contracts.etcd_talk import CHANNEL, EtcdApi, refused, soon
from tests.integration.registry_process import running

SLEEPERS = 2
"""Who looks after the leases, and who reminds watches."""


class FakeClock:
    """Time goes by when a test says so, and no faster than the registry's own tasks do their work."""

    def __init__(self) -> None:
        self._now_s = 1000.0
        self._sleeping: list[tuple[float, asyncio.Future[None]]] = []

    def now_s(self) -> float:
        return self._now_s

    def epoch_ms(self) -> int:
        return round(self._now_s * 1e3)

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleeping.append((self._now_s + seconds, woken))
        await woken

    async def advance(self, seconds: float, *, step_s: float = 0.5) -> None:
        for _ in range(round(seconds / step_s)):
            self._now_s += step_s
            due = [each for each in self._sleeping if each[0] <= self._now_s]
            self._sleeping = [each for each in self._sleeping if each not in due]
            for _, woken in due:
                woken.set_result(None)
            await self._until_all_sleep()

    async def _until_all_sleep(self) -> None:
        while len(self._sleeping) < SLEEPERS:  # noqa: ASYNC110 - they are not ours, to tell us
            await asyncio.sleep(0)


@asynccontextmanager
async def served(path: Path, clock: FakeClock) -> AsyncIterator[EtcdApi]:
    async with (
        embedded_serving(path, "127.0.0.1:0", clock=clock) as address,
        grpc.aio.insecure_channel(address, options=CHANNEL) as channel,
    ):
        yield EtcdApi.over(channel)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mm.registry"


async def kept_alive(api: EtcdApi, lease: int) -> int:
    call = api.leases.LeaseKeepAlive()
    await soon(call.write(rpc_pb2.LeaseKeepAliveRequest(ID=lease)))
    answer = await soon(call.read())
    call.cancel()
    return int(answer.TTL)


async def test_leases_end_each_in_its_time_and_each_in_one_revision(path: Path, clock: FakeClock) -> None:
    async with served(path, clock) as api, api.watching() as watching:
        await watching.create(filters=[rpc_pb2.WatchCreateRequest.NOPUT])
        for name, ttl_s in (("short", 10), ("long", 20)):
            lease = await api.grant(ttl_s)
            await api.txn(api.putting(f"{name}/a", lease=lease), api.putting(f"{name}/b", lease=lease))
        await clock.advance(11)
        assert api.names(event.kv for event in await watching.events(2)) == ["short/a", "short/b"]
        await clock.advance(11)
        events = await watching.events(2)
        assert {event.type for event in events} == {kv_pb2.Event.DELETE}
        assert {event.kv.mod_revision for event in events} == {5}


async def test_a_lease_that_is_kept_alive_lives_for_ever(path: Path, clock: FakeClock) -> None:
    async with served(path, clock) as api:
        kept, given_up = await api.grant(10), await api.grant(10)
        for _ in range(20):
            await clock.advance(6)
            assert await kept_alive(api, kept) == 10
        assert await kept_alive(api, given_up) == 0
        await clock.advance(11)
        assert await kept_alive(api, kept) == 0


async def test_while_the_registry_stands_still_no_lease_ends(
    path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(path, clock) as api:
        lease = await api.grant(10)
        await clock.advance(5)
        await clock.advance(60, step_s=60)
        assert "stood still" in caplog.text
        await clock.advance(4)
        assert await kept_alive(api, lease) == 10


async def test_after_a_freeze_of_the_process_leases_are_kept_alive_as_before(path: Path) -> None:
    with running(path) as registry:
        async with grpc.aio.insecure_channel(registry.address, options=CHANNEL) as channel:
            api = EtcdApi.over(channel)
            lease = await api.grant(2)
            await api.put("iris", lease=lease)
            os.kill(registry.pid, signal.SIGSTOP)
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=3.5)
            os.kill(registry.pid, signal.SIGCONT)
            assert await api.get("iris") is not None
            assert await kept_alive(api, lease) == 2


async def test_a_lease_that_cannot_be_ended_yet_is_ended_later(
    path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[StoreThread] = []
    monkeypatch.setattr(StoreThread, "listen", lambda self, listener: listening(threads, self, listener))
    async with served(path, clock) as api:
        lease = await api.grant(2)
        await api.put("iris", lease=lease)
        [thread] = threads
        await thread.ask(lambda store: store._connection.execute("PRAGMA query_only = ON"))
        await clock.advance(5)
        await thread.ask(lambda store: store._connection.execute("PRAGMA query_only = OFF"))
        assert await api.get("iris") is not None
        assert "cannot be ended yet" in caplog.text
        await clock.advance(1)
        while await api.get("iris") is not None:
            await clock.advance(1)


def listening(threads: list[StoreThread], thread: StoreThread, listener: Callable[[Committed], None]) -> None:
    threads.append(thread)
    thread._listeners.append(listener)


async def test_watches_that_want_to_are_told_how_far_they_are(path: Path, clock: FakeClock) -> None:
    async with served(path, clock) as api, api.watching() as watching:
        await watching.create(progress_notify=True)
        await clock.advance(660, step_s=1.5)
        progress = await watching.next()
        assert (progress.watch_id, progress.header.revision, list(progress.events)) == (0, 1, [])


async def test_leases_and_streams_are_bounded(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_services, "LEASES_MAX", 1)
    monkeypatch.setattr(embedded_services, "STREAMS_MAX", 1)
    too_many = (grpc.StatusCode.RESOURCE_EXHAUSTED, "etcdserver: too many requests")
    async with served(path, clock) as api, api.watching() as watching:
        await watching.create()
        await api.grant()
        keeping = api.leases.LeaseKeepAlive()
        await keeping.write(rpc_pb2.LeaseKeepAliveRequest(ID=1))
        await soon(keeping.read())
        assert await refused(api.grant()) == too_many
        assert await refused(api.watching().next()) == too_many
        assert await refused(api.leases.LeaseKeepAlive().read()) == too_many


async def test_a_client_that_leaves_in_the_middle_leaves_no_word_in_the_log(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with embedded_serving(path, "127.0.0.1:0", clock=LoopClock()) as address:
        for _ in range(5):
            async with grpc.aio.insecure_channel(address, options=CHANNEL) as channel:
                api = EtcdApi.over(channel)
                await api.watching().create()
                for number in range(20):
                    asyncio.ensure_future(api.put(f"{number}", bytes(100_000))).cancel()
                    api.kv.Put(rpc_pb2.PutRequest(key=b"iris", value=bytes(100_000)))
                await api.put("last")
    assert caplog.records == []
