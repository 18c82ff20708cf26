"""The management API between real sockets."""

from collections.abc import AsyncIterator

import grpc
import pytest

from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.servers.management import management_handlers
from adapter.stubs.mmesh import model_mesh_pb2 as mm
from adapter.stubs.mmesh.model_mesh_pb2_grpc import ModelMeshStub
from tests.fakes.doors import connected
from tests.fakes.management import FakeManagement

IRIS = ModelId("iris")
INFO = mm.ModelInfo(type="rt:python", path="models/iris", key='{"storage_key": "s"}')
REGISTER_IRIS = mm.RegisterModelRequest(modelId=IRIS, modelInfo=INFO)


@pytest.fixture
def mesh() -> FakeManagement:
    return FakeManagement()


@pytest.fixture
async def channel(mesh: FakeManagement) -> AsyncIterator[grpc.aio.Channel]:
    async with connected(management_handlers(mesh)) as channel:
        yield channel


async def test_a_model_is_registered_loaded_and_forgotten(
    mesh: FakeManagement, channel: grpc.aio.Channel
) -> None:
    stub = ModelMeshStub(channel)
    assert (await stub.registerModel(REGISTER_IRIS)).status == mm.ModelStatusInfo.NOT_LOADED
    assert mesh.infos == {IRIS: ModelInfo(type="rt:python", path="models/iris", key='{"storage_key": "s"}')}
    loaded = await stub.ensureLoaded(mm.EnsureLoadedRequest(modelId=IRIS, sync=True, lastUsedTime=5))
    assert loaded.status == mm.ModelStatusInfo.LOADED
    assert (loaded.modelCopyInfos[0].location, loaded.modelCopyInfos[0].time) == ("i-1", 7)
    assert mesh.loaded == {IRIS: 5}
    await stub.unregisterModel(mm.UnregisterModelRequest(modelId=IRIS))
    status = await stub.getModelStatus(mm.GetStatusRequest(modelId=IRIS))
    assert status.status == mm.ModelStatusInfo.NOT_FOUND


async def test_a_registration_can_load_at_once(mesh: FakeManagement, channel: grpc.aio.Channel) -> None:
    request = mm.RegisterModelRequest(modelId=IRIS, modelInfo=INFO, loadNow=True, sync=True, lastUsedTime=9)
    assert (await ModelMeshStub(channel).registerModel(request)).status == mm.ModelStatusInfo.LOADED
    assert mesh.loaded == {IRIS: 9}


async def test_a_failed_load_is_a_status_and_no_error(
    mesh: FakeManagement, channel: grpc.aio.Channel
) -> None:
    mesh.failed[IRIS] = "DATA_LOSS: cannot be read"
    request = mm.RegisterModelRequest(modelId=IRIS, modelInfo=INFO, loadNow=True, sync=True)
    answer = await ModelMeshStub(channel).registerModel(request)
    assert answer.status == mm.ModelStatusInfo.LOADING_FAILED
    assert list(answer.errors) == ["DATA_LOSS: cannot be read"]


@pytest.mark.parametrize(
    ("method", "request_", "code", "text"),
    [
        pytest.param(
            "registerModel",
            mm.RegisterModelRequest(modelInfo=INFO),
            "INVALID_ARGUMENT",
            "non-empty modelId",
            id="no id",
        ),
        pytest.param(
            "registerModel",
            mm.RegisterModelRequest(modelId="x"),
            "INVALID_ARGUMENT",
            "model type",
            id="no type",
        ),
        pytest.param(
            "registerModel",
            mm.RegisterModelRequest(modelId="there", modelInfo=INFO),
            "ALREADY_EXISTS",
            "Model already exists with different attribute values",
            id="another model of that name",
        ),
        pytest.param(
            "ensureLoaded", mm.EnsureLoadedRequest(modelId="x"), "NOT_FOUND", "model not found", id="unknown"
        ),
        pytest.param(
            "setVModel",
            mm.SetVModelRequest(vModelId="v"),
            "UNIMPLEMENTED",
            "vmodels not supported",
            id="an alias",
        ),
    ],
)
async def test_a_wrong_call_is_refused(
    mesh: FakeManagement, channel: grpc.aio.Channel, method: str, request_: object, code: str, text: str
) -> None:
    mesh.infos[ModelId("there")] = ModelInfo(type="rt:other")
    with pytest.raises(grpc.aio.AioRpcError, match=text) as caught:
        await getattr(ModelMeshStub(channel), method)(request_)
    assert caught.value.code().name == code


@pytest.mark.parametrize(
    "method",
    ["mmesh.ModelMesh/addModel", "com.ibm.watson.tas.proto.TasRuntime/registerModel"],
    ids=["the older method", "the older service"],
)
async def test_older_names_still_work(mesh: FakeManagement, channel: grpc.aio.Channel, method: str) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{method}")
    await call(REGISTER_IRIS.SerializeToString())
    assert list(mesh.infos) == [IRIS]
