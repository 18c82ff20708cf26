"""`grpc.reflection`: what a client such as grpcurl asks to know our services without their proto files.

Both versions are served; they differ only in their names. The descriptors are in a pool of their own, so that
nothing but what is offered can be asked for: not `mmesh.ModelRuntime`, which is no service for clients, and
not what the process has read for other ends.
"""

from collections.abc import Sequence
from typing import Any, Final

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from adapter.servers import health, inference, management
from adapter.stubs.inference import open_inference_pb2
from adapter.stubs.mmesh import model_mesh_pb2

SERVICE: Final = "grpc.reflection.v1alpha.ServerReflection"
NEW_SERVICE: Final = "grpc.reflection.v1.ServerReflection"

_FILES: Final[Sequence[bytes]] = (
    model_mesh_pb2.DESCRIPTOR.serialized_pb,
    open_inference_pb2.DESCRIPTOR.serialized_pb,
    health_pb2.DESCRIPTOR.serialized_pb,
    reflection_pb2.DESCRIPTOR.serialized_pb,
)
_OFFERED: Final = (management.SERVICE, inference.SERVICE, health.SERVICE, SERVICE)


class _Symbols:
    """The pool, which here finds methods too: grpcurl asks for them, and the library's pool knows none."""

    def __init__(self, pool: DescriptorPool) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the pool has
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 - the library's name
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file


def reflection_handlers() -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers of the service, under both its names."""
    pool = DescriptorPool()
    for file in _FILES:
        pool.AddSerializedFile(file)
    method = grpc.stream_stream_rpc_method_handler(
        aio.ReflectionServicer(_OFFERED, pool=_Symbols(pool)).ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return tuple(
        grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})
        for name in (SERVICE, NEW_SERVICE)
    )
