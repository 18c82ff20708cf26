"""A request path between a relay and a runtime that answers, without sockets and in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from adapter.domain.errors import Code
from adapter.domain.ids import ModelId
from adapter.http2.flow import Limits
from adapter.http2.upstream import Upstream
from adapter.http2.verdicts import Answer
from adapter.instance.doors import Doors
from adapter.instance.observers import Observers
from adapter.instance.request_path import RequestPath
from adapter.instance.several import Several
from adapter.servers.payload_processors import Outlet, PayloadProcessors
from adapter.servers.relay_server import RelayServer
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.telemetry.request_log import RequestLogHeaders
from adapter.wire.dataplane import DEFAULT_DATAPLANE, DataplaneConfig
from adapter.wire.headers import Pair
from tests.fakes.relay_outlet import FakeOutlet
from tests.fakes.relay_peers import FakeRuntime, Seen
from tests.unit.instance.conftest import AnInstance

INFER = "inference.GRPCInferenceService/ModelInfer"


class WakingOutlet(FakeOutlet):
    """Has its reader look, soon after something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.reader: AnsweringRuntime | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.reader is not None:
            asyncio.get_running_loop().call_soon(self.reader.look)


@dataclass(slots=True)
class AnsweringRuntime:
    """Gives each message back, unless it is told to fail or to hold its answers."""

    peer: FakeRuntime
    asked: list[Seen] = field(default_factory=list)
    failures: list[tuple[Code, str]] = field(default_factory=list)
    """What the next calls are answered, one each."""
    holds: bool = False
    """Calls are not answered, until `answer_all`."""

    def look(self) -> None:
        """Take what has come, and answer it."""
        self.peer.look()
        for seen in self.peer.calls:
            if seen.ended and seen not in self.asked:
                self.asked.append(seen)
                if self.failures:
                    self.peer.fail(seen.id, *self.failures.pop(0))
                elif not self.holds:
                    self.peer.answer(seen.id, seen.data[5:])

    def answer_all(self) -> None:
        self.holds = False
        for seen in self.asked:
            if seen.reset is None:
                self.peer.answer(seen.id, seen.data[5:])

    @property
    def headers(self) -> dict[str, str]:
        """Of the last call."""
        return self.asked[-1].blocks[0]

    @property
    def message(self) -> bytes:
        return self.asked[-1].data[5:]


@dataclass(slots=True, kw_only=True)
class Relayed:
    """The parts, and a way to ask."""

    instance: AnInstance
    path: RequestPath
    server: RelayServer
    doors: Doors
    runtime: AnsweringRuntime
    payloads: PayloadProcessors

    async def ask(
        self,
        message: bytes = b"",
        *,
        method: str = "any.Service/Method",
        metadata: Sequence[Pair] = (("mm-model-id", "iris"),),
        timeout_s: float | None = None,
    ) -> Answer:
        return await self.server.unary(method, message, metadata=metadata, timeout_s=timeout_s)

    async def infer(self, name: str = "iris", *, timeout_s: float | None = None) -> Answer:
        """Ask as V2 has it, with the model's name in the message alone."""
        message = v2.ModelInferRequest(model_name=name, id="7").SerializeToString()
        return await self.ask(message, method=INFER, metadata=(), timeout_s=timeout_s)

    def methods(self, **methods: tuple[int, ...]) -> None:
        """What the runtime says that it offers, by the bare names of V2's service."""
        watch = self.instance.watch
        offered = {f"inference.GRPCInferenceService/{name}": path for name, path in methods.items()}
        watch._status = replace(watch.status, methods=offered)


@asynccontextmanager
async def relayed(
    instance: AnInstance,
    *,
    dataplane: DataplaneConfig = DEFAULT_DATAPLANE,
    outlets: Sequence[Outlet] = (),
    log_headers: str = "",
    log_each: bool = False,
) -> AsyncIterator[Relayed]:
    """Everything is ended with the block."""
    doors, several = Doors(), Several(instance.models, at_once_max=2)
    payloads = PayloadProcessors([*outlets], instance.clock)
    path = RequestPath(
        models=instance.models,
        cache=instance.cache,
        loader=instance.loader,
        clock=instance.clock,
        dataplane=dataplane,
        watch=instance.watch,
        runtime_name=lambda model: f"runtime's {model}",
        doors=doors,
        observers=Observers(
            metrics=instance.metrics.requests,
            payloads=payloads,
            log_headers=RequestLogHeaders.parse(log_headers),
            log_each=log_each,
        ),
        several=several,
    )
    async with asyncio.TaskGroup() as owner:
        server = RelayServer(path, owner, instance.clock, Limits())
        several.calls = server
        runtime = _runtime_of(server, path)
        ticking = owner.create_task(server.keep_time())
        sending = owner.create_task(payloads.run())
        yield Relayed(
            instance=instance, path=path, server=server, doors=doors, runtime=runtime, payloads=payloads
        )
        ticking.cancel()
        sending.cancel()


def _runtime_of(server: RelayServer, path: RequestPath) -> AnsweringRuntime:
    outlet = WakingOutlet()
    runtime = AnsweringRuntime(FakeRuntime(outlet, server.flush))

    def connected(upstream: Upstream) -> None:
        runtime.peer.connection = upstream.connected(outlet)
        server.flush()
        runtime.peer.look()
        runtime.peer.greet()
        outlet.reader = runtime
        runtime.look()

    def connect(upstream: Upstream) -> None:
        asyncio.get_running_loop().call_soon(connected, upstream)

    path.join(server.relay.upstream("runtime", connect))
    return runtime


def holds(instance: AnInstance, name: str) -> bool:
    """Whether the runtime holds the model."""
    return ModelId(name) in instance.runtime.held
