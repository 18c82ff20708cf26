"""gRPC: `inference.GRPCInferenceService`, with the repository extension.

The server is the synchronous one with a thread pool. Measured on 2 cores, CPU of the server for one request
of one row without the model's share: 190-350 us; `grpc.aio` with the same threads behind its loop 350-550 us.
Each request has a thread, and threads are only started when all others are busy.
"""

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import NoReturn

import grpc

from adapter.stubs.inference import open_inference_pb2 as pb
from adapter.stubs.inference.open_inference_pb2_grpc import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)
from runtimes.python_runtime.errors import RuntimeFault
from runtimes.python_runtime.inference import Inference
from runtimes.python_runtime.options import Options
from runtimes.python_runtime.repository import Repository

SERVER_NAME = "remesh-python-runtime"
EXTENSIONS = ("model_repository", "binary_tensor_data")
SIZE_KEY = "model-size-bytes"
"""Trailing metadata of a load: what the model holds."""

RESERVED_THREADS = 16
"""Threads that requests to models never take, so that probes, loads and unloads always find one."""

READY, UNAVAILABLE = "READY", "UNAVAILABLE"


class Servicer(GRPCInferenceServiceServicer):
    """Each method is called in a thread of the pool."""

    def __init__(self, repository: Repository, inference: Inference) -> None:
        self._repository = repository
        self._inference = inference

    def ServerLive(self, request: pb.ServerLiveRequest, context: grpc.ServicerContext) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=True)

    def ServerReady(
        self, request: pb.ServerReadyRequest, context: grpc.ServicerContext
    ) -> pb.ServerReadyResponse:
        return pb.ServerReadyResponse(ready=True)

    def ModelReady(self, request: pb.ModelReadyRequest, context: grpc.ServicerContext) -> pb.ModelReadyResponse:
        loaded = self._repository.get(request.name)
        ready = loaded is not None and request.version in ("", loaded.version)
        return pb.ModelReadyResponse(ready=ready)

    def ServerMetadata(
        self, request: pb.ServerMetadataRequest, context: grpc.ServicerContext
    ) -> pb.ServerMetadataResponse:
        return server_metadata()

    def ModelMetadata(
        self, request: pb.ModelMetadataRequest, context: grpc.ServicerContext
    ) -> pb.ModelMetadataResponse:
        try:
            return self._inference.metadata(request.name, request.version)
        except RuntimeFault as fault:
            _abort(context, fault)

    def ModelInfer(self, request: pb.ModelInferRequest, context: grpc.ServicerContext) -> pb.ModelInferResponse:
        try:
            return self._inference.infer(request, context)
        except RuntimeFault as fault:
            _abort(context, fault)

    def RepositoryIndex(
        self, request: pb.RepositoryIndexRequest, context: grpc.ServicerContext
    ) -> pb.RepositoryIndexResponse:
        return index(self._repository, only_ready=request.ready)

    def RepositoryModelLoad(
        self, request: pb.RepositoryModelLoadRequest, context: grpc.ServicerContext
    ) -> pb.RepositoryModelLoadResponse:
        name = request.model_name or request.repository_name
        try:
            loaded = self._repository.load(name, context)
        except RuntimeFault as fault:
            _abort(context, fault)
        context.set_trailing_metadata(((SIZE_KEY, str(loaded.size_bytes)),))
        return pb.RepositoryModelLoadResponse(model_name=name, isLoaded=True)

    def RepositoryModelUnload(
        self, request: pb.RepositoryModelUnloadRequest, context: grpc.ServicerContext
    ) -> pb.RepositoryModelUnloadResponse:
        name = request.model_name or request.repository_name
        try:
            self._repository.unload(name)
        except RuntimeFault as fault:
            _abort(context, fault)
        return pb.RepositoryModelUnloadResponse(model_name=name, isUnloaded=True)


def _abort(context: grpc.ServicerContext, fault: RuntimeFault) -> NoReturn:
    context.abort(fault.code, str(fault))
    raise AssertionError("abort always raises")


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


def start_grpc(servicer: Servicer, options: Options, pool: ThreadPoolExecutor) -> tuple[grpc.Server, int | None]:
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
    add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = None
    if options.grpc_port is not None:
        port = server.add_insecure_port(f"{options.host}:{options.grpc_port}")
    if options.grpc_socket:
        server.add_insecure_port(f"unix:{options.grpc_socket}")
    server.start()
    return server, port
