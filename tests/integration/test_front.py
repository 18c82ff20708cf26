"""The doors of a running instance: which there are, what each offers and to whom, and how they close."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.servers.grpc_server import serving
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from adapter.stubs.mmesh import model_mesh_pb2 as mm
from adapter.stubs.mmesh.model_mesh_pb2_grpc import ModelMeshStub
from tests.fakes.doors import INFER, WAIT_S_MAX, unary
from tests.fakes.generic_runtime import SERVICE, GenericRuntime
from tests.fakes.model_runtime_server import ExampleRuntime
from tests.integration import certificates, mesh
from tests.integration.certificates import Certificates
from tests.integration.mesh import Instance, an_instance

LOCALHOST = [("grpc.default_authority", "localhost")]
INFO = ModelInfo(type="rt:x", path="SIZE_1000_5_0")
REGISTER = mm.RegisterModelRequest(
    modelId="iris", modelInfo=mm.ModelInfo(type=INFO.type, path=INFO.path), loadNow=True, sync=True
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


async def register(address: str) -> grpc.StatusCode:
    """How a registration there ends."""
    async with grpc.aio.insecure_channel(address, LOCALHOST) as channel:
        try:
            await ModelMeshStub(channel).registerModel(REGISTER, timeout=WAIT_S_MAX)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def answers(address: str) -> bool:
    """Whether inference is answered there."""
    async with grpc.aio.insecure_channel(address, LOCALHOST) as channel:
        request = v2.ModelInferRequest(model_name="iris")
        answer = await GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=WAIT_S_MAX)
        return bool(answer.model_name == "iris")


async def test_management_answers_at_its_own_addresses_alone(tmp_path: Path) -> None:
    port, socket, door = mesh.free_port(), tmp_path / "m.sock", tmp_path / "grpc.sock"
    env: dict[str, Any] = {
        "REMESH_MANAGEMENT_PORT": str(port),
        "REMESH_MANAGEMENT_SOCKET_PATH": str(socket),
        "REMESH_GRPC_SOCKET_PATH": str(door),
    }
    async with an_instance(tmp_path, ExampleRuntime(), **env) as up:
        for address in (up.address, f"unix:{door}"):
            assert await register(address) is grpc.StatusCode.PERMISSION_DENIED
        for address in (f"127.0.0.1:{port}", f"unix:{socket}"):
            assert await register(address) is grpc.StatusCode.OK
        for address in (up.address, f"unix:{door}", f"127.0.0.1:{port}", f"unix:{socket}"):
            assert await answers(address)
    assert not socket.exists()
    assert not door.exists()


async def test_management_answers_certain_certificates_alone(tmp_path: Path, made: Certificates) -> None:
    env: dict[str, Any] = {
        "MM_TLS_KEY_CERT_PATH": str(made.server),
        "MM_TLS_PRIVATE_KEY_PATH": str(made.server_key),
        "MM_TLS_CLIENT_AUTH": "OPTIONAL",
        "MM_TLS_TRUST_CERT_PATH": str(made.authority),
        "REMESH_MANAGEMENT_CLIENTS": "operator",
    }
    async with an_instance(tmp_path, ExampleRuntime(), **env) as up:
        codes = {}
        for client in ("", "caller", "operator"):
            key, chain = (
                (made.client_key(client).read_bytes(), made.client(client).read_bytes())
                if client
                else (None, None)
            )
            shown = grpc.ssl_channel_credentials(made.authority.read_bytes(), key, chain)
            async with grpc.aio.secure_channel(f"localhost:{up.port}", shown) as channel:
                assert (await GRPCInferenceServiceStub(channel).ServerLive(v2.ServerLiveRequest())).live
                try:
                    await ModelMeshStub(channel).registerModel(REGISTER, timeout=WAIT_S_MAX)
                except grpc.aio.AioRpcError as error:
                    codes[client] = error.code()
                else:
                    codes[client] = grpc.StatusCode.OK
    denied = grpc.StatusCode.PERMISSION_DENIED
    assert codes == {"": denied, "caller": denied, "operator": grpc.StatusCode.OK}


@pytest.fixture
async def tls_serving(made: Certificates) -> AsyncIterator[int]:
    """The port of a runtime that answers inference over TLS alone."""
    server = grpc.aio.server(handlers=[GenericRuntime()])
    pair = (made.server_key.read_bytes(), made.server.read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await server.start()
    yield port
    await server.stop(0)


async def test_inference_goes_to_the_runtime_over_tls(
    tmp_path: Path, made: Certificates, tls_serving: int
) -> None:
    env: dict[str, Any] = {
        "INTERNAL_SERVING_GRPC_PORT": str(tls_serving),
        "REMESH_RUNTIME_TLS_TRUST_CERT_PATH": str(made.authority),
    }
    async with an_instance(tmp_path, ExampleRuntime(), **env) as up, up.client() as client:
        await client.register(ModelId("iris"), INFO, load_now=True)
        async with grpc.aio.insecure_channel(up.address) as channel:
            message = v2.ModelInferRequest(model_name="iris").SerializeToString()
            assert await unary(channel, INFER, message) == message


async def test_rest_is_on_its_port(tmp_path: Path) -> None:
    port = mesh.free_port()
    env: dict[str, Any] = {"REST_PROXY_LISTEN_PORT": str(port)}
    async with an_instance(tmp_path, ExampleRuntime(), **env):
        url = f"http://127.0.0.1:{port}/v2/health/live"
        answer = await asyncio.to_thread(urllib.request.urlopen, url, timeout=WAIT_S_MAX)
        assert answer.status == 200
        answer.close()


@pytest.mark.parametrize(
    ("env", "said"),
    [
        pytest.param({"MM_SVC_GRPC_PORT": "TAKEN"}, "cannot listen on 127.0.0.1:", id="the port"),
        pytest.param(
            {"REST_PROXY_LISTEN_PORT": "TAKEN"}, "cannot listen on 127.0.0.1:", id="the port of REST"
        ),
        pytest.param(
            {"MM_TLS_KEY_CERT_PATH": "/no/tls.crt", "MM_TLS_PRIVATE_KEY_PATH": "/no/tls.key"},
            "/no/tls.crt cannot be read",
            id="the certificate",
        ),
        pytest.param(
            {"REMESH_RUNTIME_TLS_TRUST_CERT_PATH": "/no/ca.pem"},
            "/no/ca.pem cannot be read",
            id="who signs the runtime's certificate",
        ),
    ],
)
async def test_a_door_that_cannot_be_opened_ends_it_with_a_line(
    tmp_path: Path, env: dict[str, str], said: str
) -> None:
    async with serving("127.0.0.1:0", ()) as taken:
        told: dict[str, Any] = {
            name: str(taken) if value == "TAKEN" else value for name, value in env.items()
        }
        with pytest.raises(AssertionError, match=f"remesh: .*{said}") as caught:
            async with an_instance(tmp_path, ExampleRuntime(), **told):
                pytest.fail("it started")
    assert "Traceback" not in str(caught.value)


async def test_a_call_in_flight_ends_before_the_instance_does(tmp_path: Path) -> None:
    runtime = GenericRuntime()
    async with serving("127.0.0.1:0", [runtime]) as port:
        env: dict[str, Any] = {"INTERNAL_SERVING_GRPC_PORT": str(port)}
        async with an_instance(tmp_path, ExampleRuntime(), **env) as up, up.client() as client:
            await client.register(ModelId("iris"), INFO, load_now=True)
            await _stream_over_the_stop(up)


async def _stream_over_the_stop(up: Instance) -> None:
    async with grpc.aio.insecure_channel(up.address) as channel:
        chat: grpc.aio.StreamStreamMultiCallable[Any, Any] = channel.stream_stream(f"/{SERVICE}/Chat")
        call = chat(metadata=(("mm-model-id", "iris"),), timeout=WAIT_S_MAX)
        await call.write(b"one")
        assert await call.read() == b"re one"
        stopping = asyncio.ensure_future(asyncio.to_thread(up.process.stop))
        await asyncio.to_thread(mesh.wait_until_said, "stopping", up.process)
        await call.write(b"two")
        assert await call.read() == b"re two"
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK
        assert await stopping == 0
