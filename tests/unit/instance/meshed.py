"""A small mesh in one process and in virtual time: whole instances over one registry in memory.

    async with a_mesh("a", "b", "c") as mesh:
        await mesh["a"].register("iris")
        assert (await mesh["b"].infer("iris")).code is Code.OK

Each instance is joined as the program joins it, and starts as it starts. Its runtime and its disk are fakes
that know the truth, its relay has wires to the others in place of sockets, and its doors are in memory.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import grpc

from adapter.aio.groups import cancelled_at_the_end
from adapter.domain.errors import Code
from adapter.domain.ids import ModelId
from adapter.http2.flow import Limits
from adapter.http2.verdicts import Answer
from adapter.instance.assembly import Files
from adapter.instance.front import Front
from adapter.instance.instance import _take_place
from adapter.instance.joining import join
from adapter.instance.parts import Edges, Parts
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.settings import InstanceSettings
from adapter.instance.spi import predicts_nothing
from adapter.peers.channels import PeerChannels
from adapter.servers import management, peer
from adapter.servers.payload_processors import Outlet, PayloadProcessors
from adapter.telemetry.metrics import Metrics
from adapter.wire.dataplane import DEFAULT_DATAPLANE, DataplaneConfig
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.provisioner import FakeProvisioner
from tests.fakes.relay_behind import AnsweringRuntime, HandlingDoor
from tests.fakes.relay_wires import WiredRelay, Wires
from tests.fakes.runtime import FakeRuntime
from tests.unit.instance.channels import FakeChannel
from tests.unit.instance.membered import (
    EPOCH_MS,
    INFER,
    INFO,
    MODEL_BYTES,
    PREFIX,
    AnInstance,
    NamingRuntime,
    VirtualClock,
)

__all__ = [
    "EPOCH_MS",
    "INFER",
    "INFO",
    "MODEL_BYTES",
    "PREFIX",
    "AMesh",
    "AnInstance",
    "Given",
    "VirtualClock",
    "a_mesh",
    "all_of",
    "codes",
    "one_instance",
]


class Doors:
    """As much of a `Front` as an instance needs to take its place."""

    def __init__(self, name: str, server: WiredRelay, port: int) -> None:
        self.endpoints: dict[str, str] = {}
        self._name = name
        self._server = server
        self._port = port

    async def open_to_peers(self) -> None:
        self.endpoints["peer"] = f"{self._name}:{self._port}"
        self._server.wires.open(self.endpoints["peer"], self._name, self._server)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What an instance is made with."""

    capacity_bytes: int = 100_000
    slots: int = 2
    load_s: float = 0.0
    dataplane: DataplaneConfig = DEFAULT_DATAPLANE
    outlets: Sequence[Outlet] = ()
    skew_ms: int = 0
    peer_port: int = 8080
    settings: dict[str, Any] = field(default_factory=dict)


class AMesh:
    """Instances that come and go."""

    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        self.wires = Wires()
        self.instances: dict[str, AnInstance] = {}
        """Those that live, in the order in which they came."""
        self._ends: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}

    def __getitem__(self, name: str) -> AnInstance:
        return self.instances[name]

    def __iter__(self) -> "Any":
        return iter(self.instances.values())

    async def start(self, name: str, given: Given | None = None) -> AnInstance:
        """One more instance. Raises what its start raises."""
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        ready: asyncio.Future[AnInstance] = loop.create_future()
        running = loop.create_task(self._run(name, given or Given(), ready, end), name=f"instance {name}")
        waited: set[asyncio.Future[Any]] = {running, ready}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await running
        self._ends[name] = (running, end)
        self.instances[name] = ready.result()
        return ready.result()

    async def kill(self, name: str) -> None:
        """`kill -9`: its lease runs on."""
        self.wires.cut(name)
        del self.instances[name]
        running, end = self._ends.pop(name)
        end.set()
        await running

    async def leave(self, name: str) -> None:
        """As on SIGTERM."""
        parts = self[name].parts
        await parts.drain.leave()
        await parts.presence.close()
        await self.kill(name)

    def freeze(self, name: str) -> None:
        """It is not heard any more, as after SIGSTOP; its lease is kept, as if it had just been."""
        self.wires.frozen.add(name)

    # What is true of the mesh.

    def held(self, name: str) -> list[str]:
        """Whose runtimes hold the model."""
        return sorted(each.name for each in self if each.holds(name))

    def holder(self, name: str) -> AnInstance:
        """The one that holds the model."""
        (holder,) = self.held(name)
        return self[holder]

    def others(self, name: str) -> list[AnInstance]:
        """Those that do not hold the model."""
        return [each for each in self if not each.holds(name)]

    def loads(self, name: str) -> int:
        """How often the model was loaded, by all who live."""
        return sum(each.runtime.loads[ModelId(name)] for each in self)

    def keys(self, table: str) -> list[str]:
        """What stands in a table of the registry."""
        start = PREFIX + table
        return sorted(key.removeprefix(start) for key in self.registry.entries if key.startswith(start))

    def written(self, table: str) -> list[str]:
        """Each key that was written or deleted below a table, in order."""
        start = PREFIX + table
        return [
            change.key.removeprefix(start)
            for change in self.registry._history
            if change.key.startswith(start)
        ]

    async def until(self, holds: Callable[[], object], *, within_s: float = 30.0) -> float:
        """Wait until this is so; how long it took."""
        began_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110 - it is the truth of fakes, who tell nobody
                await asyncio.sleep(0.01)
        return asyncio.get_running_loop().time() - began_s

    async def _run(
        self, name: str, given: Given, ready: "asyncio.Future[AnInstance]", end: asyncio.Event
    ) -> None:
        async with cancelled_at_the_end() as owner:
            it, doors = await _joined(self, name, given, owner)
            await _take_place(it.settings, it.parts, cast("Front", doors))
            it.parts.announcer.announce(endpoints=doors.endpoints)
            ready.set_result(it)
            await end.wait()


async def _joined(mesh: AMesh, name: str, given: Given, owner: asyncio.TaskGroup) -> tuple[AnInstance, Doors]:
    settings = InstanceSettings(
        **{"service_name": "mm", "pod_name": name, "pod_address": name, "kv_store": "etcd:registry:2379"}
        | given.settings
    )
    clock, channel, metrics = VirtualClock(), FakeChannel(), Metrics(per_model=True)
    clock.skew_ms = given.skew_ms
    channel.turn(grpc.ChannelConnectivity.READY)
    driver = FakeRuntime(
        capacity_bytes=given.capacity_bytes,
        loading_concurrency=given.slots,
        default_model_bytes=MODEL_BYTES,
    )
    driver.load_s = given.load_s
    disk, payloads = FakeProvisioner(), PayloadProcessors([*given.outlets], clock)
    watch = RuntimeWatch(driver=driver, channel=cast("grpc.aio.Channel", channel), clock=clock)
    await watch.wait_ready(timeout_s=1.0)
    edges = Edges(
        runtime=NamingRuntime(
            channel=cast("grpc.aio.Channel", channel),
            driver=driver,
            predict=predicts_nothing,
            built_in=False,
        ),
        files=Files(provisioner=disk, purge=_nothing),
        registry=mesh.registry,
        channels=PeerChannels(),
        watch=watch,
        clock=clock,
        payloads=payloads,
        metrics=metrics,
        dataplane=given.dataplane,
    )
    parts = join(settings, edges, owner)
    owner.create_task(payloads.run(), name="payload processors")
    server, inference, door = _relayed(mesh, name, parts, owner)
    it = AnInstance(
        name=name,
        settings=settings,
        parts=parts,
        runtime=driver,
        disk=disk,
        channel=channel,
        registry=mesh.registry,
        server=server,
        inference=inference,
        door=door,
        payloads=payloads,
    )
    return it, Doors(name, server, given.peer_port)


def _relayed(
    mesh: AMesh, name: str, parts: Parts, owner: asyncio.TaskGroup
) -> tuple[WiredRelay, AnsweringRuntime, HandlingDoor]:
    """The relay of an instance, joined as `front` joins it."""
    server = WiredRelay(parts.path, owner, parts.clock, Limits())
    server.wires, server.instance = mesh.wires, name
    owner.create_task(server.keep_time(), name="keep the relay's time")
    inference = AnsweringRuntime(server)
    handlers = (
        *management.management_handlers(parts.models, parts.vmodels),
        *peer.peer_handlers(parts.peers),
        *peer.mesh_handlers(parts.explainer),
    )
    door = HandlingDoor(server, handlers, owner)
    parts.doors.door = door.upstream
    parts.several.calls = server
    parts.path.shadows.calls = server
    parts.path.join(inference.upstream)
    parts.links.channels.join(server, tls=None)
    parts.links.join(server, own=inference.upstream, tls=None)
    return server, inference, door


async def _nothing() -> None:
    """Nothing of ours is on the disk."""


@asynccontextmanager
async def a_mesh(*names: str, given: Given | None = None) -> AsyncIterator[AMesh]:
    """These instances, one after the other; all are ended with the block."""
    mesh = AMesh()
    try:
        for name in names:
            await mesh.start(name, given)
        await asyncio.sleep(0.1)
        yield mesh
        for each in mesh:
            each.cache.check()
    finally:
        for name in list(mesh.instances):
            await mesh.kill(name)


@asynccontextmanager
async def one_instance(given: Given | None = None) -> AsyncIterator[AnInstance]:
    """A mesh of one."""
    async with a_mesh("a", given=given) as mesh:
        yield mesh["a"]


def codes(answers: Sequence[Answer]) -> list[Code]:
    return [answer.code for answer in answers]


async def all_of(*asked: Awaitable[Answer]) -> list[Answer]:
    """These at once."""
    return list(await asyncio.gather(*asked))
