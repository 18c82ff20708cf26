"""The runtime SPI, `mmesh.ModelRuntime`, for a foreign mesh that uses us as its adapter and puller.

Reference: runtime adapter 1, 2.10, 3.2; ModelMesh core 1.5.
"""

from typing import Protocol

import grpc

from adapter.domain.errors import MethodNotPermitted, RuntimeUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import LoadedModel, RuntimeState, RuntimeStatus
from adapter.servers.grpc_server import Answering, Context, method_handler, named_model
from adapter.stubs.mmesh import model_runtime_pb2 as spi

SERVICE = "mmesh.ModelRuntime"

_UINT32_MAX = 2**32 - 1


class RuntimeSpi(Protocol):
    """What the program must offer."""

    async def status(self) -> RuntimeStatus:
        """The runtime's state; once it is READY, no model is loaded. May raise `RuntimeUnavailable`."""
        ...

    async def load(self, model: ModelId, info: ModelInfo) -> LoadedModel:
        """Pull and load. May be cancelled; an unload follows."""
        ...

    async def unload(self, model: ModelId) -> None:
        """Unload, and delete the files; a model that is not there is fine."""
        ...

    async def size(self, model: ModelId) -> int | None:
        """Bytes in memory; None if this runtime cannot tell."""
        ...

    async def predict_size(self, model: ModelId, info: ModelInfo) -> int | None:
        """Bytes in memory if it were loaded; None if nobody can tell."""
        ...


def model_runtime_handlers(runtime: RuntimeSpi) -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers of the service."""
    service = _Service(runtime)
    methods = {
        "loadModel": method_handler(service.load, spi.LoadModelRequest),
        "unloadModel": method_handler(service.unload, spi.UnloadModelRequest),
        "predictModelSize": method_handler(service.predict_size, spi.PredictModelSizeRequest),
        "modelSize": method_handler(service.size, spi.ModelSizeRequest),
        "runtimeStatus": method_handler(service.status, spi.RuntimeStatusRequest),
    }
    return (grpc.method_handlers_generic_handler(SERVICE, methods),)


class _Service:
    """Messages to calls of the program, and back."""

    def __init__(self, runtime: RuntimeSpi) -> None:
        self._runtime = runtime

    async def load(self, request: spi.LoadModelRequest, context: Context) -> spi.LoadModelResponse:
        async with Answering(context, "loadModel"):
            loaded = await self._runtime.load(named_model(request.modelId), _model_info(request))
            return spi.LoadModelResponse(
                sizeInBytes=loaded.size_bytes or 0, maxConcurrency=loaded.concurrency_max or 0
            )

    async def unload(self, request: spi.UnloadModelRequest, context: Context) -> spi.UnloadModelResponse:
        async with Answering(context, "unloadModel"):
            await self._runtime.unload(named_model(request.modelId))
            return spi.UnloadModelResponse()

    async def predict_size(
        self, request: spi.PredictModelSizeRequest, context: Context
    ) -> spi.PredictModelSizeResponse:
        async with Answering(context, "predictModelSize"):
            size_bytes = await self._runtime.predict_size(named_model(request.modelId), _model_info(request))
            return spi.PredictModelSizeResponse(sizeInBytes=_told(size_bytes))

    async def size(self, request: spi.ModelSizeRequest, context: Context) -> spi.ModelSizeResponse:
        async with Answering(context, "modelSize"):
            return spi.ModelSizeResponse(
                sizeInBytes=_told(await self._runtime.size(named_model(request.modelId)))
            )

    async def status(self, _request: spi.RuntimeStatusRequest, context: Context) -> spi.RuntimeStatusResponse:
        async with Answering(context, "runtimeStatus"):
            try:
                return _status_response(await self._runtime.status())
            except RuntimeUnavailable:
                # A mesh takes an error for one too many; a runtime that is not up yet is starting.
                return spi.RuntimeStatusResponse()


def _told(size_bytes: int | None) -> int:
    if size_bytes is None:
        raise MethodNotPermitted("this runtime tells no sizes")
    return size_bytes


def _model_info(request: spi.LoadModelRequest | spi.PredictModelSizeRequest) -> ModelInfo:
    return ModelInfo(type=request.modelType, path=request.modelPath, key=request.modelKey)


_STATES = {
    RuntimeState.STARTING: spi.RuntimeStatusResponse.STARTING,
    RuntimeState.READY: spi.RuntimeStatusResponse.READY,
    RuntimeState.FAILING: spi.RuntimeStatusResponse.FAILING,
}


def _status_response(status: RuntimeStatus) -> spi.RuntimeStatusResponse:
    """Before READY everything but the state is zero, as the adapters of ModelMesh have it."""
    if status.state is not RuntimeState.READY:
        return spi.RuntimeStatusResponse(status=_STATES[status.state])
    method_info = spi.RuntimeStatusResponse.MethodInfo
    return spi.RuntimeStatusResponse(
        status=_STATES[status.state],
        capacityInBytes=status.capacity_bytes,
        maxLoadingConcurrency=status.loading_concurrency,
        modelLoadingTimeoutMs=min(round(status.loading_timeout_s * 1e3), _UINT32_MAX),
        defaultModelSizeInBytes=status.default_model_bytes,
        runtimeVersion=status.version,
        methodInfos={name: method_info(idInjectionPath=path) for name, path in status.methods.items()},
        limitModelConcurrency=status.limit_model_concurrency,
        allowAnyMethod=status.any_method,
    )
