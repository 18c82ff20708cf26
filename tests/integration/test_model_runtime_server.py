"""The example runtime that other tests build on, as a process of its own."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from adapter.stubs.mmesh import model_runtime_pb2 as spi
from adapter.stubs.mmesh.model_runtime_pb2_grpc import ModelRuntimeStub
from tests.fakes.example_predictor import PREDICT, PredictRequest, PredictResponse
from tests.integration import mesh

COMMAND = [sys.executable, "-m", "tests.fakes.model_runtime_server"]


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    port = mesh.free_port()
    command = [*COMMAND, "--port", str(port), "--methods", "a.B/C=1,2;a.B/D="]
    with mesh.started(command, output=tmp_path / "runtime.log") as process:
        mesh.wait_until_serving(port, process)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
            yield opened
        assert process.stop() == 0, process.said


async def load(channel: grpc.aio.Channel, model: str, path: str = "") -> None:
    await ModelRuntimeStub(channel).loadModel(spi.LoadModelRequest(modelId=model, modelPath=path))


async def test_it_tells_the_methods_that_it_was_given(channel: grpc.aio.Channel) -> None:
    told = await ModelRuntimeStub(channel).runtimeStatus(spi.RuntimeStatusRequest())
    assert {name: list(method.idInjectionPath) for name, method in told.methodInfos.items()} == {
        "a.B/C": [1, 2],
        "a.B/D": [],
    }


async def test_a_failing_path_fails_the_first_load_only(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="no luck"):
        await load(channel, "iris", "FAIL_no luck")
    await load(channel, "iris", "FAIL_no luck")


async def test_inputs_come_back_as_outputs(channel: grpc.aio.Channel) -> None:
    await load(channel, "iris", "SIZE_1000_0_0")
    request = v2.ModelInferRequest(model_name="iris", id="41", raw_input_contents=[b"\1\2\3\4"])
    request.inputs.add(name="x", datatype="INT32", shape=[1])
    answer = await GRPCInferenceServiceStub(channel).ModelInfer(request)
    assert (answer.model_name, answer.id, list(answer.raw_output_contents)) == ("iris", "41", [b"\1\2\3\4"])
    assert [(out.name, out.datatype, list(out.shape)) for out in answer.outputs] == [("x", "INT32", [1])]


async def test_the_example_predictor_takes_the_model_from_the_header(channel: grpc.aio.Channel) -> None:
    await load(channel, "iris")
    predict = channel.unary_unary(
        PREDICT,
        request_serializer=PredictRequest.SerializeToString,
        response_deserializer=PredictResponse.FromString,
    )
    request = PredictRequest(modelName="alias", text="a rose")
    answer = await predict(request, metadata=[("mm-model-id", "iris")])
    assert [result.category for result in answer.results] == [
        "classification for a rose by model iris",
        "alias",
    ]
    with pytest.raises(grpc.aio.AioRpcError, match="'alias' is not loaded"):
        await predict(request)


async def test_the_index_counts_loads_and_unloads(channel: grpc.aio.Channel) -> None:
    for _ in range(2):
        await load(channel, "iris")
        await ModelRuntimeStub(channel).unloadModel(spi.UnloadModelRequest(modelId="iris"))
    index = await GRPCInferenceServiceStub(channel).RepositoryIndex(v2.RepositoryIndexRequest())
    assert [(entry.name, entry.state, entry.reason) for entry in index.models] == [
        ("iris", "UNAVAILABLE", "loads=2 unloads=2")
    ]
