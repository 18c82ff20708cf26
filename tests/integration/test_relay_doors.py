"""Who may infer need not be who may manage: an address of its own, or certificates with certain names."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from adapter.domain.errors import Code
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from adapter.stubs.mmesh import model_mesh_pb2 as mm
from adapter.stubs.mmesh.model_mesh_pb2_grpc import ModelMeshStub
from tests.integration import certificates, mesh
from tests.integration.certificates import Certificates
from tests.integration.clients import meshes
from tests.integration.clients.meshes import MODEL, Door
from tests.integration.raw_http2 import Pair, RawClient, grpc_message
from tests.integration.watched import TO_MODEL, UNARY

INFO = mm.ModelInfo(type="rt:echo", path="anywhere")

MANAGING: dict[str, Callable[[grpc.Channel], object]] = {
    "registerModel": lambda channel: ModelMeshStub(channel).registerModel(
        mm.RegisterModelRequest(modelId=MODEL, modelInfo=INFO, loadNow=True, sync=True), timeout=10
    ),
    "getModelStatus": lambda channel: ModelMeshStub(channel).getModelStatus(
        mm.GetStatusRequest(modelId=MODEL), timeout=10
    ),
    "ensureLoaded": lambda channel: ModelMeshStub(channel).ensureLoaded(
        mm.EnsureLoadedRequest(modelId=MODEL, sync=True), timeout=10
    ),
    "RepositoryModelLoad": lambda channel: GRPCInferenceServiceStub(channel).RepositoryModelLoad(
        v2.RepositoryModelLoadRequest(model_name=MODEL), timeout=10
    ),
    "RepositoryModelUnload": lambda channel: GRPCInferenceServiceStub(channel).RepositoryModelUnload(
        v2.RepositoryModelUnloadRequest(model_name=MODEL), timeout=10
    ),
    "unregisterModel": lambda channel: ModelMeshStub(channel).unregisterModel(
        mm.UnregisterModelRequest(modelId=MODEL), timeout=10
    ),
}
"""In an order in which each of them works."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory, made: Certificates) -> Iterator[meshes.EchoRuntime]:
    with meshes.echo_runtime(tmp_path_factory.mktemp("runtime"), made) as running:
        yield running


class Apart:
    """An instance that is managed at addresses of their own."""

    def __init__(self, folder: Path) -> None:
        self.port, self.rest_port = mesh.free_port(), mesh.free_port()
        self.socket = folder / "management.sock"
        self.no_secrets = folder / "nothing"
        self.inference_port = 0

    @property
    def env(self) -> dict[str, str]:
        return {
            "REMESH_MANAGEMENT_PORT": str(self.port),
            "REMESH_MANAGEMENT_SOCKET_PATH": str(self.socket),
            "REST_PROXY_LISTEN_PORT": str(self.rest_port),
            "STORAGE_CONFIG_DIR": str(self.no_secrets),  # the runtime loads without files
            "MM_METRICS": "disabled",
        }

    def channel(self, address: str) -> grpc.Channel:
        target = {"port": f"127.0.0.1:{self.port}", "socket": f"unix:{self.socket}"}
        return grpc.insecure_channel(
            target.get(address, f"127.0.0.1:{self.inference_port}"), [("grpc.default_authority", "localhost")]
        )


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, runtime: meshes.EchoRuntime) -> Iterator[Apart]:
    folder = tmp_path_factory.mktemp("apart")
    told = Apart(folder)
    with mesh.instance(folder, runtime="model-runtime", runtime_port=runtime.port, **told.env) as running:
        told.inference_port = running.port
        yield told


def code_of(call: Callable[[], object]) -> grpc.StatusCode:
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("address", ["port", "socket"])
def test_management_is_answered_at_its_own_address(apart: Apart, address: str) -> None:
    with apart.channel(address) as channel:
        assert {code_of(lambda: ask(channel)) for ask in MANAGING.values()} == {grpc.StatusCode.OK}  # noqa: B023


@pytest.mark.parametrize("method", MANAGING)
def test_management_is_not_answered_where_inference_is(apart: Apart, method: str) -> None:
    with apart.channel("inference") as channel, pytest.raises(grpc.RpcError) as refused:
        MANAGING[method](channel)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "management address" in str(refused.value)


def test_who_may_not_manage_may_infer_and_look(apart: Apart) -> None:
    with apart.channel("port") as managing:
        MANAGING["registerModel"](managing)
    with apart.channel("inference") as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ModelInfer(v2.ModelInferRequest(model_name=MODEL), timeout=10).model_name == MODEL
        assert stub.ServerLive(v2.ServerLiveRequest(), timeout=10).live
        index = stub.RepositoryIndex(v2.RepositoryIndexRequest(), timeout=10)
        assert [model.name for model in index.models] == [MODEL]


@pytest.mark.parametrize("deed", ["load", "unload"])
def test_management_is_not_answered_over_rest_either(apart: Apart, deed: str) -> None:
    url = f"http://127.0.0.1:{apart.rest_port}/v2/repository/models/{MODEL}/{deed}"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, data=b"{}", method="POST"), timeout=10)
    with refused.value as answer:
        assert answer.status == 403
        assert json.load(answer)["code"] == Code.PERMISSION_DENIED


ODD_PATHS = (
    "/mmesh.ModelMesh/unregisterModel",
    "mmesh.ModelMesh/unregisterModel?x",
    "mmesh.ModelMesh//unregisterModel",
    "mmesh.ModelMesh/unregisterModel/",
    "mmesh.ModelMesh%2FunregisterModel",
    "MMESH.MODELMESH/unregisterModel",
    "./mmesh.ModelMesh/unregisterModel",
    "/mmesh.ModelRuntime/unloadModel",
    "mmesh.ModelRuntime/unloadModel",
    "mmesh.ModelRuntime%2FunloadModel",
)


@pytest.mark.parametrize("path", ODD_PATHS)
def test_no_way_around(apart: Apart, path: str) -> None:
    with apart.channel("port") as managing:
        MANAGING["registerModel"](managing)
        message = mm.UnregisterModelRequest(modelId=MODEL).SerializeToString()
        with RawClient(apart.inference_port) as client:
            named: list[Pair] = [*TO_MODEL]
            answer = client.answer(client.call(path, message, named))
            assert answer.status in {Code.PERMISSION_DENIED, Code.UNIMPLEMENTED}, answer
            # The runtime still has it, and the mesh too.
            assert client.answer(client.call(UNARY, b"x", named)).data == grpc_message(b"x")
        status = ModelMeshStub(managing).getModelStatus(mm.GetStatusRequest(modelId=MODEL), timeout=10)
        assert status.status == mm.ModelStatusInfo.LOADED


# By certificates.


@pytest.fixture(scope="module")
def named(
    tmp_path_factory: pytest.TempPathFactory, made: Certificates, runtime: meshes.EchoRuntime
) -> Iterator[Door]:
    env = {
        "REMESH_MANAGEMENT_CLIENTS": "somebody, caller",
        "MM_TLS_CLIENT_AUTH": "OPTIONAL",
        "MM_METRICS": "disabled",
    }
    with meshes.relay(tmp_path_factory.mktemp("named"), runtime, made, door="mtls", **env) as door:
        yield door


def channel_of(door: Door, made: Certificates, who: str | None) -> grpc.Channel:
    files = {"ca": made.authority}
    if who is not None:
        files |= {"cert": made.client(who), "key": made.client_key(who)}
    return replace(door, files=files).channel()


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("caller", grpc.StatusCode.OK),
        ("operator", grpc.StatusCode.PERMISSION_DENIED),
        (None, grpc.StatusCode.PERMISSION_DENIED),
    ],
    ids=["one who is named", "one who is not", "nobody"],
)
def test_only_named_clients_manage(
    named: Door, made: Certificates, who: str | None, code: grpc.StatusCode
) -> None:
    with channel_of(named, made, who) as channel:
        assert {code_of(lambda: ask(channel)) for ask in MANAGING.values()} == {code}  # noqa: B023
        registered = MANAGING["registerModel"]
        with channel_of(named, made, "caller") as managing:
            registered(managing)
        infer = GRPCInferenceServiceStub(channel).ModelInfer
        assert infer(v2.ModelInferRequest(model_name=MODEL), timeout=10).model_name == MODEL
