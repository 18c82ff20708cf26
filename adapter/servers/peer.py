"""What instances ask of each other (`mesh.Peer`), and what people ask of the mesh (`mesh.Mesh`).

Requests themselves are not here: the relay forwards their frames. `mesh.Peer` is for other instances alone,
so it is answered only by the peers' door.
"""

from typing import Final, Protocol

import grpc

from adapter.domain.errors import AdapterError, InvalidRequest
from adapter.domain.ids import InstanceId, ModelId
from adapter.mesh.explain_facts import Explanation, Recalled
from adapter.servers.grpc_server import Answering, Context, method_handler, named_model
from adapter.stubs.mesh import mesh_pb2 as mesh

PEER_SERVICE: Final = "mesh.Peer"
MESH_SERVICE: Final = "mesh.Mesh"


class PeerAnswers(Protocol):
    """What an instance does for the others."""

    @property
    def instance(self) -> InstanceId: ...

    @property
    def boot(self) -> str:
        """Differs with each start of the process."""
        ...

    async def load(
        self, model: ModelId, *, record: bytes, last_used_ms: int, wait: bool, because: str
    ) -> bool:
        """Have a copy loaded here; whether it is loaded already, which it is if `wait`.

        `record` is the registration as the registry has it, empty: it is to be read; `last_used_ms` 0 stands
        for now. Raises the error of the load, or why it is not to be loaded here.
        """
        ...

    def recall(self, model: ModelId) -> Recalled:
        """What this instance itself knows of the model."""
        ...


class MeshAnswers(Protocol):
    """What the mesh tells people of itself."""

    async def explain(self, name: str) -> Explanation:
        """Where the model is that this name stands for, and why. Raises `AdapterError`."""
        ...


def peer_handlers(answers: PeerAnswers) -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers of `mesh.Peer`."""
    service = _Peer(answers)
    methods = {
        "hello": method_handler(service.hello, mesh.HelloRequest),
        "load": method_handler(service.load, mesh.LoadRequest),
        "recall": method_handler(service.recall, mesh.RecallRequest),
    }
    return (grpc.method_handlers_generic_handler(PEER_SERVICE, methods),)


def mesh_handlers(answers: MeshAnswers) -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers of `mesh.Mesh`."""
    service = _Mesh(answers)
    methods = {"explain": method_handler(service.explain, mesh.ExplainRequest)}
    return (grpc.method_handlers_generic_handler(MESH_SERVICE, methods),)


class _Peer:
    """Messages to calls of the program, and back."""

    def __init__(self, answers: PeerAnswers) -> None:
        self._answers = answers

    async def hello(self, _request: mesh.HelloRequest, context: Context) -> mesh.HelloResponse:
        async with Answering(context, "hello"):
            return mesh.HelloResponse(instance=self._answers.instance, boot=self._answers.boot)

    async def load(self, request: mesh.LoadRequest, context: Context) -> mesh.LoadResponse:
        async with Answering(context, "load"):
            model = named_model(request.model)
            try:
                loaded = await self._answers.load(
                    model,
                    record=request.record,
                    last_used_ms=request.last_used_ms,
                    wait=request.wait,
                    because=request.because,
                )
            except AdapterError as error:
                # In the answer, so that it is told from an instance that could not be asked.
                return mesh.LoadResponse(
                    outcome=mesh.LoadResponse.REFUSED, code=int(error.code), text=str(error)
                )
            return mesh.LoadResponse(
                outcome=mesh.LoadResponse.LOADED if loaded else mesh.LoadResponse.LOADING
            )

    async def recall(self, request: mesh.RecallRequest, context: Context) -> mesh.RecallResponse:
        async with Answering(context, "recall"):
            recalled = self._answers.recall(named_model(request.model))
            return mesh.RecallResponse(
                instance=self._answers.instance,
                state=recalled.state,
                since=recalled.since,
                departed=recalled.departed,
                departed_ms=recalled.departed_ms,
                size_bytes=recalled.size_bytes,
            )


class _Mesh:
    def __init__(self, answers: MeshAnswers) -> None:
        self._answers = answers

    async def explain(self, request: mesh.ExplainRequest, context: Context) -> mesh.ExplainResponse:
        async with Answering(context, "explain"):
            if not request.name:
                raise InvalidRequest("must provide the non-empty name of a model or vmodel")
            return _explain_response(await self._answers.explain(request.name))


def _explain_response(told: Explanation) -> mesh.ExplainResponse:
    return mesh.ExplainResponse(
        name=told.name,
        model=told.model,
        state=told.state.value,
        cause=told.cause,
        cure=told.cure,
        copies=[
            mesh.ExplainResponse.Copy(
                instance=copy.instance,
                state=copy.state,
                because=copy.because,
                since_ms=copy.since_ms,
                size_bytes=copy.size_bytes,
            )
            for copy in told.copies
        ],
        next=told.next,
        refused=told.refused,
    )
