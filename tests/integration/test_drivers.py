"""The drivers, each over its real runtime, against one contract."""

import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
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
from tests.integration.conftest import StartMLServer

LIMITS = RuntimeLimits(capacity_bytes=1 << 30, loading_concurrency=2)
SKLEARN = "mlserver_sklearn.SKLearnModel"


async def ready_models(channel: grpc.aio.Channel) -> set[str]:
    """What a server of the repository extension holds."""
    index = await GRPCInferenceServiceStub(channel).RepositoryIndex(v2.RepositoryIndexRequest(ready=True))
    return {entry.name for entry in index.models}


class SpiSubject:
    """A server of ours that implements the SPI, as custom runtimes do."""

    refusals: ClassVar = {flaw: (RuntimeFailed, f"^INTERNAL: {flaw.value}$") for flaw in Flaw}

    def __init__(self, runtime: ExampleRuntime, channel: grpc.aio.Channel, stop: AsyncExitStack) -> None:
        self.driver = ModelRuntimeDriver(channel)
        self.runtime = runtime
        self._stop = stop

    def lay(self, model: ModelId, flaw: Flaw | None = None) -> ModelInfo:
        path = "SIZE_5000_20_5" if flaw is None else f"FAIL_{flaw.value}"
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


@dataclass(frozen=True, kw_only=True)
class RepositoryServer:
    """A running server of the model repository extension, over a folder that the test fills."""

    process: mesh.Process
    grpc_port: int
    folder: Path


@dataclass(kw_only=True)
class RepositorySubject:
    """A driver of such a server."""

    driver: OpenInferenceDriver
    channel: grpc.aio.Channel
    server: RepositoryServer
    foreign: str | None
    """An implementation that this server does not know; None: none is named."""
    refusals: Mapping[Flaw, tuple[type[AdapterError], str]]

    def lay(self, model: ModelId, flaw: Flaw | None = None) -> ModelInfo:
        folder = self.server.folder / model
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        settings = {"name": model, "parameters": {"uri": str(folder / "model.joblib")}}
        implementation = self.foreign if flaw is Flaw.FOREIGN else SKLEARN
        if implementation is not None:
            settings["implementation"] = implementation
        (folder / "model-settings.json").write_text(json.dumps(settings))
        if flaw is not Flaw.MISSING:
            content = examples.dumped(examples.constant_model(1))
            (folder / "model.joblib").write_bytes(content[: len(content) // 2 if flaw else None])
        kind = "unheard-of" if flaw is Flaw.FOREIGN else "sklearn"
        return ModelInfo(type=kind, path=str(folder), key=json.dumps({"model_type": {"name": kind}}))

    async def held(self) -> set[str]:
        return await ready_models(self.channel)

    async def kill(self) -> None:
        self.server.process.kill()


class Standing:
    """A server that stands for many tests, and is started anew after one that killed it."""

    def __init__(self, start: Callable[[], RepositoryServer]) -> None:
        self._start = start
        self._server: RepositoryServer | None = None

    def up(self) -> RepositoryServer:
        if self._server is None or self._server.process.child.poll() is not None:
            self._server = self._start()
        return self._server


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


@pytest.fixture(scope="module")
def standing_mlserver(mlserver: StartMLServer, tmp_path_factory: pytest.TempPathFactory) -> Standing:
    folder = tmp_path_factory.mktemp("mlserver-models")

    def start() -> RepositoryServer:
        server = mlserver(folder)
        return RepositoryServer(process=server.process, grpc_port=server.grpc_port, folder=folder)

    return Standing(start)


class TestMLServerDriver(OpenInferenceContract):
    @pytest.fixture
    async def subject(self, standing_mlserver: Standing) -> AsyncIterator[RepositorySubject]:
        server = standing_mlserver.up()
        async with open_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            driver = mlserver_driver(channel, limits=LIMITS)
            assert (await driver.status()).state is RuntimeState.READY
            yield RepositorySubject(
                driver=driver,
                channel=channel,
                server=server,
                foreign=None,
                refusals={
                    Flaw.MISSING: (ObjectMissing, r"does not find the files of iris: .*model\.joblib"),
                    Flaw.CORRUPT: (ModelCorrupt, "cannot read iris"),
                    Flaw.FOREIGN: (FormatUnsupported, r"no implementation for iris, .*'unheard-of'"),
                },
            )

    async def test_the_hint_is_its_size(self, subject: RepositorySubject) -> None:
        loaded = await subject.driver.load(IRIS, subject.lay(IRIS), size_hint_bytes=HINT_BYTES)
        assert loaded.size_bytes == HINT_BYTES

    async def test_a_library_that_it_lacks_is_named(self, subject: RepositorySubject) -> None:
        info = subject.lay(IRIS)
        settings = subject.server.folder / IRIS / "model-settings.json"
        settings.write_text(settings.read_text().replace(SKLEARN, "mlserver_xgboost.XGBoostModel"))
        with pytest.raises(FormatUnsupported, match=r"lacks what iris needs: .*mlserver_xgboost"):
            await subject.driver.load(IRIS, info, size_hint_bytes=HINT_BYTES)


@pytest.fixture(scope="module")
def standing_python_runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    folder = tmp_path_factory.mktemp("python-runtime")
    with ExitStack() as stack:

        def start() -> RepositoryServer:
            running = mesh.python_runtime(folder, output=folder / "runtime.log")
            process, port = stack.enter_context(running)
            return RepositoryServer(process=process, grpc_port=port, folder=folder / "_python_models")

        yield Standing(start)


class TestPythonRuntimeDriver(OpenInferenceContract):
    @pytest.fixture
    async def subject(self, standing_python_runtime: Standing) -> AsyncIterator[RepositorySubject]:
        server = standing_python_runtime.up()
        async with open_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            driver = python_runtime_driver(channel, limits=LIMITS)
            assert (await driver.status()).state is RuntimeState.READY
            yield RepositorySubject(
                driver=driver,
                channel=channel,
                server=server,
                foreign="mlserver_mllib.MLlibModel",
                refusals={
                    Flaw.MISSING: (ObjectMissing, "does not find the files of iris"),
                    Flaw.CORRUPT: (ModelCorrupt, "cannot read iris"),
                    Flaw.FOREIGN: (FormatUnsupported, "cannot run iris"),
                },
            )

    async def test_the_size_is_measured(self, subject: RepositorySubject) -> None:
        loaded = await subject.driver.load(IRIS, subject.lay(IRIS), size_hint_bytes=1)
        assert loaded.size_bytes is not None
        assert loaded.size_bytes > 100
