"""What we answer ourselves of the V2 protocol, without a runtime: readiness, ourselves, the models.

The repository calls mean the mesh: the index lists what is registered, a load has a registered model loaded
now, and an unload gives its copy up and keeps the registration, so that the next request loads it again.
Everything else of the service is the runtime's.
"""

from collections.abc import Sequence
from typing import Protocol

import grpc
from google.protobuf.message import Message

from adapter.domain.errors import InvalidRequest, Refused
from adapter.domain.ids import ModelId
from adapter.domain.status import ModelStatus
from adapter.servers.grpc_server import Answering, Context, method_handler
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.headers import ModelRef, RefKind, model_ref

SERVICE = "inference.GRPCInferenceService"
SERVER_NAME = "remesh"

EXTENSIONS = ("binary_tensor_data", "model_repository")
"""What we do beyond the protocol's core, in Triton's words; the first over REST."""

INDEX_PAGE = 1000
INDEX_MODELS_MAX = 50_000
"""More do not fit the 4 MiB that a gRPC client accepts by default."""


class OwnAnswers(Protocol):
    """What the program must offer."""

    async def server_ready(self) -> bool:
        """Whether inference can be answered."""
        ...

    async def ready(self, ref: ModelRef) -> bool:
        """Whether a call for the model would be answered. Never loads it. Raises `ModelNotFound`."""
        ...

    async def names(self, *, after: str, limit: int) -> Sequence[tuple[ModelId, ModelStatus]]:
        """At most `limit` registered models that come after this name, in the order of their names."""
        ...

    async def repository_load(self, ref: ModelRef) -> None:
        """Wait until the model is loaded. Raises `ModelNotFound`, or the error of the load."""
        ...

    async def repository_unload(self, ref: ModelRef) -> None:
        """Give the copy of the model up; a request will load it again. One not loaded is fine.

        Raises `ModelNotFound`, or `Refused` while callers wait for it to be loaded.
        """
        ...


def inference_handlers(answers: OwnAnswers, *, version: str) -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers of the methods that are ours; `version` is what ServerMetadata tells."""
    service = _Service(answers, version)
    methods = {
        "ServerLive": method_handler(service.server_live, v2.ServerLiveRequest),
        "ServerReady": method_handler(service.server_ready, v2.ServerReadyRequest),
        "ServerMetadata": method_handler(service.server_metadata, v2.ServerMetadataRequest),
        "ModelReady": method_handler(service.model_ready, v2.ModelReadyRequest),
        "RepositoryIndex": method_handler(service.index, v2.RepositoryIndexRequest),
        "RepositoryModelLoad": method_handler(service.load, v2.RepositoryModelLoadRequest),
        "RepositoryModelUnload": method_handler(service.unload, v2.RepositoryModelUnloadRequest),
    }
    return (grpc.method_handlers_generic_handler(SERVICE, methods),)


class _Service:
    """Messages to calls of the program, and back."""

    def __init__(self, answers: OwnAnswers, version: str) -> None:
        self._answers = answers
        self._version = version

    async def server_live(self, _request: Message, _context: Context) -> v2.ServerLiveResponse:
        return v2.ServerLiveResponse(live=True)

    async def server_ready(self, _request: Message, context: Context) -> v2.ServerReadyResponse:
        async with Answering(context, "ServerReady"):
            return v2.ServerReadyResponse(ready=await self._answers.server_ready())

    async def server_metadata(self, _request: Message, _context: Context) -> v2.ServerMetadataResponse:
        return v2.ServerMetadataResponse(name=SERVER_NAME, version=self._version, extensions=EXTENSIONS)

    async def model_ready(self, request: v2.ModelReadyRequest, context: Context) -> v2.ModelReadyResponse:
        async with Answering(context, "ModelReady"):
            ref = model_ref(context.invocation_metadata() or ()) or ModelRef(RefKind.EITHER, request.name)
            if not ref.name:
                raise InvalidRequest("must name a model")
            return v2.ModelReadyResponse(ready=await self._answers.ready(ref))

    async def index(self, request: v2.RepositoryIndexRequest, context: Context) -> v2.RepositoryIndexResponse:
        async with Answering(context, "RepositoryIndex"):
            response = v2.RepositoryIndexResponse()
            after, count = "", 0
            while page := await self._answers.names(after=after, limit=INDEX_PAGE):
                after, count = page[-1][0], count + len(page)
                if count > INDEX_MODELS_MAX:
                    raise Refused(
                        f"more than {INDEX_MODELS_MAX} models are registered, too many for one answer; "
                        "ask for one with mmesh.ModelMesh/getModelStatus"
                    )
                response.models.extend(_index_entries(page, ready_only=request.ready))
            return response

    async def load(
        self, request: v2.RepositoryModelLoadRequest, context: Context
    ) -> v2.RepositoryModelLoadResponse:
        async with Answering(context, "RepositoryModelLoad"):
            ref = _named(request)
            await self._answers.repository_load(ref)
            return v2.RepositoryModelLoadResponse(model_name=ref.name, isLoaded=True)

    async def unload(
        self, request: v2.RepositoryModelUnloadRequest, context: Context
    ) -> v2.RepositoryModelUnloadResponse:
        async with Answering(context, "RepositoryModelUnload"):
            ref = _named(request)
            await self._answers.repository_unload(ref)
            return v2.RepositoryModelUnloadResponse(model_name=ref.name, isUnloaded=True)


def _named(request: v2.RepositoryModelLoadRequest | v2.RepositoryModelUnloadRequest) -> ModelRef:
    """Triton's clients name the model in field 2, KServe's in field 1 (reference: KServe 4.2).

    Both understand the answer: Triton's has no fields, and its clients skip KServe's.
    """
    name = request.model_name or request.repository_name
    if not name:
        raise InvalidRequest("must name a model")
    return ModelRef(RefKind.EITHER, name)


_STATES = {
    ModelStatus.LOADED: ("READY", ""),
    ModelStatus.LOADING: ("LOADING", ""),
    ModelStatus.LOADING_FAILED: ("UNAVAILABLE", "the load failed; getModelStatus tells why"),
    ModelStatus.NOT_LOADED: ("UNAVAILABLE", "not loaded; a request loads it"),
}
"""State and reason, in the words that the repository extension has for them."""


def _index_entries(
    page: Sequence[tuple[ModelId, ModelStatus]], *, ready_only: bool
) -> list[v2.RepositoryIndexResponse.ModelIndex]:
    entries = []
    for model, status in page:
        state, reason = _STATES.get(status, ("UNKNOWN", ""))
        if state == "READY" or not ready_only:
            entries.append(v2.RepositoryIndexResponse.ModelIndex(name=model, state=state, reason=reason))
    return entries
