"""One client of a mesh, who asks one thing after the other and looks at each answer."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

import grpc

from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from adapter.stubs.mesh import mesh_pb2
from adapter.stubs.mesh.mesh_pb2_grpc import MeshStub
from adapter.stubs.mmesh import model_mesh_pb2 as mm
from adapter.stubs.mmesh.model_mesh_pb2_grpc import ModelMeshStub

DEADLINE_S: Final = 30.0
QUICK: Final = "SIZE_1000_0_0"
"""The path of a model that is small, and loaded at once."""

_questions = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of one call."""

    code: str
    text: str
    runtime: str
    """That answered; empty: the call failed."""
    model: str
    """That answered."""
    took_s: float

    @property
    def is_ok(self) -> bool:
        return self.code == "OK"


class Client:
    """Speaks to one instance. What is not a `Reply` raises `grpc.RpcError`."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._models = ModelMeshStub(channel)
        self._inference = GRPCInferenceServiceStub(channel)
        self._mesh = MeshStub(channel)

    @classmethod
    @contextmanager
    def of(
        cls, address: str, credentials: grpc.ChannelCredentials | None = None, *, name: str = "localhost"
    ) -> Iterator[Self]:
        """A client of the instance at `host:port`, whose certificate is for `name`; else in plaintext."""
        if credentials is None:
            opened = grpc.insecure_channel(address)
        else:
            named = [("grpc.ssl_target_name_override", name)]
            opened = grpc.secure_channel(address, credentials, options=named)
        with opened as channel:
            yield cls(channel)

    def register(  # noqa: PLR0913 - the fields of the message, each by name
        self,
        model: str,
        path: str = QUICK,
        *,
        type_: str = "stub",
        load: bool = False,
        sync: bool = True,
        min_copies: int = 0,
        max_copies: int = 0,
        pin: bool = False,
    ) -> mm.ModelStatusInfo:
        """Register it; with `load` have it loaded, with `sync` answered when that has ended."""
        rules = mm.CopyRules(minCopies=min_copies, maxCopies=max_copies, pin=pin)
        request = mm.RegisterModelRequest(
            modelId=model,
            modelInfo=mm.ModelInfo(type=type_, path=path),
            loadNow=load,
            sync=load and sync,
            copyRules=rules if min_copies or max_copies or pin else None,
        )
        told: mm.ModelStatusInfo = self._models.registerModel(request, timeout=DEADLINE_S)
        return told

    def unregister(self, model: str) -> None:
        self._models.unregisterModel(mm.UnregisterModelRequest(modelId=model), timeout=DEADLINE_S)

    def status(self, model: str) -> mm.ModelStatusInfo:
        """What the mesh knows of the model."""
        told: mm.ModelStatusInfo = self._models.getModelStatus(
            mm.GetStatusRequest(modelId=model), timeout=DEADLINE_S
        )
        return told

    def ensure_loaded(self, model: str) -> mm.ModelStatusInfo:
        """Have it loaded, and wait for that."""
        told: mm.ModelStatusInfo = self._models.ensureLoaded(
            mm.EnsureLoadedRequest(modelId=model, sync=True), timeout=DEADLINE_S
        )
        return told

    def set_vmodel(self, request: mm.SetVModelRequest) -> mm.VModelStatusInfo:
        told: mm.VModelStatusInfo = self._models.setVModel(request, timeout=DEADLINE_S)
        return told

    def vmodel(self, name: str) -> mm.VModelStatusInfo:
        told: mm.VModelStatusInfo = self._models.getVModelStatus(
            mm.GetVModelStatusRequest(vModelId=name), timeout=DEADLINE_S
        )
        return told

    def explain(self, name: str) -> mesh_pb2.ExplainResponse:
        told: mesh_pb2.ExplainResponse = self._mesh.explain(
            mesh_pb2.ExplainRequest(name=name), timeout=DEADLINE_S
        )
        return told

    def ask(self, model: str = "", *, vmodel: str = "", deadline_s: float = DEADLINE_S) -> Reply:
        """One inference; an answer to another question is a failure of the test."""
        question = f"asked-{next(_questions)}"
        request = v2.ModelInferRequest(id=question, raw_input_contents=[question.encode()])
        header = ("mm-vmodel-id", vmodel) if vmodel else ("mm-model-id", model)
        began_s = time.monotonic()
        try:
            answer = self._inference.ModelInfer(request, metadata=(header,), timeout=deadline_s)
        except grpc.RpcError as error:
            return Reply(
                code=error.code().name,
                text=error.details() or "",
                runtime="",
                model="",
                took_s=time.monotonic() - began_s,
            )
        assert (answer.id, list(answer.raw_output_contents)) == (question, [question.encode()])
        assert vmodel or answer.model_name == model, f"{answer.model_name} answered for {model}"
        return Reply(
            code="OK",
            text="",
            runtime=answer.model_version,
            model=answer.model_name,
            took_s=time.monotonic() - began_s,
        )
