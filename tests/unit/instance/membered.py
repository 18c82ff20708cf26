"""One instance of a small mesh (`meshed`), and what a test can ask of it and do to it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import grpc
from google.protobuf.message import Message

from adapter.aio.clock import LoopClock
from adapter.cache.model_cache import ModelCache
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyRules, ModelInfo
from adapter.domain.status import ModelReport, ModelStatus
from adapter.http2.verdicts import Answer
from adapter.instance.assembly import Runtime
from adapter.instance.loader import Loader
from adapter.instance.models import Models
from adapter.instance.parts import Parts
from adapter.instance.runtime_watch import RuntimeWatch
from adapter.instance.settings import InstanceSettings
from adapter.mesh.vmodels import SetVModel
from adapter.servers.payload_processors import PayloadProcessors
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.telemetry.metrics import Metrics
from adapter.wire.headers import ModelRef, Pair, RefKind
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.provisioner import FakeProvisioner
from tests.fakes.relay_behind import AnsweringRuntime, HandlingDoor
from tests.fakes.relay_wires import WiredRelay
from tests.fakes.runtime import FakeRuntime
from tests.unit.instance.channels import FakeChannel

INFO: Final = ModelInfo(type="sklearn", path="x")
INFER: Final = "inference.GRPCInferenceService/ModelInfer"
PREFIX: Final = "/tas-runtime/mm/"
EPOCH_MS: Final = 1_760_000_000_000
"""When virtual time begins."""
MODEL_BYTES: Final = 1000
"""What a model takes, unless its instance's runtime says otherwise."""


class VirtualClock(LoopClock):
    """Its dates move with the loop's time; `skew_ms` puts them wrong."""

    skew_ms = 0

    def epoch_ms(self) -> int:
        return EPOCH_MS + self.skew_ms + round(self.now_s() * 1e3)


class NamingRuntime(Runtime):
    """Knows models by names of its own."""

    def name_of(self, model: ModelId) -> str:
        return f"runtime's {model}"


@dataclass(kw_only=True)
class AnInstance:
    """One of the mesh: its parts, and the fakes that know the truth."""

    name: str
    settings: InstanceSettings
    parts: Parts
    runtime: FakeRuntime
    disk: FakeProvisioner
    channel: FakeChannel
    registry: MemoryRegistry
    server: WiredRelay
    inference: AnsweringRuntime
    """The runtime's other side, where it is asked."""
    door: HandlingDoor
    payloads: PayloadProcessors

    @property
    def id(self) -> InstanceId:
        return self.parts.state.here

    @property
    def cache(self) -> ModelCache:
        return self.parts.cache

    @property
    def loader(self) -> Loader:
        return self.parts.loader

    @property
    def models(self) -> Models:
        return self.parts.models

    @property
    def watch(self) -> RuntimeWatch:
        return self.parts.watch

    @property
    def clock(self) -> VirtualClock:
        return cast("VirtualClock", self.parts.clock)

    @property
    def metrics(self) -> Metrics:
        return self.parts.metrics

    # What it is asked.

    async def registered(
        self, name: str, info: ModelInfo = INFO, *, rules: CopyRules | None = None, load: bool = False
    ) -> ModelId:
        """Register here."""
        model = ModelId(name)
        await self.models.register(model, info, load_now=load, sync=load, last_used_ms=0, rules=rules)
        return model

    async def aliased(self, vmodel: str, target: str, **asked: Any) -> None:
        """Have the alias stand for the model, which is registered."""
        await self.parts.vmodels.set(SetVModel(vmodel=vmodel, target=ModelId(target), **asked))

    async def load(self, model: ModelId) -> None:
        """Have it loaded wherever it belongs."""
        await self.models.repository_load(ModelRef(RefKind.MODEL, model))

    async def load_here(self, name: str, *, used_ago_s: float = 0.0) -> ModelId:
        """Have a registered one loaded here, wherever it belongs."""
        model, used_s = ModelId(name), self.clock.now_s() - used_ago_s
        record = await self.parts.records.get(model)
        pinned = record is not None and record.rules.pinned
        if not used_ago_s:
            await self.loader.load(model, INFO, used_s=used_s, pinned=pinned or None)
            return model
        self.loader.start_load(model, INFO, used_s=used_s, pinned=pinned or None)
        while not self.holds(name):  # noqa: ASYNC110 - its runtime is a fake, who tells nobody
            await asyncio.sleep(0.01)
        return model

    async def status(self, name: str) -> ModelStatus:
        report: ModelReport = await self.models.status(ModelId(name))
        return report.status

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

    async def at_the_door(self, method: str, request: Message) -> Answer:
        """Call something that is not inference."""
        return await self.ask(request.SerializeToString(), method=method, metadata=())

    # What it knows.

    def holds(self, name: str) -> bool:
        """Whether the runtime holds the model."""
        return ModelId(name) in self.runtime.held

    def sees(self, name: str) -> dict[str, CopyRecord]:
        """The model's copies, by instance, as this one sees them."""
        return {str(id_): copy for id_, copy in self.parts.ways.copies(ModelId(name)).items()}

    # What a test does to it.

    def offers(self, **methods: tuple[int, ...]) -> None:
        """What the runtime says that it offers, by the bare names of V2's service."""
        offered = {f"inference.GRPCInferenceService/{name}": path for name, path in methods.items()}
        self.watch._status = replace(self.watch.status, methods=offered)

    def crash_runtime(self) -> None:
        """`kill -9` of it."""
        self.runtime.crash()
        self.inference.go_down()
        self.channel.turn(grpc.ChannelConnectivity.TRANSIENT_FAILURE)

    def restart_runtime(self) -> None:
        self.runtime.restart()
        self.inference.up = True
        self.channel.turn(grpc.ChannelConnectivity.READY)
