"""`remesh instance --spi-only`: our puller and adapter, asked by a foreign mesh over `mmesh.ModelRuntime`."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from adapter.domain.errors import AdapterError
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import RuntimeState
from adapter.drivers.calls import open_channel
from adapter.drivers.model_runtime import ModelRuntimeDriver
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.fakes.model_runtime_server import ExampleRuntime, serving
from tests.integration import examples, mesh
from tests.integration.conftest import MinioServer, StartMLServer

IRIS = ModelId("iris")


@asynccontextmanager
async def foreign_mesh(port: int) -> AsyncIterator[ModelRuntimeDriver]:
    """What ModelMesh's container does: it calls the SPI on localhost."""
    async with open_channel(f"127.0.0.1:{port}") as channel:
        yield ModelRuntimeDriver(channel)


async def test_before_a_runtime_with_its_own_spi_we_pull_rewrite_and_forward(
    minio: MinioServer, tmp_path: Path
) -> None:
    minio.put("spi", "path/to/model/weights", b"x" * 60)
    minio.put("spi", "my_schema", b"{}")
    mesh.storage_key(tmp_path, "myStorage", **minio.storage_key("spi"))
    runtime = ExampleRuntime()
    async with serving(runtime) as address:
        endpoint = f"port:{address.rpartition(':')[2]}"
        starting = mesh.spi_only(tmp_path, runtime="model-runtime", MODEL_SERVER_ENDPOINT=endpoint)
        async with mesh.beside(starting) as (_, port), foreign_mesh(port) as spi:
            assert (await spi.status()).capacity_bytes == runtime.capacity_bytes
            key = {"storage_key": "myStorage", "schema_path": "my_schema", "model_type": {"name": "tf"}}
            info = ModelInfo(type="rt:x", path="path/to/model", key=json.dumps(key))
            await spi.load(IRIS, info, size_hint_bytes=0)
            folder = tmp_path / "models" / "iris"
            sent = runtime.received[0]
            assert sent.modelPath == str(folder / "model")
            assert sent.modelKey == (
                '{"model_type":{"name":"tf"},"disk_size_bytes":60,"schema_path":"%s"}'
                % (folder / "my_schema")
            )
            assert await spi.size_bytes(IRIS) == runtime.held["iris"]
            await spi.unload(IRIS)
            await spi.unload(IRIS)
            assert (runtime.held, folder.exists()) == ({}, False)


async def test_before_a_built_in_server_it_answers_as_modelmeshs_adapters_do(
    minio: MinioServer, tmp_path: Path
) -> None:
    model = examples.dumped(examples.constant_model(5))
    minio.put("spi", "five.joblib", model)
    mesh.storage_key(tmp_path, "localMinIO", **minio.storage_key("spi"))
    with (
        mesh.python_runtime(tmp_path / "models", output=tmp_path / "runtime.log") as (_, runtime_port),
        mesh.spi_only(tmp_path, runtime="python", RUNTIME_PORT=str(runtime_port)) as (_, port),
    ):
        async with foreign_mesh(port) as spi:
            status = await spi.status()
            assert status.state is RuntimeState.READY
            assert status.capacity_bytes == 6_174_015_488
            assert status.methods["inference.GRPCInferenceService/ModelInfer"] == (1,)
            loaded = await spi.load(IRIS, examples.info("five.joblib"), size_hint_bytes=0)
            assert loaded.size_bytes
            settings = tmp_path / "models" / "_python_models" / "iris" / "model-settings.json"
            assert json.loads(settings.read_text())["name"] == "iris"
            await spi.unload(IRIS)
            assert not settings.parent.exists()


async def test_before_a_built_in_server_without_the_embedded_puller_local_files_are_laid_out(
    tmp_path: Path,
) -> None:
    """The end-to-end vectors of ModelMesh's adapters (reference: runtime adapter 11.2)."""
    file = tmp_path / "models" / "iris" / "five.joblib"
    file.parent.mkdir(parents=True)
    file.write_bytes(examples.dumped(examples.constant_model(5)))
    shown = tmp_path / "models" / "_python_models" / "iris"
    with (
        mesh.python_runtime(tmp_path / "models", output=tmp_path / "runtime.log") as (_, runtime_port),
        mesh.spi_only(
            tmp_path, runtime="python", RUNTIME_PORT=str(runtime_port), USE_EMBEDDED_PULLER="false"
        ) as (_, port),
    ):
        async with foreign_mesh(port) as spi:
            assert (await spi.status()).state is RuntimeState.READY
            key = json.dumps({"disk_size_bytes": 54321, "model_type": {"name": "sklearn"}})
            await spi.load(IRIS, ModelInfo(type="invalid", path=str(file), key=key), size_hint_bytes=0)
            assert json.loads((shown / "model-settings.json").read_text())["name"] == "iris"
            assert (shown / "five.joblib").resolve() == file
            await spi.unload(IRIS)
            assert not shown.exists()
            assert file.exists(), "the other puller's"


async def test_a_real_mlserver_behind_our_adapter(
    minio: MinioServer, mlserver: StartMLServer, tmp_path: Path
) -> None:
    model = examples.dumped(examples.constant_model(5))
    minio.put("spi", "five.joblib", model)
    mesh.storage_key(tmp_path, "localMinIO", **minio.storage_key("spi"))
    runtime_port = mlserver(tmp_path / "models" / "_mlserver_models").grpc_port
    with mesh.spi_only(
        tmp_path, runtime="mlserver", RUNTIME_PORT=str(runtime_port), MODELSIZE_MULTIPLIER="1.35"
    ) as (_, port):
        async with foreign_mesh(port) as spi:
            assert (await spi.status()).state is RuntimeState.READY
            loaded = await spi.load(IRIS, examples.info("five.joblib"), size_hint_bytes=0)
            assert loaded.size_bytes == int(len(model) * 1.35)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{runtime_port}") as channel:
                inference = GRPCInferenceServiceStub(channel)
                answer = await inference.ModelInfer(examples.request("iris", examples.ONE_ROW))
            assert examples.answers(answer) == [5]
            await spi.unload(IRIS)


async def test_a_failed_load_leaves_nothing_and_the_next_one_goes_on(
    minio: MinioServer, tmp_path: Path
) -> None:
    minio.put("spi", "ok", b"x")
    mesh.storage_key(tmp_path, "myStorage", **minio.storage_key("spi"))
    runtime = ExampleRuntime()
    key = json.dumps({"storage_key": "myStorage"})
    async with serving(runtime) as address:
        endpoint = f"port:{address.rpartition(':')[2]}"
        starting = mesh.spi_only(tmp_path, runtime="model-runtime", MODEL_SERVER_ENDPOINT=endpoint)
        async with mesh.beside(starting) as (_, port), foreign_mesh(port) as spi:
            for path in ("missing", "FAIL_no"):
                minio.put("spi", "FAIL_no", b"x")
                with pytest.raises(AdapterError):
                    await spi.load(IRIS, ModelInfo(type="t", path=path, key=key), size_hint_bytes=0)
                assert not (tmp_path / "models" / "iris").exists()
            await spi.load(IRIS, ModelInfo(type="t", path="ok", key=key), size_hint_bytes=0)
    assert runtime.held.keys() == {"iris"}


async def test_a_runtime_that_is_not_up_yet_is_starting(tmp_path: Path) -> None:
    endpoint = f"port:{mesh.free_port()}"
    starting = mesh.spi_only(tmp_path, runtime="model-runtime", MODEL_SERVER_ENDPOINT=endpoint)
    async with mesh.beside(starting) as (_, port), foreign_mesh(port) as spi:
        status = await spi.status()
    assert (status.state, status.capacity_bytes) == (RuntimeState.STARTING, 0)
