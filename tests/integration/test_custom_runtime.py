"""An instance before a server that implements only `mmesh.ModelRuntime` and its own inference.

As ModelMesh's custom runtimes do: started by ModelMesh's own environment, asked by any client.
"""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from adapter.domain.errors import Code
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.status import ModelStatus
from adapter.peers.mesh_client import MeshRefused
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.mmesh import model_mesh_pb2 as mm
from tests.fakes import example_predictor as example
from tests.fakes.model_runtime_server import ExampleRuntime
from tests.integration import mesh
from tests.integration.conftest import MinioServer
from tests.integration.mesh import Instance, an_instance

IRIS = ModelId("iris")
SIZED = "SIZE_1000_5_0"
V2 = "inference.GRPCInferenceService"


async def predict(up: Instance, text: str, **metadata: str) -> list[str]:
    """Ask the example predictor; the categories of its answer."""
    pairs = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
    async with grpc.aio.insecure_channel(up.address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[Any, Any] = channel.unary_unary(
            example.PREDICT,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=example.PredictResponse.FromString,
        )
        answer = await call(example.PredictRequest(modelName="in-message", text=text), metadata=pairs)
    return [result.category for result in answer.results]


async def raw(channel: grpc.aio.Channel, method: str, message: bytes, *metadata: tuple[str, str]) -> bytes:
    call: Callable[..., Awaitable[bytes]] = channel.unary_unary(f"/{method}")
    return await call(message, metadata=metadata)


async def test_registered_with_load_now_then_asked_by_header(tmp_path: Path) -> None:
    runtime = ExampleRuntime()
    async with an_instance(tmp_path, runtime) as up:
        async with up.client() as client:
            told = await client.register(
                IRIS, ModelInfo(type="rt:x", path=SIZED, key="opaque"), load_now=True
            )
        assert told.status is ModelStatus.LOADED
        assert runtime.held == {"iris": 1000}
        said = await predict(up, "hello", mm_model_id="iris")
    sent = runtime.received[0]
    assert said[0] == "classification for hello by model iris"
    assert (sent.modelType, sent.modelPath, sent.modelKey) == ("rt:x", SIZED, "opaque"), "passed on as it is"


async def test_a_model_named_in_the_message_where_the_configuration_says_so(tmp_path: Path) -> None:
    config = {"rpcConfigs": {f"{V2}/ModelInfer": {"idExtractionPath": [1], "vModelId": True}}}
    runtime = ExampleRuntime(methods={f"{V2}/ModelInfer": [1]})
    async with (
        an_instance(tmp_path, runtime, MM_DATAPLANE_CONFIG=json.dumps(config)) as up,
        up.client() as client,
    ):
        await client.register(IRIS, ModelInfo(type="rt:x", path=SIZED))
        with pytest.raises(MeshRefused, match="vmodel not found"):
            await client.infer(v2.ModelInferRequest(model_name="iris", id="6"))
        await client.set_vmodel("iris", IRIS)
        answer = await client.infer(v2.ModelInferRequest(model_name="iris", id="7"))
        assert (answer.response.model_name, answer.response.id) == ("iris", "7")
        with pytest.raises(MeshRefused) as error:
            await client.metadata(IRIS)
    assert error.value.status is Code.UNIMPLEMENTED, "not in the configuration, and allowOtherRpcs is off"


async def test_without_configuration_the_v2_messages_name_the_model_themselves(tmp_path: Path) -> None:
    async with an_instance(tmp_path, ExampleRuntime()) as up, up.client() as client:
        await client.register(IRIS, ModelInfo(type="rt:x", path=SIZED))
        assert (await client.infer(v2.ModelInferRequest(model_name="iris"))).response.model_name == "iris"


async def test_a_runtime_on_a_unix_socket(tmp_path: Path) -> None:
    async with (
        an_instance(tmp_path, ExampleRuntime(), socket=tmp_path / "grpc.sock") as up,
        up.client() as client,
    ):
        await client.register(IRIS, ModelInfo(type="rt:x", path=SIZED), load_now=True)
        assert (await predict(up, "hello", mm_model_id="iris"))[0].endswith("iris")


async def test_a_runtime_that_forgot_its_models_is_told_to_load_again(tmp_path: Path) -> None:
    runtime = ExampleRuntime()
    async with an_instance(tmp_path, runtime) as up, up.client() as client:
        await client.register(IRIS, ModelInfo(type="rt:x", path=SIZED), load_now=True)
        await predict(up, "test:purge-models", mm_model_id="iris")
        assert (await predict(up, "hello", mm_model_id="iris"))[0].endswith("iris")
    assert runtime.loads["iris"] == 2


async def test_a_load_that_the_runtime_refuses_is_told_with_its_words(tmp_path: Path) -> None:
    async with an_instance(tmp_path, ExampleRuntime()) as up, up.client() as client:
        told = await client.register(IRIS, ModelInfo(type="rt:x", path="FAIL_no_such_layer"), load_now=True)
        assert told.status is ModelStatus.LOADING_FAILED
        assert told.errors == ("INTERNAL: no_such_layer",)
        with pytest.raises(MeshRefused, match="no_such_layer") as error:
            await client.infer(v2.ModelInferRequest(model_name="iris"))
    assert error.value.status is Code.INTERNAL


async def test_with_storage_config_mounted_we_pull_and_rewrite(tmp_path: Path, minio: MinioServer) -> None:
    minio.put("custom", "path/model.bin", b"x" * 123)
    mesh.storage_key(tmp_path, "localMinIO", **minio.storage_key("custom"))
    runtime = ExampleRuntime()
    key = {"storage_key": "localMinIO", "model_type": {"name": "custom"}}
    async with an_instance(tmp_path, runtime, keys=True) as up, up.client() as client:
        info = ModelInfo(type="rt:x", path="path/model.bin", key=json.dumps(key))
        told = await client.register(IRIS, info, load_now=True)
        assert told.status is ModelStatus.LOADED, told.errors
        sent = runtime.received[0]
        assert Path(sent.modelPath).read_bytes() == b"x" * 123
        assert json.loads(sent.modelKey) == {"model_type": {"name": "custom"}, "disk_size_bytes": 123}


async def test_a_message_above_the_limit_is_refused(tmp_path: Path) -> None:
    async with (
        an_instance(tmp_path, ExampleRuntime(), MM_SVC_GRPC_MAX_MSG_SIZE="1000") as up,
        up.client() as client,
    ):
        await client.register(IRIS, ModelInfo(type="rt:x", path=SIZED))
        big = v2.ModelInferRequest(model_name="iris", raw_input_contents=[b"x" * 2000])
        with pytest.raises(MeshRefused) as error:
            await client.infer(big)
        assert error.value.status is Code.RESOURCE_EXHAUSTED
        await client.infer(v2.ModelInferRequest(model_name="iris"))


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        pytest.param({}, grpc.StatusCode.INVALID_ARGUMENT, id="no model named"),
        pytest.param({"mm_model_id": "nobody"}, grpc.StatusCode.NOT_FOUND, id="unknown model"),
        pytest.param({"mm_model_id": "a", "mm_vmodel_id": "b"}, grpc.StatusCode.INVALID_ARGUMENT, id="two"),
    ],
)
async def test_a_call_must_name_one_registered_model(
    tmp_path: Path, metadata: dict[str, str], status: grpc.StatusCode
) -> None:
    async with an_instance(tmp_path, ExampleRuntime()) as up:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await predict(up, "hello", **metadata)
    assert error.value.code() is status


async def test_the_spi_of_the_runtime_is_out_of_reach(tmp_path: Path) -> None:
    async with (
        an_instance(tmp_path, ExampleRuntime()) as up,
        grpc.aio.insecure_channel(up.address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError, match="Method not found or not permitted") as error:
            await raw(channel, "mmesh.ModelRuntime/unloadModel", b"", ("mm-model-id", "iris"))
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_registering_again_with_other_attributes_is_refused(tmp_path: Path) -> None:
    async with an_instance(tmp_path, ExampleRuntime()) as up, up.client() as client:
        await client.register(IRIS, ModelInfo(type="rt:x", path=SIZED))
        await client.register(IRIS, ModelInfo(type="rt:x", path=SIZED))
        with pytest.raises(MeshRefused) as error:
            await client.register(IRIS, ModelInfo(type="rt:x", path="other"))
        await client.unregister(IRIS)
        await client.unregister(IRIS)
        assert (await client.status(IRIS)).status is ModelStatus.NOT_FOUND
    assert error.value.status is Code.ALREADY_EXISTS


async def test_ensure_loaded_of_an_unknown_model_is_not_found(tmp_path: Path) -> None:
    async with (
        an_instance(tmp_path, ExampleRuntime()) as up,
        grpc.aio.insecure_channel(up.address) as channel,
    ):
        request = mm.EnsureLoadedRequest(modelId="nobody")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await raw(channel, "mmesh.ModelMesh/ensureLoaded", request.SerializeToString())
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
