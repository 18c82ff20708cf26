"""The SPI between real sockets."""

from collections.abc import AsyncIterator

import grpc
import pytest

from adapter.domain.errors import FormatUnsupported, RuntimeFailed, RuntimeUnavailable
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import RuntimeState, RuntimeStatus
from adapter.servers.model_runtime import model_runtime_handlers
from adapter.stubs.mmesh import model_runtime_pb2 as spi
from adapter.stubs.mmesh.model_runtime_pb2_grpc import ModelRuntimeStub
from tests.fakes.doors import connected
from tests.fakes.management import FakeRuntimeSpi

IRIS = ModelId("iris")


@pytest.fixture
def runtime() -> FakeRuntimeSpi:
    return FakeRuntimeSpi()


@pytest.fixture
async def channel(runtime: FakeRuntimeSpi) -> AsyncIterator[grpc.aio.Channel]:
    async with connected(model_runtime_handlers(runtime)) as channel:
        yield channel


async def test_a_foreign_mesh_loads_and_unloads(runtime: FakeRuntimeSpi, channel: grpc.aio.Channel) -> None:
    stub = ModelRuntimeStub(channel)
    runtime.sizes[IRIS] = 1000
    request = spi.LoadModelRequest(modelId=IRIS, modelType="rt:python", modelPath="p", modelKey="{}")
    assert await stub.loadModel(request) == spi.LoadModelResponse(sizeInBytes=1000, maxConcurrency=3)
    assert runtime.held == {IRIS: ModelInfo(type="rt:python", path="p", key="{}")}
    assert (await stub.modelSize(spi.ModelSizeRequest(modelId=IRIS))).sizeInBytes == 1000
    assert (await stub.predictModelSize(spi.PredictModelSizeRequest(modelId=IRIS))).sizeInBytes == 1000
    await stub.unloadModel(spi.UnloadModelRequest(modelId=IRIS))
    assert not runtime.held


async def test_a_runtime_that_tells_no_size_is_asked_later_or_not(channel: grpc.aio.Channel) -> None:
    stub = ModelRuntimeStub(channel)
    assert (await stub.loadModel(spi.LoadModelRequest(modelId=IRIS))).sizeInBytes == 0
    for call in (
        stub.modelSize(spi.ModelSizeRequest(modelId=IRIS)),
        stub.predictModelSize(spi.PredictModelSizeRequest(modelId=IRIS)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_failed_load_has_its_code(runtime: FakeRuntimeSpi, channel: grpc.aio.Channel) -> None:
    runtime.error = FormatUnsupported("pickles are not loaded here")
    with pytest.raises(grpc.aio.AioRpcError, match="pickles") as caught:
        await ModelRuntimeStub(channel).loadModel(spi.LoadModelRequest(modelId=IRIS))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_ready_runtime_tells_everything(runtime: FakeRuntimeSpi, channel: grpc.aio.Channel) -> None:
    runtime.state = RuntimeStatus(
        state=RuntimeState.READY,
        capacity_bytes=2**33,
        loading_concurrency=2,
        loading_timeout_s=90.0,
        version="v1",
        methods={"a.B/C": (1, 1), "a.B/D": ()},
        any_method=True,
    )
    status = await ModelRuntimeStub(channel).runtimeStatus(spi.RuntimeStatusRequest())
    assert status.status == spi.RuntimeStatusResponse.READY
    assert (status.capacityInBytes, status.modelLoadingTimeoutMs) == (2**33, 90_000)
    assert {name: list(info.idInjectionPath) for name, info in status.methodInfos.items()} == {
        "a.B/C": [1, 1],
        "a.B/D": [],
    }
    assert status.allowAnyMethod


async def test_a_runtime_that_is_not_there_is_starting(
    runtime: FakeRuntimeSpi, channel: grpc.aio.Channel
) -> None:
    runtime.error = RuntimeUnavailable("connection refused")
    status = await ModelRuntimeStub(channel).runtimeStatus(spi.RuntimeStatusRequest())
    assert status == spi.RuntimeStatusResponse(status=spi.RuntimeStatusResponse.STARTING)


async def test_before_it_is_ready_a_runtime_tells_its_state_alone(
    runtime: FakeRuntimeSpi, channel: grpc.aio.Channel
) -> None:
    stub = ModelRuntimeStub(channel)
    runtime.state = RuntimeStatus(state=RuntimeState.FAILING, capacity_bytes=5)
    status = await stub.runtimeStatus(spi.RuntimeStatusRequest())
    assert status == spi.RuntimeStatusResponse(status=spi.RuntimeStatusResponse.FAILING)
    runtime.error = RuntimeFailed("the purge failed")
    with pytest.raises(grpc.aio.AioRpcError, match="the purge failed"):
        await stub.runtimeStatus(spi.RuntimeStatusRequest())
