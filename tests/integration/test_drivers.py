"""The drivers, each over its real runtime, against one contract."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import ClassVar

import grpc
import pytest

from adapter.domain.errors import (
    AdapterError,
    FormatUnsupported,
    ModelCorrupt,
    ObjectMissing,
    RuntimeFailed,
)
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo
from adapter.domain.runtime import RuntimeState
from adapter.drivers.calls import open_channel
from adapter.drivers.mlserver import mlserver_driver
from adapter.drivers.model_runtime import ModelRuntimeDriver
from adapter.drivers.open_inference import METHODS, OpenInferenceDriver, RuntimeLimits
from adapter.drivers.python_runtime import python_runtime_driver
from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from adapter.stubs.mmesh import model_runtime_pb2 as spi
from tests.contracts.runtime_driver import HINT_BYTES, IRIS, Flaw, RuntimeDriverContract
from tests.fakes.model_runtime_server import ExampleRuntime, serving
from tests.integration import examples, mesh
from tests.integration.conftest import MLServer

LIMITS = RuntimeLimits(capacity_bytes=1 << 30, loading_concurrency=2)
SKLEARN = "mlserver_sklearn.SKLearnModel"


async def ready_models(channel: grpc.aio.Channel) -> set[str]:
    """What a server of the repository extension holds."""
    index = await GRPCInferenceServiceStub(channel).RepositoryIndex(v2.RepositoryIndexRequest(ready=True))
    return {entry.name for entry in index.models}


class SpiSubject:
    """A server of ours that implements the SPI, as custom runtimes do."""

    refusals: ClassVar = {Flaw.CORRUPT: (RuntimeFailed, "^INTERNAL: not a model$")}

    def __init__(self, runtime: ExampleRuntime, channel: grpc.aio.Channel, stop: AsyncExitStack) -> None:
        self.driver = ModelRuntimeDriver(channel)
        self.runtime = runtime
        self._stop = stop

    def lay(self, model: ModelId, flaw: Flaw | None = None) -> ModelInfo:
        path = "FAIL_not a model" if flaw is not None else "SIZE_5000_20_5"
        return ModelInfo(type="example", path=path, key="{}")

    async def held(self) -> set[str]:
        return set(self.runtime.held)

    async def kill(self) -> None:
        await self._stop.aclose()


class TestModelRuntimeDriver(RuntimeDriverContract):
    @pytest.fixture(params=["port", "socket"])
    async def subject(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SpiSubject]:
        address = "127.0.0.1:0" if request.param == "port" else f"unix:{tmp_path}/grpc.sock"
        runtime = ExampleRuntime()
        async with AsyncExitStack() as stop:
            bound = await stop.enter_async_context(serving(runtime, address=address))
            async with open_channel(bound) as channel:
                yield SpiSubject(runtime, channel, stop)

    async def test_the_model_is_passed_on_as_it_was_registered(self, subject: SpiSubject) -> None:
        info = ModelInfo(type="rt:custom", path="some/where", key='{"odd": 1}')
        await subject.driver.load(ModelId("a/b ü"), info, size_hint_bytes=HINT_BYTES)
        assert subject.runtime.received == [
            spi.LoadModelRequest(
                modelId="a/b ü", modelType="rt:custom", modelPath="some/where", modelKey='{"odd": 1}'
            )
        ]

    @pytest.mark.parametrize("at_load", [pytest.param(True, id="at load"), pytest.param(False, id="later")])
    async def test_the_size_is_the_runtimes(self, subject: SpiSubject, at_load: bool) -> None:
        subject.runtime.tells_size_at_load = at_load
        loaded = await subject.driver.load(IRIS, subject.lay(IRIS), size_hint_bytes=HINT_BYTES)
        assert loaded.size_bytes == (5_000 if at_load else None)
        assert await subject.driver.size_bytes(IRIS) == 5_000

    async def test_the_size_of_what_is_not_loaded_is_an_error(self, subject: SpiSubject) -> None:
        with pytest.raises(RuntimeFailed, match="measuring iris failed in the runtime: NOT_FOUND"):
            await subject.driver.size_bytes(IRIS)

    async def test_who_does_not_predict_sizes_is_asked_once(self, subject: SpiSubject) -> None:
        for _ in range(3):
            assert await subject.driver.predicted_size_bytes(IRIS, subject.lay(IRIS)) is None
        assert subject.runtime.predictions_asked == 1

    @pytest.mark.parametrize(
        ("told", "state"),
        [
            pytest.param(spi.RuntimeStatusResponse.STARTING, RuntimeState.STARTING, id="starting"),
            pytest.param(spi.RuntimeStatusResponse.FAILING, RuntimeState.FAILING, id="failing"),
            pytest.param(99, RuntimeState.FAILING, id="a number that nobody knows"),
        ],
    )
    async def test_a_state_is_told_as_it_is(
        self, subject: SpiSubject, told: int, state: RuntimeState
    ) -> None:
        subject.runtime.status = told
        assert (await subject.driver.status()).state is state

    async def test_its_methods_are_told(self, subject: SpiSubject) -> None:
        subject.runtime.methods = {"a.B/C": (1, 2), "a.B/D": ()}
        assert (await subject.driver.status()).methods == {"a.B/C": (1, 2), "a.B/D": ()}


async def test_a_server_without_the_spi_fails_and_says_so() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        status = await ModelRuntimeDriver(channel).status()
    await server.stop(grace=None)
    assert status.state is RuntimeState.FAILING
    assert "does not implement mmesh.ModelRuntime" in status.reason


class RepositorySubject:
    """A server of the model repository extension, over a folder that the test fills."""

    def __init__(
        self,
        driver: OpenInferenceDriver,
        channel: grpc.aio.Channel,
        *,
        folder: Path,
        process: mesh.Process,
        refusals: Mapping[Flaw, tuple[type[AdapterError], str]],
    ) -> None:
        self.driver = driver
        self.refusals = refusals
        self.folder = folder
        self._channel = channel
        self._process = process

    def lay(self, model: ModelId, flaw: Flaw | None = None) -> ModelInfo:
        kind = "unheard-of" if flaw is Flaw.FOREIGN else "sklearn"
        folder = self.folder / model
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"name": model, "parameters": {"uri": str(folder / "model.joblib")}}
        if kind == "sklearn":
            settings["implementation"] = SKLEARN
        (folder / "model-settings.json").write_text(json.dumps(settings))
        if flaw is not Flaw.MISSING:
            content = examples.dumped(examples.constant_model(1))
            whole = flaw is not Flaw.CORRUPT
            (folder / "model.joblib").write_bytes(content if whole else content[: len(content) // 2])
        return ModelInfo(type=kind, path=str(folder), key=json.dumps({"model_type": {"name": kind}}))

    async def held(self) -> set[str]:
        return await ready_models(self._channel)

    async def kill(self) -> None:
        self._process.kill()


class OpenInferenceContract(RuntimeDriverContract):
    """What both runtimes of this kind do beyond the contract."""

    async def test_it_says_what_its_settings_and_the_runtime_say(self, subject: RepositorySubject) -> None:
        status = await subject.driver.status()
        assert (status.capacity_bytes, status.loading_concurrency) == (1 << 30, 2)
        assert status.methods == METHODS
        assert status.version not in {"", LIMITS.version}

    async def test_a_folder_that_is_not_there_is_a_missing_model(self, subject: RepositorySubject) -> None:
        with pytest.raises(ObjectMissing, match="nowhere"):
            await subject.driver.load(
                ModelId("nowhere"), ModelInfo(type="sklearn"), size_hint_bytes=HINT_BYTES
            )


class TestMLServerDriver(OpenInferenceContract):
    @pytest.fixture
    async def subject(
        self, mlserver: Callable[[Path], MLServer], tmp_path: Path
    ) -> AsyncIterator[RepositorySubject]:
        folder = tmp_path / "models"
        server = mlserver(folder)
        async with open_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            yield RepositorySubject(
                mlserver_driver(channel, limits=LIMITS),
                channel,
                folder=folder,
                process=server.process,
                refusals={
                    Flaw.MISSING: (ObjectMissing, "does not find the files of iris: .*model.joblib"),
                    Flaw.CORRUPT: (ModelCorrupt, "cannot read iris"),
                    Flaw.FOREIGN: (FormatUnsupported, "no implementation for iris, .*'unheard-of'"),
                },
            )

    async def test_the_hint_is_its_size(self, subject: RepositorySubject) -> None:
        loaded = await subject.driver.load(IRIS, subject.lay(IRIS), size_hint_bytes=HINT_BYTES)
        assert loaded.size_bytes == HINT_BYTES

    async def test_a_library_that_it_lacks_is_named(self, subject: RepositorySubject) -> None:
        info = subject.lay(IRIS)
        settings = subject.folder / IRIS / "model-settings.json"
        settings.write_text(settings.read_text().replace(SKLEARN, "mlserver_xgboost.XGBoostModel"))
        with pytest.raises(FormatUnsupported, match="lacks what iris needs: .*mlserver_xgboost"):
            await subject.driver.load(IRIS, info, size_hint_bytes=HINT_BYTES)


class TestPythonRuntimeDriver(OpenInferenceContract):
    @pytest.fixture
    async def subject(self, tmp_path: Path) -> AsyncIterator[RepositorySubject]:
        with mesh.python_runtime(tmp_path, output=tmp_path / "runtime.log") as (process, port):
            async with open_channel(f"127.0.0.1:{port}") as channel:
                yield RepositorySubject(
                    python_runtime_driver(channel, limits=LIMITS),
                    channel,
                    folder=tmp_path / "_python_models",
                    process=process,
                    refusals={
                        Flaw.MISSING: (ObjectMissing, "does not find the files of iris"),
                        Flaw.CORRUPT: (ModelCorrupt, "cannot read iris"),
                    },
                )

    async def test_the_size_is_measured(self, subject: RepositorySubject) -> None:
        loaded = await subject.driver.load(IRIS, subject.lay(IRIS), size_hint_bytes=1)
        assert loaded.size_bytes is not None
        assert loaded.size_bytes > 100
