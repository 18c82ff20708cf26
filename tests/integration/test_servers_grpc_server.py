"""What the doors share: binding, limits, and errors that become statuses."""

import asyncio
from pathlib import Path

import grpc
import pytest

from adapter.domain.errors import (
    RegistryUnavailable,
)
from adapter.servers.grpc_server import TEXT_CHARS_MAX, CannotListen, ServerOptions, serving
from adapter.servers.inference import inference_handlers
from adapter.servers.management import management_handlers
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from adapter.stubs.mmesh import model_mesh_pb2 as mm
from adapter.stubs.mmesh.model_mesh_pb2_grpc import ModelMeshStub
from tests.fakes.doors import connected
from tests.fakes.management import FakeManagement


async def test_an_error_of_the_program_has_its_code_and_as_much_text_as_fits() -> None:
    mesh = FakeManagement(error=RegistryUnavailable("the registry does not answer" + "." * 10_000))
    async with connected(management_handlers(mesh)) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="the registry does not answer") as caught:
            await ModelMeshStub(channel).getModelStatus(mm.GetStatusRequest(modelId="iris"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert len(caught.value.details() or "") == TEXT_CHARS_MAX


async def test_a_port_that_is_taken_is_an_error_at_once() -> None:
    async with serving("127.0.0.1:0", ()) as port:
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(f"127.0.0.1:{port}", ()):
                pass


async def test_a_door_can_be_a_unix_socket(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/door.sock"
    async with (
        serving(address, inference_handlers(FakeManagement(), version="1")),
        grpc.aio.insecure_channel(address) as channel,
    ):
        assert (await GRPCInferenceServiceStub(channel).ServerLive(v2.ServerLiveRequest())).live


async def test_headers_beyond_the_limit_are_refused() -> None:
    options = ServerOptions(headers_bytes_max=1000)
    async with (
        serving("127.0.0.1:0", inference_handlers(FakeManagement(), version="1"), options=options) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ServerLive(v2.ServerLiveRequest(), metadata=(("x", "y" * 2000),))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(TimeoutError(), grpc.StatusCode.DEADLINE_EXCEEDED, id="a wait that was too long"),
        pytest.param(asyncio.CancelledError(), grpc.StatusCode.UNAVAILABLE, id="a flight that was given up"),
        pytest.param(ZeroDivisionError("secret"), grpc.StatusCode.INTERNAL, id="a mistake of ours"),
    ],
)
async def test_whatever_goes_wrong_the_client_is_answered(
    error: BaseException, code: grpc.StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(management_handlers(FakeManagement(error=error))) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ModelMeshStub(channel).getModelStatus(mm.GetStatusRequest(modelId="iris"))
    assert caught.value.code() is code
    assert "secret" not in str(caught.value.details())
    is_ours = code is grpc.StatusCode.INTERNAL
    assert [record.message for record in caplog.records] == ["a call failed unexpectedly"] * is_ours
