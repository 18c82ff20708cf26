"""The management API, `mmesh.ModelMesh`: register, forget and load models, ask after them, set their aliases.

Rules and texts are ModelMesh's (reference: ModelMesh core 1.3, 1.4), and so are the older names of the
methods (1.6). A load that fails is told in the answer, not by an error. `copyRules` and `split` are ours.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import grpc

from adapter.domain.errors import InvalidRequest, MethodNotPermitted, ModelNotFound
from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules, ModelInfo
from adapter.domain.status import ModelReport, ModelStatus
from adapter.mesh.vmodel_states import VModelStatus
from adapter.mesh.vmodels import SetVModel, Split, VModelReport
from adapter.servers.grpc_server import Answering, Context, method_handler, named_model
from adapter.stubs.mmesh import model_mesh_pb2 as mm

SERVICE = "mmesh.ModelMesh"
LEGACY_SERVICE = "com.ibm.watson.tas.proto.TasRuntime"

LOG_STATE: Final = "***LOGCACHE***"
GET_STATE: Final = "***GETSTATE***"
"""Names of no models: asked after, they write what this instance knows into its log, or tell it as errors."""

log = logging.getLogger(__name__)


class Management(Protocol):
    """What the program must offer. All of it may raise `RegistryUnavailable`."""

    async def register(
        self,
        model: ModelId,
        info: ModelInfo,
        *,
        load_now: bool,
        sync: bool,
        last_used_ms: int,
        rules: CopyRules | None = None,
    ) -> ModelReport:
        """Register; the same again is fine. With `sync` and `load_now`, wait until the load has ended.

        `last_used_ms` 0 stands for a default; without `rules` they are as they were. Raises `ModelExists` if
        it is there with other attributes.
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


class VModelManagement(Protocol):
    """What the program must offer for aliases. All of it may raise `RegistryUnavailable`."""

    async def set(self, asked: SetVModel) -> VModelReport:
        """Make the alias as asked.

        Raises `InvalidRequest`, `ModelNotFound`, `ModelExists`, `Refused` or `RegistryReadOnly`.
        """
        ...

    async def delete(self, vmodel: str, *, owner: str) -> None:
        """Forget the alias; one that is not there, or is another owner's, is fine."""
        ...

    async def status(self, vmodel: str, *, owner: str) -> VModelReport:
        """What is known; of one that is not there, or is another owner's, the status NOT_FOUND."""
        ...


StateLines = Callable[[], Sequence[str]]
"""What the instance knows, for people: lines that begin with `CACHESTATE:` or `CLUSTSTATE:`."""


def management_handlers(
    management: Management, vmodels: VModelManagement | None = None, *, state: StateLines = tuple
) -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers of the service, and of the names it had before. Without `vmodels` there are no aliases."""
    service, aliases = _Service(management, state), _VModelService(vmodels)
    methods = {
        "registerModel": method_handler(service.register, mm.RegisterModelRequest),
        "unregisterModel": method_handler(service.unregister, mm.UnregisterModelRequest),
        "getModelStatus": method_handler(service.status, mm.GetStatusRequest),
        "ensureLoaded": method_handler(service.ensure_loaded, mm.EnsureLoadedRequest),
        "setVModel": method_handler(aliases.set, mm.SetVModelRequest),
        "deleteVModel": method_handler(aliases.delete, mm.DeleteVModelRequest),
        "getVModelStatus": method_handler(aliases.status, mm.GetVModelStatusRequest),
    }
    methods["addModel"] = methods["registerModel"]
    methods["deleteModel"] = methods["unregisterModel"]
    return tuple(
        grpc.method_handlers_generic_handler(service_name, methods)
        for service_name in (SERVICE, LEGACY_SERVICE)
    )


class _Service:
    """Messages about models to calls of the program, and back."""

    def __init__(self, management: Management, state: StateLines) -> None:
        self._management = management
        self._state = state

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
                rules=_copy_rules(request.copyRules) if request.HasField("copyRules") else None,
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
            model = named_model(request.modelId)
            if model in (LOG_STATE, GET_STATE):
                return self._told_state(in_log=model == LOG_STATE)
            return _status_info(await self._management.status(model))

    async def ensure_loaded(self, request: mm.EnsureLoadedRequest, context: Context) -> mm.ModelStatusInfo:
        async with Answering(context, "ensureLoaded"):
            model = named_model(request.modelId)
            try:
                report = await self._management.ensure_loaded(
                    model, sync=request.sync, last_used_ms=request.lastUsedTime
                )
            except ModelNotFound as error:
                raise ModelNotFound("model not found") from error  # the words that clients know
            return _status_info(report)

    def _told_state(self, *, in_log: bool) -> mm.ModelStatusInfo:
        lines = self._state()
        if not in_log:
            return mm.ModelStatusInfo(status=_STATUS[ModelStatus.UNKNOWN], errors=lines)
        for line in lines:
            log.info("the state of this instance", extra={"line": line})
        return mm.ModelStatusInfo(status=_STATUS[ModelStatus.UNKNOWN])


class _VModelService:
    """Messages about aliases to calls of the program, and back."""

    def __init__(self, vmodels: VModelManagement | None) -> None:
        self._vmodels = vmodels

    async def set(self, request: mm.SetVModelRequest, context: Context) -> mm.VModelStatusInfo:
        async with Answering(context, "setVModel"):
            return _vmodel_info(await self._offered.set(_asked(request)))

    async def delete(self, request: mm.DeleteVModelRequest, context: Context) -> mm.DeleteVModelResponse:
        async with Answering(context, "deleteVModel"):
            await self._offered.delete(_named_vmodel(request.vModelId), owner=request.owner)
            return mm.DeleteVModelResponse()

    async def status(self, request: mm.GetVModelStatusRequest, context: Context) -> mm.VModelStatusInfo:
        async with Answering(context, "getVModelStatus"):
            return _vmodel_info(
                await self._offered.status(_named_vmodel(request.vModelId), owner=request.owner)
            )

    @property
    def _offered(self) -> VModelManagement:
        if self._vmodels is None:
            raise MethodNotPermitted("vmodels not supported")
        return self._vmodels


def _named_vmodel(name: str) -> str:
    if not name:
        raise InvalidRequest("must provide non-empty vModelId")
    return name


def _asked(request: mm.SetVModelRequest) -> SetVModel:
    return SetVModel(
        vmodel=request.vModelId,
        target=ModelId(request.targetModelId),
        info=_model_info(request.modelInfo) if request.HasField("modelInfo") else None,
        auto_delete=request.autoDeleteTargetModel,
        update_only=request.updateOnly,
        load_now=request.loadNow,
        force=request.force,
        sync=request.sync,
        expected_target=request.expectedTargetModelId,
        owner=request.owner,
        split=_split(request.split) if request.HasField("split") else None,
        rules=_copy_rules(request.copyRules) if request.HasField("copyRules") else None,
    )


def _split(split: mm.Split) -> Split:
    return Split(canary=split.canaryModelId, canary_percent=split.canaryPercent, shadow=split.shadowModelId)


def _copy_rules(rules: mm.CopyRules) -> CopyRules:
    if rules.maxCopies and rules.maxCopies < rules.minCopies:
        raise InvalidRequest(
            f"copyRules: maxCopies ({rules.maxCopies}) must not be less than minCopies ({rules.minCopies})"
        )
    return CopyRules(copies_min=rules.minCopies, copies_max=rules.maxCopies, pinned=rules.pin)


def _vmodel_info(report: VModelReport) -> mm.VModelStatusInfo:
    record, info = report.record, mm.VModelStatusInfo(status=_VMODEL_STATUS[report.status])
    if record is None:
        return info
    info.activeModelId, info.targetModelId, info.owner = record.active, record.target, record.owner
    if report.active is not None:
        info.activeModelStatus.CopyFrom(_status_info(report.active))
    if report.target is not None:
        info.targetModelStatus.CopyFrom(_status_info(report.target))
    if record.canary or record.shadow:
        info.split.canaryModelId, info.split.canaryPercent = record.canary, record.canary_percent
        info.split.shadowModelId = record.shadow
    return info


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
_VMODEL_STATUS = {status: mm.VModelStatusInfo.VModelStatus.Value(status.name) for status in VModelStatus}
