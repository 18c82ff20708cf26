"""Any server that implements `mmesh.ModelRuntime` itself (reference: ModelMesh core 1.5)."""

import grpc

from adapter.domain.errors import (
    AdapterError,
    LoadTimedOut,
    ModelCorrupt,
    RuntimeFailed,
)
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import LoadedModel, RuntimeState, RuntimeStatus
from adapter.drivers.calls import STATUS_S_MAX, UNLOAD_S_MAX, our_words
from adapter.stubs.mmesh import model_runtime_pb2 as spi
from adapter.stubs.mmesh.model_runtime_pb2_grpc import ModelRuntimeStub

SIZE_S_MAX = 30.0
PREDICT_S_MAX = 0.5

_STATES = {
    spi.RuntimeStatusResponse.STARTING: RuntimeState.STARTING,
    spi.RuntimeStatusResponse.READY: RuntimeState.READY,
    spi.RuntimeStatusResponse.FAILING: RuntimeState.FAILING,
}


class ModelRuntimeDriver:
    """Drives one runtime through ModelMesh's SPI. The runtime empties itself before it says READY."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ModelRuntimeStub(channel)
        self._predicts = True

    async def status(self) -> RuntimeStatus:
        """The state, as told; a runtime may drop all its models whenever it is asked."""
        try:
            told = await self._stub.runtimeStatus(spi.RuntimeStatusRequest(), timeout=STATUS_S_MAX)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return RuntimeStatus(
                    state=RuntimeState.FAILING,
                    reason="the server at this address does not implement mmesh.ModelRuntime",
                )
            return RuntimeStatus(
                state=RuntimeState.STARTING, reason=f"{error.code().name}: {error.details()}"
            )
        return status_told(told)

    async def load(self, model: ModelId, info: ModelInfo, *, size_hint_bytes: int) -> LoadedModel:  # noqa: ARG002 - the protocol's
        """As the protocol has it; size 0 from the runtime means that it wants to be asked later."""
        request = spi.LoadModelRequest(
            modelId=model, modelType=info.type, modelPath=info.path, modelKey=info.key
        )
        with our_words(f"loading {model}", lambda code, text: load_refused(model, code, text)):
            loaded = await self._stub.loadModel(request)
        return LoadedModel(
            size_bytes=loaded.sizeInBytes or None, concurrency_max=loaded.maxConcurrency or None
        )

    async def unload(self, model: ModelId) -> None:
        request = spi.UnloadModelRequest(modelId=model)
        with our_words(f"unloading {model}"):
            try:
                await self._stub.unloadModel(request, timeout=UNLOAD_S_MAX)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise

    async def size_bytes(self, model: ModelId) -> int | None:
        request = spi.ModelSizeRequest(modelId=model)
        with our_words(f"measuring {model}"):
            try:
                told = await self._stub.modelSize(request, timeout=SIZE_S_MAX)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return None
                raise
        return told.sizeInBytes or None

    async def predicted_size_bytes(self, model: ModelId, info: ModelInfo) -> int | None:
        """What the model will take once loaded; None: the runtime cannot tell, or not soon enough."""
        if not self._predicts:
            return None
        request = spi.PredictModelSizeRequest(
            modelId=model, modelType=info.type, modelPath=info.path, modelKey=info.key
        )
        try:
            told = await self._stub.predictModelSize(request, timeout=PREDICT_S_MAX)
        except grpc.aio.AioRpcError as error:
            # Optional in the contract: who does not offer it is not asked again.
            self._predicts = error.code() is not grpc.StatusCode.UNIMPLEMENTED
            return None
        return told.sizeInBytes or None


def status_told(told: spi.RuntimeStatusResponse) -> RuntimeStatus:
    """The answer in our terms; a figure left out has its default, a state that nobody knows is FAILING."""
    state = _STATES.get(told.status, RuntimeState.FAILING)
    unset = RuntimeStatus(state=state)
    return RuntimeStatus(
        state=state,
        capacity_bytes=told.capacityInBytes,
        loading_concurrency=told.maxLoadingConcurrency or unset.loading_concurrency,
        loading_timeout_s=told.modelLoadingTimeoutMs / 1000 or unset.loading_timeout_s,
        default_model_bytes=told.defaultModelSizeInBytes or unset.default_model_bytes,
        version=told.runtimeVersion,
        methods={
            name.lstrip("/"): tuple(method.idInjectionPath) for name, method in told.methodInfos.items()
        },
        any_method=told.allowAnyMethod,
        limit_model_concurrency=told.limitModelConcurrency,
        reason="" if told.status in _STATES else f"the runtime's status {told.status} is unknown",
    )


def load_refused(model: ModelId, code: grpc.StatusCode, text: str) -> AdapterError | None:
    """What a failed load means; None: that the runtime is not there."""
    match code:
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return LoadTimedOut(f"the runtime gave up loading {model}: {text}")
        case grpc.StatusCode.DATA_LOSS:
            return ModelCorrupt(f"the runtime cannot read {model}: {text}")
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return None
        case _:
            # Runtimes use the other codes as they like, so only the words are passed on (ModelMesh core 1.5).
            return RuntimeFailed(f"{code.name}: {text}")
