"""Instances ask each other: from `PeerChannels` over two relays on the loopback to the service, and back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from adapter.aio.clock import LoopClock
from adapter.domain.errors import AdapterError, Code, ModelTooBig, PeerUnreachable, RuntimeFailed
from adapter.domain.ids import InstanceId, ModelId
from adapter.http2.verdicts import Plan
from adapter.mesh.explain_facts import Explanation, Recalled, State
from adapter.peers.channels import PeerChannels
from adapter.servers.grpc_server import serving
from adapter.servers.peer import MESH_SERVICE, PEER_SERVICE, mesh_handlers, peer_handlers
from adapter.servers.peer_tls import PeersTls, peers_tls
from adapter.servers.relay_server import RelayServer, relaying
from adapter.servers.tls import HTTP2, KeyPair, ServerTls, TlsFiles
from adapter.stubs.mesh import mesh_pb2 as mesh
from adapter.stubs.mesh.mesh_pb2_grpc import MeshStub
from tests.fakes.waiting_router import WaitingRouter
from tests.integration import certificates

IRIS = ModelId("iris")
B = InstanceId("b")


@dataclass
class FakePeer:
    """An instance that remembers what it was asked."""

    instance: InstanceId = B
    boot: str = "boot-1"
    loads: list[tuple[ModelId, bytes, int, bool, str]] = field(default_factory=list)
    problem: AdapterError | None = None
    holds: bool = False
    given_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(
        self, model: ModelId, *, record: bytes, last_used_ms: int, wait: bool, because: str
    ) -> bool:
        self.loads.append((model, record, last_used_ms, wait, because))
        if self.problem is not None:
            raise self.problem
        try:
            while self.holds:
                await LoopClock().sleep(0.01)
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        return wait

    def recall(self, model: ModelId) -> Recalled:
        return Recalled(state=f"{model} is active", since="asked", departed_ms=7, size_bytes=9)

    async def explain(self, name: str) -> Explanation:
        if name == "broken":
            raise RuntimeFailed("no")
        return Explanation(
            name=name, state=State.COLD, cause="It was evicted.", cure="Ask.", refused=("b: full",)
        )


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """An instance that asks, and one that answers."""

    channels: PeerChannels
    asking: RelayServer
    answering: RelayServer
    peer: FakePeer
    address: str


@asynccontextmanager
async def a_mesh(folder: Path, tls: PeersTls | None = None) -> AsyncIterator[Mesh]:
    peer, router = FakePeer(), WaitingRouter()
    async with AsyncExitStack() as stack:
        own = f"unix:{folder / 'own.sock'}"
        await stack.enter_async_context(serving(own, (*peer_handlers(peer), *mesh_handlers(peer))))
        answering = await stack.enter_async_context(relaying(router, clock=LoopClock()))
        door = answering.upstream(own)
        for method in ("hello", "load", "recall"):
            router.plans[f"{PEER_SERVICE}/{method}"] = Plan(door=door)
        router.plans[f"{MESH_SERVICE}/explain"] = Plan(door=door)
        served = None if tls is None else TlsFiles(tls.server, alpn=HTTP2).context
        port = await answering.listen("127.0.0.1:0", tls=served, peers=True)
        asking = await stack.enter_async_context(relaying(WaitingRouter(), clock=LoopClock()))
        channels = PeerChannels()
        channels.join(asking, tls=None if tls is None else TlsFiles(tls.client, alpn=HTTP2))
        channels.keep({B: f"127.0.0.1:{port}"})
        yield Mesh(
            channels=channels, asking=asking, answering=answering, peer=peer, address=f"127.0.0.1:{port}"
        )


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with a_mesh(tmp_path) as made:
        yield made


async def test_an_instance_says_who_it_is(up: Mesh) -> None:
    assert await up.channels.hello(up.address) == (B, "boot-1")
    await LoopClock().sleep(1.0)
    assert not up.asking.relay.upstreams, "it was asked once"


async def test_a_load_is_asked_for_with_all_that_is_known(up: Mesh) -> None:
    loaded = await up.channels.load(
        B, IRIS, record=b"{}", last_used_ms=3, wait=True, because="b is free", timeout_s=5
    )
    assert loaded
    assert not await up.channels.load(B, IRIS, timeout_s=5)
    assert up.peer.loads == [(IRIS, b"{}", 3, True, "b is free"), (IRIS, b"", 0, False, "")]


async def test_a_refused_load_is_the_same_error_here(up: Mesh) -> None:
    up.peer.problem = ModelTooBig("iris needs 9 GiB")
    with pytest.raises(ModelTooBig, match="iris needs 9 GiB"):
        await up.channels.load(B, IRIS, timeout_s=5)


async def test_what_an_instance_recalls_comes_whole(up: Mesh) -> None:
    assert await up.channels.recall(B, IRIS, timeout_s=5) == up.peer.recall(IRIS)


async def test_all_calls_share_one_connection(up: Mesh) -> None:
    await asyncio.gather(*(up.channels.recall(B, IRIS, timeout_s=5) for _ in range(20)))
    assert up.asking.relay.shared.counts.upstream_connections_opened == 1


async def test_a_slow_instance_is_unreachable_in_time(up: Mesh) -> None:
    up.peer.holds = True
    with pytest.raises(PeerUnreachable, match=r"instance b did not answer load: no answer within 0\.2 s"):
        await up.channels.load(B, IRIS, wait=True, timeout_s=0.2)
    await asyncio.wait_for(up.peer.given_up.wait(), 5)


async def test_who_does_not_wait_any_more_ends_the_call(up: Mesh) -> None:
    up.peer.holds = True
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(up.channels.load(B, IRIS, wait=True, timeout_s=None))
        while not up.peer.loads:
            await LoopClock().sleep(0.01)
        asking.cancel()
    await asyncio.wait_for(up.peer.given_up.wait(), 5)


async def test_an_instance_that_is_gone_is_not_asked(up: Mesh) -> None:
    await up.channels.recall(B, IRIS, timeout_s=5)
    up.channels.keep({})
    assert not up.asking.relay.upstreams
    with pytest.raises(PeerUnreachable, match="instance b is not there any more"):
        await up.channels.recall(B, IRIS, timeout_s=5)


async def test_an_instance_that_has_moved_is_asked_where_it_is(up: Mesh) -> None:
    up.channels.keep({B: "127.0.0.1:1"})
    with pytest.raises(
        PeerUnreachable, match="instance b did not answer recall: instance b cannot be reached"
    ):
        await up.channels.recall(B, IRIS, timeout_s=5)
    up.channels.keep({B: up.address})
    assert await up.channels.recall(B, IRIS, timeout_s=5)


async def test_before_the_relay_is_there_nobody_is_asked() -> None:
    with pytest.raises(PeerUnreachable, match="not yet able"):
        await PeerChannels().hello("127.0.0.1:1")


async def test_instances_speak_tls_without_regard_to_names(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    key = tmp_path / "encrypted.key"
    key.write_bytes(certificates.encrypted(made.instance_key))
    pair = KeyPair(cert_path=made.instance, key_path=key, passphrase=certificates.PASSPHRASE)
    async with a_mesh(tmp_path, peers_tls(ServerTls(pair=pair))) as up:
        assert await up.channels.hello(up.address) == (B, "boot-1")
        plain = PeerChannels()
        plain.join(up.asking, tls=None)
        with pytest.raises(PeerUnreachable):
            await plain.hello(up.address)


async def test_people_are_told_what_is_known(up: Mesh) -> None:
    async with grpc.aio.insecure_channel(up.address) as channel:
        explain = MeshStub(channel).explain
        said = await explain(mesh.ExplainRequest(name="iris"))
        assert (said.name, said.state, said.cause, said.cure) == ("iris", "cold", "It was evicted.", "Ask.")
        assert list(said.refused) == ["b: full"]
        for name, code in (("", Code.INVALID_ARGUMENT), ("broken", Code.INTERNAL)):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await explain(mesh.ExplainRequest(name=name))
            assert raised.value.code().value[0] == code
