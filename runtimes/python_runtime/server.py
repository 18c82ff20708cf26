"""gRPC: `inference.GRPCInferenceService`, with the repository extension.

The server is the synchronous one with a thread pool. Measured on 2 cores, CPU of the server for one request
of one row without the model's share: 190-350 us; `grpc.aio` with the same threads behind its loop 350-550 us.
Each request has a thread, and threads are only started when all others are busy.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from adapter.stubs.inference import open_inference_pb2 as pb
from runtimes.python_runtime.errors import RuntimeFault
from runtimes.python_runtime.inference import Inference
from runtimes.python_runtime.options import Options
from runtimes.python_runtime.repository import Repository

SERVICE = "inference.GRPCInferenceService"
SERVER_NAME = "remesh-python-runtime"
EXTENSIONS = ("model_repository", "binary_tensor_data")
SIZE_KEY = "model-size-bytes"
"""Trailing metadata of a load: what the model holds."""

RESERVED_THREADS = 16
"""Threads that requests to models never take, so that probes, loads and unloads always find one."""

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

READY, UNAVAILABLE = "READY", "UNAVAILABLE"


class Servicer:
    """The methods, each called in a thread of the pool. What they raise becomes a status."""

    def __init__(self, repository: Repository, inference: Inference) -> None:
        self._repository = repository
        self._inference = inference

    def handlers(self) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
        """By the names of the methods in the protocol."""
        return {
            "ServerLive": _handler(self._live, pb.ServerLiveRequest, pb.ServerLiveResponse),
            "ServerReady": _handler(self._ready, pb.ServerReadyRequest, pb.ServerReadyResponse),
            "ServerMetadata": _handler(
                self._server_metadata, pb.ServerMetadataRequest, pb.ServerMetadataResponse
            ),
            "ModelReady": _handler(self._model_ready, pb.ModelReadyRequest, pb.ModelReadyResponse),
            "ModelMetadata": _handler(
                self._model_metadata, pb.ModelMetadataRequest, pb.ModelMetadataResponse
            ),
            "ModelInfer": _handler(self._inference.infer, pb.ModelInferRequest, pb.ModelInferResponse),
            "RepositoryIndex": _handler(self._index, pb.RepositoryIndexRequest, pb.RepositoryIndexResponse),
            "RepositoryModelLoad": _handler(
                self._load, pb.RepositoryModelLoadRequest, pb.RepositoryModelLoadResponse
            ),
            "RepositoryModelUnload": _handler(
                self._unload, pb.RepositoryModelUnloadRequest, pb.RepositoryModelUnloadResponse
            ),
        }

    def _live(self, _: pb.ServerLiveRequest, __: grpc.ServicerContext) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=True)

    def _ready(self, _: pb.ServerReadyRequest, __: grpc.ServicerContext) -> pb.ServerReadyResponse:
        return pb.ServerReadyResponse(ready=True)

    def _server_metadata(
        self, _: pb.ServerMetadataRequest, __: grpc.ServicerContext
    ) -> pb.ServerMetadataResponse:
        return server_metadata()

    def _model_ready(self, request: pb.ModelReadyRequest, _: grpc.ServicerContext) -> pb.ModelReadyResponse:
        return pb.ModelReadyResponse(ready=self._repository.is_loaded(request.name, request.version))

    def _model_metadata(
        self, request: pb.ModelMetadataRequest, _: grpc.ServicerContext
    ) -> pb.ModelMetadataResponse:
        return self._inference.metadata(request.name, request.version)

    def _index(
        self, request: pb.RepositoryIndexRequest, _: grpc.ServicerContext
    ) -> pb.RepositoryIndexResponse:
        return index(self._repository, only_ready=request.ready)

    def _load(
        self, request: pb.RepositoryModelLoadRequest, context: grpc.ServicerContext
    ) -> pb.RepositoryModelLoadResponse:
        name = request.model_name or request.repository_name  # the two dialects, see the protocol's file
        loaded = self._repository.load(name, context)
        context.set_trailing_metadata(((SIZE_KEY, str(loaded.size_bytes)),))
        return pb.RepositoryModelLoadResponse(model_name=name, isLoaded=True)

    def _unload(
        self, request: pb.RepositoryModelUnloadRequest, _: grpc.ServicerContext
    ) -> pb.RepositoryModelUnloadResponse:
        name = request.model_name or request.repository_name
        self._repository.unload(name)
        return pb.RepositoryModelUnloadResponse(model_name=name, isUnloaded=True)


def _handler(
    method: Callable[[Q, grpc.ServicerContext], A], request_type: type[Q], response_type: type[A]
) -> "grpc.RpcMethodHandler[Any, Any]":
    def answer(request: Q, context: grpc.ServicerContext) -> A:
        try:
            return method(request, context)
        except RuntimeFault as fault:
            context.abort(fault.code, str(fault))

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=request_type.FromString,
        response_serializer=response_type.SerializeToString,
    )


def server_metadata() -> pb.ServerMetadataResponse:
    """What the server says of itself."""
    return pb.ServerMetadataResponse(name=SERVER_NAME, version=version("remesh"), extensions=EXTENSIONS)


def index(repository: Repository, *, only_ready: bool) -> pb.RepositoryIndexResponse:
    """Every loaded model, and unless `only_ready` every folder that could be loaded."""
    response = pb.RepositoryIndexResponse()
    for loaded in repository.loaded():
        response.models.add(name=loaded.name, version=loaded.version, state=READY)
    for name in [] if only_ready else repository.not_loaded():
        response.models.add(name=name, state=UNAVAILABLE)
    return response


def start_grpc(
    servicer: Servicer, options: Options, pool: ThreadPoolExecutor
) -> tuple[grpc.Server, int | None]:
    """Listen; the server and the TCP port that it got. Raises `RuntimeError` if an address cannot be had."""
    server = grpc.server(
        pool,
        options=(
            ("grpc.max_receive_message_length", options.message_bytes_max),
            ("grpc.max_send_message_length", options.message_bytes_max),
            ("grpc.so_reuseport", 0),
            # Our neighbour pings an idle connection to know that we live; that is no misbehaviour.
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 1000),
        ),
        maximum_concurrent_rpcs=options.requests_max + RESERVED_THREADS,
    )
    handlers = servicer.handlers()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_registered_method_handlers(SERVICE, handlers)
    port = None
    if options.grpc_port is not None:
        port = server.add_insecure_port(f"{options.host}:{options.grpc_port}")
    if options.grpc_socket:
        server.add_insecure_port(f"unix:{options.grpc_socket}")
    server.start()
    return server, port
