"""The management API, `mmesh.ModelMesh`: register models, forget them, ask after them, have them loaded.

Rules and texts are ModelMesh's (reference: ModelMesh core 1.3), and so are the older names of the methods
(1.6). A load that fails is told in the answer, not by an error.
"""

from typing import Protocol

import grpc
from google.protobuf.message import Message

from adapter.domain.errors import InvalidRequest, MethodNotPermitted
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.status import ModelReport, ModelStatus
from adapter.servers.grpc_server import Answering, Context, method_handler, named_model
from adapter.stubs.mmesh import model_mesh_pb2 as mm

SERVICE = "mmesh.ModelMesh"
LEGACY_SERVICE = "com.ibm.watson.tas.proto.TasRuntime"


class Management(Protocol):
    """What the program must offer. All of it may raise `RegistryUnavailable`."""

    async def register(
        self, model: ModelId, info: ModelInfo, *, load_now: bool, sync: bool, last_used_ms: int
    ) -> ModelReport:
        """Register; the same again is fine. With `sync` and `load_now`, wait until the load has ended.

        `last_used_ms` 0 stands for a default. Raises `ModelExists` if it is there with other attributes.
        """
        ...

    async def unregister(self, model: ModelId) -> None:
        """Forget the model; one that is not there is fine."""
        ...

    async def status(self, model: ModelId) -> ModelReport:
        """What is known; for a model that is not registered, the status NOT_FOUND."""
        ...

    async def ensure_loaded(self, model: ModelId, *, sync: bool, last_used_ms: int) -> ModelReport:
        """Load it if it is not loaded; `last_used_ms` 0 stands for now. Raises `ModelNotFound`."""
        ...


def management_handlers(management: Management) -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers of the service, and of the names it had before."""
    service = _Service(management)
    methods = {
        "registerModel": method_handler(service.register, mm.RegisterModelRequest),
        "unregisterModel": method_handler(service.unregister, mm.UnregisterModelRequest),
        "getModelStatus": method_handler(service.status, mm.GetStatusRequest),
        "ensureLoaded": method_handler(service.ensure_loaded, mm.EnsureLoadedRequest),
        "setVModel": method_handler(service.no_vmodels, mm.SetVModelRequest),
        "deleteVModel": method_handler(service.no_vmodels, mm.DeleteVModelRequest),
        "getVModelStatus": method_handler(service.no_vmodels, mm.GetVModelStatusRequest),
    }
    methods["addModel"] = methods["registerModel"]
    methods["deleteModel"] = methods["unregisterModel"]
    return tuple(
        grpc.method_handlers_generic_handler(service_name, methods)
        for service_name in (SERVICE, LEGACY_SERVICE)
    )


class _Service:
    """Messages to calls of the program, and back."""

    def __init__(self, management: Management) -> None:
        self._management = management

    async def register(self, request: mm.RegisterModelRequest, context: Context) -> mm.ModelStatusInfo:
        async with Answering(context, "registerModel"):
            model = named_model(request.modelId)
            if not request.modelInfo.type:
                raise InvalidRequest("modelInfo must have a non-empty model type string")
            report = await self._management.register(
                model,
                _model_info(request.modelInfo),
                load_now=request.loadNow,
                sync=request.sync,
                last_used_ms=request.lastUsedTime,
            )
            return _status_info(report)

    async def unregister(
        self, request: mm.UnregisterModelRequest, context: Context
    ) -> mm.UnregisterModelResponse:
        async with Answering(context, "unregisterModel"):
            await self._management.unregister(named_model(request.modelId))
            return mm.UnregisterModelResponse()

    async def status(self, request: mm.GetStatusRequest, context: Context) -> mm.ModelStatusInfo:
        async with Answering(context, "getModelStatus"):
            return _status_info(await self._management.status(named_model(request.modelId)))

    async def ensure_loaded(self, request: mm.EnsureLoadedRequest, context: Context) -> mm.ModelStatusInfo:
        async with Answering(context, "ensureLoaded"):
            report = await self._management.ensure_loaded(
                named_model(request.modelId), sync=request.sync, last_used_ms=request.lastUsedTime
            )
            return _status_info(report)

    async def no_vmodels(self, _request: Message, context: Context) -> Message:
        async with Answering(context, "setVModel"):
            raise MethodNotPermitted("vmodels not supported")


def _model_info(info: mm.ModelInfo) -> ModelInfo:
    return ModelInfo(type=info.type, path=info.path, key=info.key)


def _status_info(report: ModelReport) -> mm.ModelStatusInfo:
    return mm.ModelStatusInfo(
        status=_STATUS[report.status],
        errors=report.errors,
        modelCopyInfos=[
            mm.ModelStatusInfo.ModelCopyInfo(
                location=copy.instance, copyStatus=_STATUS[copy.status], time=copy.since_ms
            )
            for copy in report.copies
        ],
    )


_STATUS = {status: mm.ModelStatusInfo.ModelStatus.Value(status.name) for status in ModelStatus}
