"""The management API between real sockets."""

from collections.abc import AsyncIterator

import grpc
import pytest

from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules, ModelInfo
from adapter.servers.management import GET_STATE, LOG_STATE, management_handlers
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
    state = ["CACHESTATE: iris active", "CLUSTSTATE: one instance"]
    async with connected(management_handlers(mesh, state=lambda: state)) as channel:
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
        pytest.param(
            "registerModel",
            mm.RegisterModelRequest(
                modelId="x", modelInfo=INFO, copyRules=mm.CopyRules(minCopies=2, maxCopies=1)
            ),
            "INVALID_ARGUMENT",
            "maxCopies",
            id="rules that contradict themselves",
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


async def test_rules_of_copies_are_passed_on_and_may_be_absent(
    mesh: FakeManagement, channel: grpc.aio.Channel
) -> None:
    stub = ModelMeshStub(channel)
    await stub.registerModel(REGISTER_IRIS)
    assert mesh.rules == {}
    rules = mm.CopyRules(minCopies=1, maxCopies=3, pin=True)
    await stub.registerModel(mm.RegisterModelRequest(modelId=IRIS, modelInfo=INFO, copyRules=rules))
    assert mesh.rules == {IRIS: CopyRules(copies_min=1, copies_max=3, pinned=True)}


async def test_the_state_of_the_instance_is_told_and_logged(
    channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    stub = ModelMeshStub(channel)
    told = await stub.getModelStatus(mm.GetStatusRequest(modelId=GET_STATE))
    assert told.status == mm.ModelStatusInfo.UNKNOWN
    assert list(told.errors) == ["CACHESTATE: iris active", "CLUSTSTATE: one instance"]
    assert "CACHESTATE" not in str([vars(record) for record in caplog.records])
    told = await stub.getModelStatus(mm.GetStatusRequest(modelId=LOG_STATE))
    assert (told.status, list(told.errors)) == (mm.ModelStatusInfo.UNKNOWN, [])
    logged = [vars(record).get("line") for record in caplog.records]
    assert [line for line in logged if line] == ["CACHESTATE: iris active", "CLUSTSTATE: one instance"]


@pytest.mark.parametrize(
    "method",
    ["mmesh.ModelMesh/addModel", "com.ibm.watson.tas.proto.TasRuntime/registerModel"],
    ids=["the older method", "the older service"],
)
async def test_older_names_still_work(mesh: FakeManagement, channel: grpc.aio.Channel, method: str) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{method}")
    await call(REGISTER_IRIS.SerializeToString())
    assert list(mesh.infos) == [IRIS]
