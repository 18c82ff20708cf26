"""What we answer ourselves of the V2 protocol, without a runtime: readiness, ourselves, the list of models.

Loading and unloading by the repository calls is refused: it would go behind the back of the cache, which
loads a model when it is asked for. Everything else of the service is the runtime's (`passthrough`).
"""

from collections.abc import Sequence
from typing import Protocol

import grpc
from google.protobuf.message import Message

from adapter.domain.errors import InvalidRequest, MethodNotPermitted, Refused
from adapter.domain.ids import ModelId
from adapter.domain.status import ModelStatus
from adapter.servers.grpc_server import Answering, Context, method_handler
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.wire.headers import ModelRef, RefKind, model_ref

SERVICE = "inference.GRPCInferenceService"
SERVER_NAME = "remesh"

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


def inference_handlers(answers: OwnAnswers, *, version: str) -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers of the methods that are ours; `version` is what ServerMetadata tells."""
    service = _Service(answers, version)
    methods = {
        "ServerLive": method_handler(service.server_live, v2.ServerLiveRequest),
        "ServerReady": method_handler(service.server_ready, v2.ServerReadyRequest),
        "ServerMetadata": method_handler(service.server_metadata, v2.ServerMetadataRequest),
        "ModelReady": method_handler(service.model_ready, v2.ModelReadyRequest),
        "RepositoryIndex": method_handler(service.index, v2.RepositoryIndexRequest),
        "RepositoryModelLoad": method_handler(service.refuse_load, v2.RepositoryModelLoadRequest),
        "RepositoryModelUnload": method_handler(service.refuse_unload, v2.RepositoryModelUnloadRequest),
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
        return v2.ServerMetadataResponse(name=SERVER_NAME, version=self._version)

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

    async def refuse_load(self, _request: Message, context: Context) -> Message:
        async with Answering(context, "RepositoryModelLoad"):
            raise MethodNotPermitted(
                "models are registered with mmesh.ModelMesh/registerModel, and loaded when they are asked "
                "for, or with mmesh.ModelMesh/ensureLoaded"
            )

    async def refuse_unload(self, _request: Message, context: Context) -> Message:
        async with Answering(context, "RepositoryModelUnload"):
            raise MethodNotPermitted(
                "models are unloaded when the room is needed; mmesh.ModelMesh/unregisterModel forgets one"
            )


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
