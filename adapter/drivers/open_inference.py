"""What runtimes with the V2 model repository extension share (reference: runtime adapter 3.2, 5.1).

One class, and a `Dialect` for each runtime: what its codes mean and what it tells.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import grpc

from adapter.domain.errors import AdapterError, LoadTimedOut
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import LoadedModel, RuntimeState, RuntimeStatus
from adapter.drivers.calls import STATUS_S_MAX, UNLOAD_S_MAX, our_words
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub

METHODS: Mapping[str, tuple[int, ...]] = {
    "inference.GRPCInferenceService/ModelInfer": (1,),
    "inference.GRPCInferenceService/ModelMetadata": (1,),
    # ModelMesh's adapters leave it out; a client that asks whether its model is ready must reach the model.
    "inference.GRPCInferenceService/ModelReady": (1,),
}

_WHOLE = re.compile(r"[0-9]{1,18}")

SIZE_TRAILER = "model-size-bytes"
"""Trailing metadata of a load, where a runtime measures what it loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeLimits:
    """What a runtime of this kind does not tell itself (reference: runtime adapter 3.1)."""

    capacity_bytes: int
    """Room for models: the memory of its container less a buffer."""
    loading_concurrency: int = 1
    loading_timeout_s: float = 30.0
    default_model_bytes: int = 1_000_000
    model_concurrency_max: int = 0
    """Calls at once to one model; 0: no limit."""
    version: str = "v1"
    """Told when the runtime tells none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRefusal:
    """A load that failed, as the runtime put it."""

    model: ModelId
    info: ModelInfo
    code: grpc.StatusCode
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What differs between runtimes of this kind."""

    server: str
    """Its name, for messages."""
    refused: Callable[[LoadRefusal], AdapterError | None]
    """What a failed load means; None: nothing that is certain."""
    unload_forgives: frozenset[grpc.StatusCode]
    """Codes of an unload that mean: it was not loaded."""


class OpenInferenceDriver:
    """Drives one runtime through the model repository extension.

    `name` says under which name the runtime knows a model, which is also that of its folder.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        dialect: Dialect,
        limits: RuntimeLimits,
        name: Callable[[ModelId], str] = str,
    ) -> None:
        self._stub = GRPCInferenceServiceStub(channel)
        self._dialect = dialect
        self._limits = limits
        self._name = name

    def __repr__(self) -> str:
        return f"<OpenInferenceDriver of {self._dialect.server}>"

    async def status(self) -> RuntimeStatus:
        """The state; before READY is answered, everything that the runtime holds is unloaded, every time."""
        try:
            ready = await self._stub.ServerReady(v2.ServerReadyRequest(), timeout=STATUS_S_MAX)
            if not ready.ready:
                return self._starting("it says that it is not ready yet")
            await self._unload_all()
            told = await self._stub.ServerMetadata(v2.ServerMetadataRequest(), timeout=STATUS_S_MAX)
        except grpc.aio.AioRpcError as error:
            return self._starting(f"{error.code().name}: {error.details()}")
        return RuntimeStatus(
            state=RuntimeState.READY,
            capacity_bytes=self._limits.capacity_bytes,
            loading_concurrency=self._limits.loading_concurrency,
            loading_timeout_s=self._limits.loading_timeout_s,
            default_model_bytes=self._limits.default_model_bytes,
            version=told.version or self._limits.version,
            methods=METHODS,
            limit_model_concurrency=self._limits.model_concurrency_max > 0,
        )

    async def load(self, model: ModelId, info: ModelInfo, *, size_hint_bytes: int) -> LoadedModel:
        """As the protocol has it; the size is the runtime's if it measures, else the hint."""

        def meaning(code: grpc.StatusCode, text: str) -> AdapterError | None:
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                return LoadTimedOut(f"{self._dialect.server} gave up loading {model}: {text}")
            return self._dialect.refused(LoadRefusal(model=model, info=info, code=code, text=text))

        call = self._stub.RepositoryModelLoad(v2.RepositoryModelLoadRequest(model_name=self._name(model)))
        with our_words(f"loading {model}", meaning):
            await call
            told = told_size(await call.trailing_metadata())
        return LoadedModel(
            size_bytes=size_hint_bytes if told is None else told,
            concurrency_max=self._limits.model_concurrency_max or None,
        )

    async def unload(self, model: ModelId) -> None:
        with our_words(f"unloading {model}"):
            await self._unload(self._name(model))

    async def size_bytes(self, model: ModelId) -> int | None:  # noqa: ARG002 - the protocol's
        """Never known later than at the load."""
        return None

    async def _unload_all(self) -> None:
        index = v2.RepositoryIndexRequest(ready=True)
        held = await self._stub.RepositoryIndex(index, timeout=STATUS_S_MAX)
        for entry in held.models:
            await self._unload(entry.name)

    async def _unload(self, name: str) -> None:
        request = v2.RepositoryModelUnloadRequest(model_name=name)
        try:
            await self._stub.RepositoryModelUnload(request, timeout=UNLOAD_S_MAX)
        except grpc.aio.AioRpcError as error:
            if error.code() not in self._dialect.unload_forgives:
                raise

    def _starting(self, reason: str) -> RuntimeStatus:
        return RuntimeStatus(state=RuntimeState.STARTING, reason=f"{self._dialect.server}: {reason}")


def told_size(trailers: grpc.aio.Metadata | None) -> int | None:
    """The size that a load's trailers tell, if they tell one."""
    told = trailers.get(SIZE_TRAILER) if trailers is not None else None
    return int(told) if told is not None and _WHOLE.fullmatch(str(told)) else None
