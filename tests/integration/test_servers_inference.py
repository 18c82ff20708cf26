"""Our own V2 answers between real sockets."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from adapter.domain.errors import RuntimeUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.servers import inference
from adapter.servers.inference import inference_handlers
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.fakes.doors import connected
from tests.fakes.management import FakeManagement

IRIS = ModelId("iris")


@pytest.fixture
def mesh() -> FakeManagement:
    return FakeManagement()


@pytest.fixture
async def channel(mesh: FakeManagement) -> AsyncIterator[grpc.aio.Channel]:
    async with connected(inference_handlers(mesh, version="1.2")) as channel:
        yield channel


async def test_the_server_tells_of_itself(mesh: FakeManagement, channel: grpc.aio.Channel) -> None:
    stub = GRPCInferenceServiceStub(channel)
    assert (await stub.ServerLive(v2.ServerLiveRequest())).live
    assert (await stub.ServerReady(v2.ServerReadyRequest())).ready
    assert await stub.ServerMetadata(v2.ServerMetadataRequest()) == v2.ServerMetadataResponse(
        name="remesh", version="1.2", extensions=["binary_tensor_data", "model_repository"]
    )
    mesh.error = RuntimeUnavailable("not yet")
    assert not (await stub.ServerReady(v2.ServerReadyRequest())).ready


@pytest.mark.parametrize(
    ("name", "metadata"),
    [("iris", ()), ("whatever", (("mm-model-id", "iris"),))],
    ids=["in the message", "in the headers, which come first"],
)
async def test_readiness_is_told_and_nothing_is_loaded_for_it(
    mesh: FakeManagement, channel: grpc.aio.Channel, name: str, metadata: tuple[tuple[str, str], ...]
) -> None:
    mesh.infos[IRIS] = ModelInfo(type="rt:python")
    stub = GRPCInferenceServiceStub(channel)
    request = v2.ModelReadyRequest(name=name)
    assert not (await stub.ModelReady(request, metadata=metadata)).ready
    assert not mesh.loaded
    mesh.loaded[IRIS] = 0
    assert (await stub.ModelReady(request, metadata=metadata)).ready


@pytest.mark.parametrize(
    ("name", "code"), [("", "INVALID_ARGUMENT"), ("x", "NOT_FOUND")], ids=["none", "unknown"]
)
async def test_readiness_of_no_model_is_an_error(channel: grpc.aio.Channel, name: str, code: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await GRPCInferenceServiceStub(channel).ModelReady(v2.ModelReadyRequest(name=name))
    assert caught.value.code().name == code


async def test_the_models_are_listed_page_by_page(
    mesh: FakeManagement, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "INDEX_PAGE", 2)
    mesh.infos = {ModelId(name): ModelInfo(type="rt:python") for name in "cabed"}
    mesh.loaded, mesh.failed = {ModelId("b"): 0}, {ModelId("c"): "no"}
    stub = GRPCInferenceServiceStub(channel)
    models = (await stub.RepositoryIndex(v2.RepositoryIndexRequest())).models
    assert [model.name for model in models] == ["a", "b", "c", "d", "e"]
    assert [model.state for model in models[:3]] == ["UNAVAILABLE", "READY", "UNAVAILABLE"]
    assert "getModelStatus" in models[2].reason
    ready = (await stub.RepositoryIndex(v2.RepositoryIndexRequest(ready=True))).models
    assert [model.name for model in ready] == ["b"]


async def test_a_list_that_fits_no_answer_is_refused(
    mesh: FakeManagement, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "INDEX_MODELS_MAX", 1)
    mesh.infos = {ModelId(name): ModelInfo(type="rt:python") for name in "ab"}
    with pytest.raises(grpc.aio.AioRpcError, match="more than 1 models"):
        await GRPCInferenceServiceStub(channel).RepositoryIndex(v2.RepositoryIndexRequest())


@pytest.mark.parametrize(
    "named", [{"model_name": "iris"}, {"repository_name": "iris"}], ids=["as Triton", "as KServe"]
)
async def test_a_registered_model_is_loaded_and_unloaded(
    mesh: FakeManagement, channel: grpc.aio.Channel, named: dict[str, Any]
) -> None:
    mesh.infos[IRIS] = ModelInfo(type="rt:python")
    stub = GRPCInferenceServiceStub(channel)
    loaded = await stub.RepositoryModelLoad(v2.RepositoryModelLoadRequest(**named))
    assert loaded == v2.RepositoryModelLoadResponse(model_name="iris", isLoaded=True)
    assert IRIS in mesh.loaded
    unloaded = await stub.RepositoryModelUnload(v2.RepositoryModelUnloadRequest(**named))
    assert unloaded == v2.RepositoryModelUnloadResponse(model_name="iris", isUnloaded=True)
    assert IRIS in mesh.infos
    assert IRIS not in mesh.loaded


@pytest.mark.parametrize(
    ("name", "code"),
    [("", "INVALID_ARGUMENT"), ("nobody", "NOT_FOUND"), ("iris", "DATA_LOSS")],
    ids=["no name", "not registered", "the load fails"],
)
async def test_a_load_that_fails_tells_why(
    mesh: FakeManagement, channel: grpc.aio.Channel, name: str, code: str
) -> None:
    mesh.infos[IRIS], mesh.failed[IRIS] = ModelInfo(type="rt:python"), "unreadable"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await GRPCInferenceServiceStub(channel).RepositoryModelLoad(
            v2.RepositoryModelLoadRequest(model_name=name)
        )
    assert caught.value.code().name == code


@pytest.mark.parametrize(
    ("name", "code"),
    [("", "INVALID_ARGUMENT"), ("nobody", "NOT_FOUND")],
    ids=["no name", "not registered"],
)
async def test_an_unload_of_nothing_is_an_error(channel: grpc.aio.Channel, name: str, code: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await GRPCInferenceServiceStub(channel).RepositoryModelUnload(
            v2.RepositoryModelUnloadRequest(model_name=name)
        )
    assert caught.value.code().name == code
