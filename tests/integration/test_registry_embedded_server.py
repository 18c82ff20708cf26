"""The embedded registry over gRPC, in this process and in one of its own."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from adapter.aio.clock import LoopClock
from adapter.domain.errors import RegistryUnavailable
from adapter.registry.embedded_server import embedded_serving
from adapter.stubs.etcd import rpc_pb2
from tests.contracts.etcd_api import EtcdApiContract
from tests.contracts.etcd_talk import CHANNEL, EtcdApi, refused, soon
from tests.integration.registry_process import RegistryProcess, running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "mm.registry"


@asynccontextmanager
async def dialled(address: str) -> AsyncIterator[EtcdApi]:
    async with grpc.aio.insecure_channel(address, options=CHANNEL) as channel:
        yield EtcdApi.over(channel)


class TestEmbeddedServing(EtcdApiContract):
    @pytest.fixture
    async def address(self, path: Path) -> AsyncIterator[str]:
        async with embedded_serving(path, "127.0.0.1:0", clock=LoopClock()) as address:
            yield address


async def test_it_listens_on_a_unix_socket_as_well(path: Path, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/registry.sock"
    async with embedded_serving(path, address, clock=LoopClock()) as serving, dialled(serving) as api:
        assert serving == address
        assert await api.put("iris") == 2


async def test_an_address_that_is_taken_is_told_and_the_file_is_given_back(path: Path) -> None:
    async with embedded_serving(path, "127.0.0.1:0", clock=LoopClock()) as address:
        with pytest.raises(RegistryUnavailable, match=f"cannot listen on {address}"):
            async with embedded_serving(path.with_name("other"), address, clock=LoopClock()):
                pass
    async with embedded_serving(path.with_name("other"), "127.0.0.1:0", clock=LoopClock()):
        pass


async def test_two_servers_cannot_share_a_file(path: Path) -> None:
    with (
        running(path),
        pytest.raises(RegistryUnavailable, match=r"mm\.registry is in use by another process"),
    ):
        async with embedded_serving(path, "127.0.0.1:0", clock=LoopClock()):
            pass


async def test_what_goes_wrong_inside_comes_out_as_it_is(path: Path) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with embedded_serving(path, "127.0.0.1:0", clock=LoopClock()):
            raise LookupError("mine")


async def test_a_call_in_flight_is_answered_and_streams_are_told_that_the_server_stops(path: Path) -> None:
    async with embedded_serving(path, "127.0.0.1:0", clock=LoopClock()) as address:
        channel = grpc.aio.insecure_channel(address, options=CHANNEL)
        api = EtcdApi.over(channel)
        watching = api.watching()
        await watching.create()
        keeping = api.leases.LeaseKeepAlive()
        await keeping.write(rpc_pb2.LeaseKeepAliveRequest(ID=1))
        await soon(keeping.read())
        await api.put("first")
        call = asyncio.ensure_future(api.put("last"))
        event = await watching.events(2)
    assert await call == event[1].kv.mod_revision
    for stream in (watching.next(), keeping.read()):
        assert await refused(stream) == (grpc.StatusCode.UNAVAILABLE, "etcdserver: server stopped")
    await channel.close()


async def test_revisions_go_on_after_a_restart_and_the_past_is_compacted(path: Path) -> None:
    with running(path) as registry:
        async with dialled(registry.address) as api:
            before = (await api.all()).header
            revision = await api.put("iris", b"1")
        assert registry.stop() == ""
        registry.start()
        async with dialled(registry.address) as api, api.watching() as watching:
            after = (await api.all()).header
            await watching.create(start_revision=revision)
            cancelled = await watching.next()
            await watching.create(start_revision=revision + 1, range_end=b"\x00")
            assert await api.put("mnist") == revision + 1
            [event] = await watching.events(1)
    assert (after.cluster_id, after.member_id) == (before.cluster_id, before.member_id)
    assert (after.revision, after.raft_term) == (revision, before.raft_term + 1)
    assert (cancelled.canceled, cancelled.compact_revision) == (True, revision + 1)
    assert event.kv.key == api.key("mnist")


async def write_for_ever(api: EtcdApi, answered: dict[int, int], writer: int) -> None:
    """Pairs of keys, each pair with a lease; until the server is gone."""
    for number in itertools.count(1):
        lease = await api.grant()
        name = f"{writer}/{number:05}"
        await api.txn(api.putting(f"a/{name}", lease=lease), api.putting(f"b/{name}"))
        answered[writer] = number


async def killed_while_writing(registry: RegistryProcess, api: EtcdApi) -> dict[int, int]:
    answered: dict[int, int] = {}
    writers = [asyncio.ensure_future(write_for_ever(api, answered, writer)) for writer in range(20)]
    async with api.watching() as watching:
        await watching.create(key=api.key("a/"), range_end=b"\x00")
        await watching.events(200)
        registry.kill()
        for writer in writers:
            code, _ = await refused(writer)
            assert code == grpc.StatusCode.UNAVAILABLE
    return answered


@pytest.mark.parametrize("repetition", range(3))
async def test_what_was_answered_survives_a_kill_and_nothing_is_half_written(
    path: Path, repetition: int
) -> None:
    with running(path) as registry:
        async with dialled(registry.address) as api:
            answered = await killed_while_writing(registry, api)
        registry.start()
        async with dialled(registry.address) as again:
            written = (await again.kv.Range(rpc_pb2.RangeRequest(key=api.prefix, range_end=api.end))).kvs
            revision = (await again.all()).header.revision
    names = api.names(written)
    pairs = [{name[2:] for name in names if name.startswith(side)} for side in ("a/", "b/")]
    assert pairs[0] == pairs[1]
    assert {f"{writer}/{n:05}" for writer, last in answered.items() for n in range(1, last + 1)} <= pairs[0]
    assert revision == 1 + len(pairs[0])


async def test_after_a_kill_each_lease_has_its_whole_time_again(path: Path) -> None:
    with running(path) as registry:
        async with dialled(registry.address) as api:
            kept, given_up = await api.grant(3), await api.grant(3)
            await api.txn(api.putting("kept", lease=kept), api.putting("given up", lease=given_up))
        registry.kill()
        registry.start()
        async with dialled(registry.address) as again, again.watching() as watching:
            await watching.create(key=api.prefix, range_end=api.end)
            keeping = again.leases.LeaseKeepAlive()
            deleted = asyncio.ensure_future(watching.events(1))
            while not deleted.done():
                await keeping.write(rpc_pb2.LeaseKeepAliveRequest(ID=kept))
                assert (await soon(keeping.read())).TTL == 3
                await asyncio.wait([deleted], timeout=0.5)
            keeping.cancel()
            [event] = deleted.result()
    assert event.kv.key == api.key("given up")


async def test_a_client_that_vanishes_is_forgotten_without_a_word(path: Path) -> None:
    with running(path) as registry:
        async with dialled(registry.address) as api:
            for _ in range(20):
                stream = api.watching()
                await stream.create()
            await api.put("iris")
        async with dialled(registry.address) as api:
            assert await api.put("mnist") == 3
        assert registry.stop() == ""


async def test_a_client_that_does_not_read_loses_its_watch_and_nobody_else_anything(path: Path) -> None:
    big = bytes(1024 * 1024)
    async with (
        embedded_serving(path, "127.0.0.1:0", clock=LoopClock()) as address,
        dialled(address) as slow_api,
        dialled(address) as api,
        slow_api.watching() as slow,
        api.watching() as quick,
    ):
        await slow.create(key=api.prefix, range_end=api.end)
        await quick.create()
        revisions = []
        for _ in range(40):  # more than the history keeps
            revisions.append(await api.put("iris", big))
            assert [event.kv.mod_revision for event in await quick.events(1)] == revisions[-1:]
        answer = await slow.next()
        while answer.events:
            answer = await slow.next()
    assert answer.canceled
    assert 1 < answer.compact_revision <= revisions[-1]
