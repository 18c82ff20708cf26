"""A mesh as its client sees it: the management API and inference, on one port."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Self

import grpc

from adapter.domain.errors import AdapterError, Code
from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import ModelInfo, VModelRecord
from adapter.domain.status import CopyStatus, ModelReport, ModelStatus
from adapter.mesh.vmodel_states import VModelStatus
from adapter.mesh.vmodels import SetVModel, VModelReport
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from adapter.stubs.mesh import mesh_pb2
from adapter.stubs.mesh.mesh_pb2_grpc import MeshStub
from adapter.stubs.mmesh import model_mesh_pb2 as mm
from adapter.stubs.mmesh.model_mesh_pb2_grpc import ModelMeshStub

_STEP = re.compile(r"([\w-]+);dur=([\d.]+)")

MESSAGE_BYTES_MAX = 256 * 1024 * 1024
"""The mesh has its own, smaller limit; the client's must not be the one that is met first."""

RECONNECT_MS_MAX = 3000
"""A mesh that comes back is found again so soon; gRPC would wait for up to two minutes."""


class MeshRefused(AdapterError):
    """The mesh answered with an error; `status` is its gRPC code."""

    def __init__(self, status: Code, text: str) -> None:
        super().__init__(f"{status.name}: {text}")
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One inference, and where its time went: milliseconds by step, empty when the model was warm."""

    response: v2.ModelInferResponse
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the mesh says of a model."""

    status: ModelStatus
    errors: tuple[str, ...]
    copies: Mapping[str, ModelStatus] = field(default_factory=dict)
    """By the instance that has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTls:
    """How a client of the mesh shows itself, and whom it trusts; PEM."""

    roots: bytes | None = None
    """None: the system's."""
    key: bytes | None = field(default=None, repr=False)
    certificates: bytes | None = None
    """With `key`: shown to the server."""
    authority: str = ""
    """The name that the server's certificate must have; empty: the address."""

    def credentials(self) -> grpc.ChannelCredentials:
        """As gRPC takes them."""
        if not (self.key and self.certificates):  # gRPC ends the process for one without the other
            return grpc.ssl_channel_credentials(self.roots)
        return grpc.ssl_channel_credentials(self.roots, self.key, self.certificates)


class MeshClient:
    """Speaks to one mesh. All calls raise `MeshRefused`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._mesh = ModelMeshStub(channel)
        self._inference = GRPCInferenceServiceStub(channel)
        self._explaining = MeshStub(channel)

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: str, *, tls: ChannelTls | None = None) -> AsyncIterator[Self]:
        """A client of the mesh at `host:port` or `unix:path`; of several addresses with commas in turn."""
        options: list[tuple[str, int | str]] = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX),
        ]
        if "," in address:
            address = f"{'ipv6' if address.startswith('[') else 'ipv4'}:{address}"
            options.append(("grpc.service_config", '{"loadBalancingConfig":[{"round_robin":{}}]}'))
        if tls is None:
            channel = grpc.aio.insecure_channel(address, options=options)
        else:
            if tls.authority:
                options.append(("grpc.ssl_target_name_override", tls.authority))
            channel = grpc.aio.secure_channel(address, tls.credentials(), options=options)
        async with channel:
            yield cls(channel)

    async def register(self, model: ModelId, info: ModelInfo, *, load_now: bool = False) -> Told:
        """Register; with `load_now` answer once the load has ended."""
        request = mm.RegisterModelRequest(
            modelId=model,
            modelInfo=mm.ModelInfo(type=info.type, path=info.path, key=info.key),
            loadNow=load_now,
            sync=load_now,
        )
        with _our_words():
            return _told(await self._mesh.registerModel(request))

    async def unregister(self, model: ModelId) -> None:
        """Forget the model."""
        with _our_words():
            await self._mesh.unregisterModel(mm.UnregisterModelRequest(modelId=model))

    async def set_vmodel(self, vmodel: str, target: ModelId) -> None:
        """Have the alias stand for this model, which is registered."""
        request = mm.SetVModelRequest(vModelId=vmodel, targetModelId=target)
        with _our_words():
            await self._mesh.setVModel(request)

    async def put_vmodel(self, asked: SetVModel) -> VModelReport:
        """Make the alias as asked, and its target with it."""
        with _our_words():
            return _vmodel_told(await self._mesh.setVModel(_set_vmodel(asked)))

    async def delete_vmodel(self, vmodel: str, *, owner: str = "") -> None:
        """Forget the alias; one that is not there is fine."""
        with _our_words():
            await self._mesh.deleteVModel(mm.DeleteVModelRequest(vModelId=vmodel, owner=owner))

    async def vmodel(self, vmodel: str, *, owner: str = "") -> VModelReport:
        """What the mesh knows of the alias; of one that is not there, or another owner's: NOT_FOUND."""
        with _our_words():
            return _vmodel_told(
                await self._mesh.getVModelStatus(mm.GetVModelStatusRequest(vModelId=vmodel, owner=owner))
            )

    async def status(self, model: ModelId) -> Told:
        """What the mesh knows of the model; never causes a load."""
        with _our_words():
            return _told(await self._mesh.getModelStatus(mm.GetStatusRequest(modelId=model)))

    async def explain(self, name: str) -> mesh_pb2.ExplainResponse:
        """Where the model of this name is, why, and what would change it; never causes a load."""
        with _our_words():
            return await self._explaining.explain(mesh_pb2.ExplainRequest(name=name))

    async def models(self) -> list[v2.RepositoryIndexResponse.ModelIndex]:
        """Every registered model, by name."""
        with _our_words():
            return list((await self._inference.RepositoryIndex(v2.RepositoryIndexRequest())).models)

    async def metadata(self, model: ModelId) -> v2.ModelMetadataResponse:
        """The model's own description of its inputs and outputs; loads it if need be."""
        with _our_words():
            return await self._inference.ModelMetadata(v2.ModelMetadataRequest(name=model))

    async def infer(self, request: v2.ModelInferRequest, *, timeout_s: float | None = None) -> Answer:
        """One inference; loads the model if need be."""
        call = self._inference.ModelInfer(request, timeout=timeout_s)
        with _our_words():
            response = await call
        return Answer(response=response, timings_ms=server_timings(await call.trailing_metadata()))


def server_timings(trailers: grpc.aio.Metadata | None) -> dict[str, float]:
    """Milliseconds by step out of `server-timing: pull;dur=12.1, load;dur=4` (W3C Server-Timing)."""
    headers = ", ".join(str(value) for name, value in trailers or () if name == "server-timing")
    return {step: float(ms) for step, ms in _STEP.findall(headers)}


def _set_vmodel(asked: SetVModel) -> mm.SetVModelRequest:
    request = mm.SetVModelRequest(
        vModelId=asked.vmodel,
        targetModelId=asked.target,
        updateOnly=asked.update_only,
        autoDeleteTargetModel=asked.auto_delete,
        loadNow=asked.load_now,
        force=asked.force,
        sync=asked.sync,
        expectedTargetModelId=asked.expected_target,
        owner=asked.owner,
    )
    if asked.info is not None:
        request.modelInfo.CopyFrom(
            mm.ModelInfo(type=asked.info.type, path=asked.info.path, key=asked.info.key)
        )
    if asked.split is not None:
        split = asked.split
        request.split.CopyFrom(
            mm.Split(
                canaryModelId=split.canary, canaryPercent=split.canary_percent, shadowModelId=split.shadow
            )
        )
    if asked.rules is not None:
        rules = asked.rules
        request.copyRules.CopyFrom(
            mm.CopyRules(minCopies=rules.copies_min, maxCopies=rules.copies_max, pin=rules.pinned)
        )
    return request


def _vmodel_told(info: mm.VModelStatusInfo) -> VModelReport:
    status = VModelStatus(info.status)
    if status is VModelStatus.NOT_FOUND:
        return VModelReport()
    split = info.split
    return VModelReport(
        status=status,
        record=VModelRecord(
            active=info.activeModelId,
            target=info.targetModelId,
            owner=info.owner,
            failed=status is VModelStatus.TRANSITION_FAILED,
            canary=split.canaryModelId,
            canary_percent=split.canaryPercent,
            shadow=split.shadowModelId,
        ),
        active=_report(info.activeModelStatus) if info.HasField("activeModelStatus") else None,
        target=_report(info.targetModelStatus) if info.HasField("targetModelStatus") else None,
    )


def _report(info: mm.ModelStatusInfo) -> ModelReport:
    return ModelReport(
        status=ModelStatus(info.status),
        errors=tuple(info.errors),
        copies=tuple(
            CopyStatus(
                instance=InstanceId(copy.location), status=ModelStatus(copy.copyStatus), since_ms=copy.time
            )
            for copy in info.modelCopyInfos
        ),
    )


def _told(info: mm.ModelStatusInfo) -> Told:
    copies = {copy.location: ModelStatus(copy.copyStatus) for copy in info.modelCopyInfos}
    return Told(status=ModelStatus(info.status), errors=tuple(info.errors), copies=copies)


@contextmanager
def _our_words() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise MeshRefused(Code(error.code().value[0]), error.details() or "") from error
