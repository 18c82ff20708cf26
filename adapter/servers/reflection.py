"""`grpc.reflection`: what a client such as grpcurl asks to know our services without their proto files.

Both versions are served; they differ only in their names. The descriptors are in a pool of their own, so that
nothing but what is offered can be asked for: not `mmesh.ModelRuntime`, which is no service for clients, and
not what the process has read for other ends.
"""

from collections.abc import Sequence
from typing import Final

import grpc
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


def reflection_handlers() -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers of the service, under both its names."""
    pool = DescriptorPool()
    for file in _FILES:
        pool.AddSerializedFile(file)
    method = grpc.stream_stream_rpc_method_handler(
        aio.ReflectionServicer(_OFFERED, pool=pool).ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return tuple(
        grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})
        for name in (SERVICE, NEW_SERVICE)
    )
