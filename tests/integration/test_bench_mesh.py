"""Both sides of a mesh are to be believed: how the stub behaves, and what the clients take for a failure."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from adapter.stubs.inference import open_inference_pb2 as v2
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from adapter.stubs.mmesh import model_mesh_pb2 as mm
from adapter.stubs.mmesh import model_runtime_pb2 as spi
from adapter.stubs.mmesh.model_runtime_pb2_grpc import ModelRuntimeStub
from bench.mesh.clients import Asking, Registering, Verdict, ask, ask_cold, register
from bench.mesh.stub import CRASHED, Stub
from tests.integration import mesh
from tests.integration.meshes import require_traffic, wait_until

pytestmark = pytest.mark.usefixtures("traffic")

INFER = "inference.GRPCInferenceService"
MODEL = ("mm-model-id", "iris")


@pytest.fixture(scope="module")
def traffic() -> None:
    require_traffic()


# The stub.


@contextmanager
def running(folder: Path, *flags: str) -> Iterator[tuple[Stub, mesh.Process, grpc.Channel]]:
    stub = Stub(name="stub", capacity_bytes=1000, flags=flags)
    with mesh.started(stub.command(), output=folder / "stub.log") as process:
        mesh.wait_until_serving(stub.port, process)
        with grpc.insecure_channel(f"127.0.0.1:{stub.port}") as channel:
            yield stub, process, channel


def load(channel: grpc.Channel, path: str, *, timeout_s: float = 10) -> int:
    request = spi.LoadModelRequest(modelId="iris", modelType="stub", modelPath=path)
    return int(ModelRuntimeStub(channel).loadModel(request, timeout=timeout_s).sizeInBytes)


def test_it_tells_the_mesh_what_it_was_told(tmp_path: Path) -> None:
    flags = (
        "-methods=a.B/C=1,2;a.B/D=",
        "-loading=3",
        "-model-bytes=10",
        "-concurrency=2",
        "-load-timeout=5s",
    )
    with running(tmp_path, *flags) as (_, process, channel):
        told = ModelRuntimeStub(channel).runtimeStatus(spi.RuntimeStatusRequest())
        assert process.stop() == 0, process.said
    assert told.status == spi.RuntimeStatusResponse.READY
    assert (told.capacityInBytes, told.defaultModelSizeInBytes) == (1000, 10)
    assert (told.maxLoadingConcurrency, told.modelLoadingTimeoutMs) == (3, 5000)
    assert told.limitModelConcurrency
    methods = {name: list(method.idInjectionPath) for name, method in told.methodInfos.items()}
    assert methods == {"a.B/C": [1, 2], "a.B/D": []}


def test_it_holds_what_was_loaded_until_it_is_unloaded(tmp_path: Path) -> None:
    with running(tmp_path) as (stub, _, channel):
        assert load(channel, "SIZE_300_0_0") == 300
        assert (stub.models(), stub.figures().held_bytes) == (["iris"], 300)
        ModelRuntimeStub(channel).unloadModel(spi.UnloadModelRequest(modelId="iris"))
        told = stub.figures()
    assert (told.held, told.held_bytes, told.held_bytes_most) == (0, 0, 300)
    assert (told.loads, told.unloads) == (1, 1)


def test_it_lies_about_a_size(tmp_path: Path) -> None:
    with running(tmp_path) as (stub, _, channel):
        assert load(channel, "SIZE_300_0_0/LIE_7") == 7
        assert ModelRuntimeStub(channel).modelSize(spi.ModelSizeRequest(modelId="iris")).sizeInBytes == 7
        assert stub.figures().held_bytes == 300


def test_a_size_may_have_to_be_asked_for(tmp_path: Path) -> None:
    with running(tmp_path, "-size-later") as (_, _, channel):
        assert load(channel, "SIZE_300_0_0") == 0
        assert ModelRuntimeStub(channel).modelSize(spi.ModelSizeRequest(modelId="iris")).sizeInBytes == 300


@pytest.mark.parametrize(
    ("path", "again"),
    [pytest.param("FAIL_no luck", True, id="once"), pytest.param("FAILS_no luck", False, id="always")],
)
def test_a_load_fails(tmp_path: Path, path: str, again: bool) -> None:
    with running(tmp_path) as (stub, _, channel):
        with pytest.raises(grpc.RpcError, match="no luck"):
            load(channel, path)
        if again:
            load(channel, path)
        else:
            with pytest.raises(grpc.RpcError, match="no luck"):
                load(channel, path)
        assert stub.figures().held == (1 if again else 0)


def test_a_load_that_hangs_is_held_by_nobody(tmp_path: Path) -> None:
    with running(tmp_path) as (stub, _, channel):
        with pytest.raises(grpc.RpcError, match="DEADLINE_EXCEEDED"):
            load(channel, "HANG", timeout_s=0.1)
        wait_until(lambda: stub.figures().loading == 0, 10, lambda: f"{stub.figures()}")
        assert (stub.models(), stub.figures().held_bytes) == ([], 0)


def test_a_model_crashes_it(tmp_path: Path) -> None:
    with running(tmp_path) as (_, process, channel):
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            load(channel, "CRASH")
        assert process.child.wait(10) == CRASHED
        assert "crashed by iris" in process.said


def test_it_echoes_for_a_model_that_it_holds_and_for_no_other(tmp_path: Path) -> None:
    question = v2.ModelInferRequest(id="7", raw_input_contents=[b"\x01\x02"])
    with running(tmp_path) as (stub, _, channel):
        infer = GRPCInferenceServiceStub(channel).ModelInfer
        load(channel, "x")
        answer = infer(question, metadata=(MODEL,))
        stub.forget("iris")
        with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
            infer(question, metadata=(MODEL,))
        assert (stub.figures().served, stub.figures().not_held) == (1, 1)
    assert (answer.model_name, answer.model_version, answer.id) == ("iris", "stub", "7")
    assert list(answer.raw_output_contents) == [b"\x01\x02"]


def test_asked_for_its_status_it_drops_everything(tmp_path: Path) -> None:
    with running(tmp_path) as (stub, _, channel):
        load(channel, "x")
        ModelRuntimeStub(channel).runtimeStatus(spi.RuntimeStatusRequest())
        assert stub.models() == []


def test_it_becomes_slow(tmp_path: Path) -> None:
    with running(tmp_path) as (stub, _, channel):
        stub.behave(load="200ms")
        with pytest.raises(grpc.RpcError, match="DEADLINE_EXCEEDED"):
            load(channel, "x", timeout_s=0.05)
        load(channel, "SIZE_5_0_0", timeout_s=5)


# The clients, before a server that answers as it is told.

Answer = Callable[[v2.ModelInferRequest, grpc.ServicerContext], v2.ModelInferResponse]


def right(request: v2.ModelInferRequest, context: grpc.ServicerContext) -> v2.ModelInferResponse:
    model = dict(context.invocation_metadata())["mm-model-id"]
    return v2.ModelInferResponse(
        model_name=str(model), id=request.id, raw_output_contents=request.raw_input_contents
    )


def spoiled(spoil: Callable[[v2.ModelInferResponse], None]) -> Answer:
    def answer(request: v2.ModelInferRequest, context: grpc.ServicerContext) -> v2.ModelInferResponse:
        made = right(request, context)
        spoil(made)
        return made

    return answer


def of_another_model(answer: v2.ModelInferResponse) -> None:
    answer.model_name = "other"


def to_another_call(answer: v2.ModelInferResponse) -> None:
    answer.id = "q0"


def of_another_content(answer: v2.ModelInferResponse) -> None:
    answer.raw_output_contents[:] = [b"other"]


def refusing(code: grpc.StatusCode) -> Answer:
    def answer(_: v2.ModelInferRequest, context: grpc.ServicerContext) -> v2.ModelInferResponse:
        context.abort(code, "as told")
        raise AssertionError

    return answer


def loaded(request: mm.RegisterModelRequest, _: grpc.ServicerContext) -> mm.ModelStatusInfo:
    state = mm.ModelStatusInfo.LOADED if request.sync else mm.ModelStatusInfo.NOT_LOADED
    if request.modelId == "m3":
        return mm.ModelStatusInfo(status=mm.ModelStatusInfo.LOADING_FAILED, errors=["no luck"])
    return mm.ModelStatusInfo(status=state)


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4))
    infer = grpc.unary_unary_rpc_method_handler(
        answer, v2.ModelInferRequest.FromString, v2.ModelInferResponse.SerializeToString
    )
    registering = grpc.unary_unary_rpc_method_handler(
        loaded, mm.RegisterModelRequest.FromString, mm.ModelStatusInfo.SerializeToString
    )
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(INFER, {"ModelInfer": infer}),
            grpc.method_handlers_generic_handler("mmesh.ModelMesh", {"registerModel": registering}),
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()


def asked(addresses: Sequence[str]) -> Verdict:
    return ask(addresses, Asking(models=20, rate=200, seconds=0.5))


def test_right_answers_are_counted_with_their_latencies() -> None:
    with serving(right) as one, serving(right) as other:
        verdict = asked([one, other])
    assert verdict.count > 50
    assert (verdict.failed, verdict.wrong, verdict.asked_again) == (0, 0, 0)
    assert 0 < verdict.p50_ms <= verdict.p99_ms <= verdict.max_ms
    assert set(verdict.entries) == {one, other}
    assert sum(entry.count for entry in verdict.entries.values()) == verdict.count


@pytest.mark.parametrize("spoil", [of_another_model, to_another_call, of_another_content])
def test_a_wrong_answer_is_seen(spoil: Callable[[v2.ModelInferResponse], None]) -> None:
    with serving(spoiled(spoil)) as address:
        verdict = asked([address])
    assert verdict.wrong == verdict.failed == verdict.count > 0


def test_failures_are_told_by_code_and_by_entry() -> None:
    with serving(right) as good, serving(refusing(grpc.StatusCode.RESOURCE_EXHAUSTED)) as bad:
        verdict = asked([good, bad])
    assert verdict.failed_by_code == {"RESOURCE_EXHAUSTED": verdict.entries[bad].failed}
    assert verdict.failed_but_through(bad) == 0 < verdict.failed_but_through(good)
    assert "as told" in verdict.examples[0]


def test_what_a_server_says_is_unavailable_is_not_asked_again() -> None:
    with serving(refusing(grpc.StatusCode.UNAVAILABLE)) as address:
        verdict = ask([address], Asking(models=20, rate=200, seconds=0.3, again=True))
    assert verdict.failed_by_code == {"UNAVAILABLE": verdict.count}
    assert verdict.asked_again == 0


def test_a_load_that_failed_is_a_failure_to_register() -> None:
    with serving(right) as address:
        registered = register([address], Registering(models=10))
        assert register([address], Registering(models=3, load=False)).failed == {}
    assert registered.failed == {"status 4": 1}
    assert registered.examples == ["m3: status 4: no luck"]


def test_first_calls_are_told_beside_warm_ones() -> None:
    with serving(right) as address:
        cold = ask_cold([address], models=5)
    assert cold.failed == {}
    assert cold.first_ms.p50_ms > 0 < cold.warm_ms.p50_ms
    assert cold.overhead_ms.p50_ms < cold.first_ms.p50_ms
