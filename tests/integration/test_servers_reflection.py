"""Reflection between real sockets, as grpcurl uses it."""

from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from adapter.servers.reflection import NEW_SERVICE, SERVICE, reflection_handlers
from tests.fakes.doors import WAIT_S_MAX, connected


@pytest.fixture(params=[SERVICE, NEW_SERVICE])
async def channel_and_path(request: pytest.FixtureRequest) -> AsyncIterator[tuple[grpc.aio.Channel, str]]:
    async with connected(reflection_handlers()) as channel:
        yield channel, f"/{request.param}/ServerReflectionInfo"


async def answer(
    channel_and_path: tuple[grpc.aio.Channel, str], request: ServerReflectionRequest
) -> ServerReflectionResponse:
    channel, path = channel_and_path
    start: grpc.aio.StreamStreamMultiCallable[ServerReflectionRequest, ServerReflectionResponse]
    start = channel.stream_stream(
        path,
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )
    return await anext(aiter(start(iter([request]), timeout=WAIT_S_MAX)))


async def test_what_is_offered_is_listed(channel_and_path: tuple[grpc.aio.Channel, str]) -> None:
    told = await answer(channel_and_path, ServerReflectionRequest(list_services=""))
    assert {service.name for service in told.list_services_response.service} == {
        "mmesh.ModelMesh",
        "inference.GRPCInferenceService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@pytest.mark.parametrize(
    "symbol",
    ["mmesh.ModelMesh", "inference.GRPCInferenceService", "grpc.health.v1.Health", SERVICE],
)
async def test_each_service_is_described(channel_and_path: tuple[grpc.aio.Channel, str], symbol: str) -> None:
    told = await answer(channel_and_path, ServerReflectionRequest(file_containing_symbol=symbol))
    (file,) = map(FileDescriptorProto.FromString, told.file_descriptor_response.file_descriptor_proto)
    assert symbol in {f"{file.package}.{service.name}" for service in file.service}
    by_name = await answer(channel_and_path, ServerReflectionRequest(file_by_filename=file.name))
    assert by_name.file_descriptor_response == told.file_descriptor_response


@pytest.mark.parametrize("symbol", ["mmesh.ModelRuntime", "google.protobuf.FileDescriptorProto", "x.Y", ""])
async def test_nothing_else_is(channel_and_path: tuple[grpc.aio.Channel, str], symbol: str) -> None:
    # Loaded in this process, as in the program, and still not to be had.
    from adapter.stubs.mmesh import model_runtime_pb2

    assert "ModelRuntime" in model_runtime_pb2.DESCRIPTOR.services_by_name
    told = await answer(channel_and_path, ServerReflectionRequest(file_containing_symbol=symbol))
    assert told.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
