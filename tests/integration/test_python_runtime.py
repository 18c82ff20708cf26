"""The in-house runtime as a process of its own, asked over gRPC and REST as clients ask it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from adapter.stubs.inference import open_inference_pb2 as pb
from adapter.stubs.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub

CLIENT = Path(__file__).parent / "clients" / "triton_runtime.py"
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
LISTENING = re.compile(r"listening grpc=(\d+) socket=(\S+) rest=(\w+)")

SLOW = """
import threading
def load(folder):
    return Model(folder)
class Model:
    '''Makes a file `asked`, and answers when there is a file `go`.'''
    def __init__(self, folder): self.folder = folder
    def predict(self, inputs):
        pause = threading.Event()
        (self.folder / "asked").touch()
        while not (self.folder / "go").exists():
            pause.wait(0.01)
        return inputs["input"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A running one."""

    process: "subprocess.Popen[str]"
    models: Path
    grpc_port: int
    rest_port: int

    def stub(self) -> GRPCInferenceServiceStub:
        return GRPCInferenceServiceStub(grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}"))

    def rest(self, path: str, body: object = None, *, method: str | None = None) -> tuple[int, Any]:
        """Status and JSON of a call."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.rest_port}{path}"
        request = urllib.request.Request(url, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@contextmanager
def running(models: Path, *flags: str, **env: str) -> Iterator[Runtime]:
    command = [sys.executable, "-m", "runtimes.python_runtime", "--models-dir", str(models)]
    command += ["--grpc-port", "0", "--rest-port", "0", *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := LISTENING.search(line):
            break
    else:
        raise AssertionError("".join(lines))
    drain = threading.Thread(target=process.stderr.read)
    drain.start()
    try:
        rest_port = int(found[3]) if found[3].isdecimal() else 0
        yield Runtime(process=process, models=models, grpc_port=int(found[1]), rest_port=rest_port)
    finally:
        process.kill()
        process.wait()
        drain.join()
        process.stderr.close()


@pytest.fixture(scope="module")
def classifier() -> LogisticRegression:
    return LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory, classifier: LogisticRegression) -> Iterator[Runtime]:
    models = tmp_path_factory.mktemp("models")
    for name in ("iris", "other"):
        (models / name).mkdir()
        joblib.dump(classifier, models / name / "model.joblib")
    (models / "corrupt").mkdir()
    (models / "corrupt" / "model.joblib").write_bytes(b"\x80\x04garbage")
    (models / "slow").mkdir()
    (models / "slow" / "model.py").write_text(SLOW)
    with running(models, "--model-concurrency", "2") as started:
        yield started


def a_request(model: str, rows: object = ROWS, *, raw: bool = True) -> pb.ModelInferRequest:
    array = np.array(rows, "<f8")
    request = pb.ModelInferRequest(model_name=model, id="41")
    tensor = request.inputs.add(name="input", datatype="FP64", shape=array.shape)
    if raw:
        request.raw_input_contents.append(array.tobytes())
    else:
        tensor.contents.fp64_contents.extend(array.ravel())
    return request


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details() or ""


@pytest.fixture
def stub(runtime: Runtime) -> Iterator[GRPCInferenceServiceStub]:
    stub = runtime.stub()
    stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="iris"))
    yield stub
    for model in stub.RepositoryIndex(pb.RepositoryIndexRequest(ready=True)).models:
        stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name=model.name))


@pytest.mark.parametrize("raw", [pytest.param(True, id="raw"), pytest.param(False, id="typed")])
def test_grpc_answers_as_the_library_does(
    stub: GRPCInferenceServiceStub, classifier: LogisticRegression, raw: bool
) -> None:
    answer = stub.ModelInfer(a_request("iris", raw=raw))
    given = (
        np.frombuffer(answer.raw_output_contents[0], "<i8")
        if raw
        else answer.outputs[0].contents.int64_contents
    )
    assert list(given) == classifier.predict(ROWS).tolist()
    assert answer.id == "41"


@pytest.mark.parametrize(
    ("load", "unload"),
    [
        pytest.param(
            pb.RepositoryModelLoadRequest(repository_name="other"),
            pb.RepositoryModelUnloadRequest(repository_name="other"),
            id="KServe",
        ),
        pytest.param(
            pb.RepositoryModelLoadRequest(model_name="other"),
            pb.RepositoryModelUnloadRequest(model_name="other"),
            id="Triton",
        ),
    ],
)
def test_both_dialects_of_load_and_unload(
    stub: GRPCInferenceServiceStub,
    load: pb.RepositoryModelLoadRequest,
    unload: pb.RepositoryModelUnloadRequest,
) -> None:
    loaded, call = stub.RepositoryModelLoad.with_call(load)
    assert (loaded.model_name, loaded.isLoaded) == ("other", True)
    assert 1000 < int(dict(call.trailing_metadata())["model-size-bytes"]) < 10_000
    assert stub.ModelReady(pb.ModelReadyRequest(name="other")).ready
    unloaded = stub.RepositoryModelUnload(unload)
    assert (unloaded.model_name, unloaded.isUnloaded) == ("other", True)
    assert not stub.ModelReady(pb.ModelReadyRequest(name="other")).ready


def test_the_index_lists_what_is_and_what_could_be_loaded(stub: GRPCInferenceServiceStub) -> None:
    index = stub.RepositoryIndex(pb.RepositoryIndexRequest())
    states = {model.name: model.state for model in index.models}
    assert states == {
        "iris": "READY",
        "corrupt": "UNAVAILABLE",
        "other": "UNAVAILABLE",
        "slow": "UNAVAILABLE",
    }
    ready = stub.RepositoryIndex(pb.RepositoryIndexRequest(ready=True))
    assert [model.name for model in ready.models] == ["iris"]


def test_each_refusal_has_its_code(stub: GRPCInferenceServiceStub) -> None:
    def load(name: str) -> tuple[grpc.StatusCode, str]:
        return refused(lambda: stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=name)))

    codes = grpc.StatusCode
    assert load("nobody")[0] is codes.NOT_FOUND
    assert load("../iris")[0] is codes.INVALID_ARGUMENT
    assert load("corrupt")[0] is codes.DATA_LOSS
    assert refused(lambda: stub.ModelInfer(a_request("other"))) == (
        codes.NOT_FOUND,
        "Model other is not loaded",
    )
    unload = pb.RepositoryModelUnloadRequest(model_name="other")
    assert refused(lambda: stub.RepositoryModelUnload(unload))[0] is codes.NOT_FOUND
    code, text = refused(lambda: stub.ModelInfer(a_request("iris", [[1.0]])))
    assert code is codes.INVALID_ARGUMENT
    assert "[-1, 4]" in text
    assert "[1, 1]" in text


def test_a_slow_model_holds_up_nobody_else(runtime: Runtime, stub: GRPCInferenceServiceStub) -> None:
    stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="slow"))
    slow = [stub.ModelInfer.future(a_request("slow")) for _ in range(20)]
    assert stub.ModelInfer(a_request("iris"), timeout=30).outputs
    hasty = refused(lambda: stub.ModelInfer(a_request("slow"), timeout=0.2))
    assert hasty[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    (runtime.models / "slow" / "go").touch()
    assert all(call.result(timeout=30).outputs for call in slow)


def test_an_unload_waits_for_the_answer_that_is_under_way(
    runtime: Runtime, stub: GRPCInferenceServiceStub
) -> None:
    folder = runtime.models / "slow"
    for name in ("go", "asked"):
        (folder / name).unlink(missing_ok=True)
    stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="slow"))
    answer = stub.ModelInfer.future(a_request("slow"))
    while not (folder / "asked").exists():
        pass
    unload = stub.RepositoryModelUnload.future(pb.RepositoryModelUnloadRequest(model_name="slow"))
    while stub.ModelReady(pb.ModelReadyRequest(name="slow")).ready:
        pass
    assert not unload.done()
    (folder / "go").touch()
    assert answer.result(timeout=30).outputs
    assert unload.result(timeout=30).isUnloaded


def test_rest_v2(runtime: Runtime, stub: GRPCInferenceServiceStub, classifier: LogisticRegression) -> None:
    assert stub.ModelReady(pb.ModelReadyRequest(name="iris")).ready
    body = {"id": "7", "inputs": [{"name": "x", "shape": [2, 4], "datatype": "FP32", "data": ROWS}]}
    status, answer = runtime.rest("/v2/models/iris/infer", body)
    assert (status, answer["id"], answer["model_name"]) == (200, "7", "iris")
    assert answer["outputs"] == [
        {"name": "predict", "datatype": "INT64", "shape": [2], "data": classifier.predict(ROWS).tolist()}
    ]
    metadata = runtime.rest("/v2/models/iris")[1]
    assert metadata["inputs"] == [{"name": "input", "datatype": "FP64", "shape": [-1, 4]}]
    assert runtime.rest("/v2/models/iris/ready") == (200, {"name": "iris", "ready": True})


def test_rest_v1(runtime: Runtime, stub: GRPCInferenceServiceStub, classifier: LogisticRegression) -> None:
    assert runtime.rest("/v1/models") == (200, {"models": ["iris"]})
    expected = {"predictions": classifier.predict(ROWS).tolist()}
    assert runtime.rest("/v1/models/iris:predict", {"instances": ROWS}) == (200, expected)
    assert runtime.rest("/v1/models/iris")[0] == 200
    assert runtime.rest("/v1/models/other")[0] == 503


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        pytest.param(
            "/v2/models/other/infer", {"inputs": []}, 404, "Model other is not loaded", id="unknown"
        ),
        pytest.param("/v2/models/iris/infer", b"{", 400, "JSON", id="no json"),
        pytest.param("/v2/models/iris/infer", {"inputs": [{"name": "x"}]}, 400, "inputs[0]", id="no shape"),
        pytest.param("/v1/models/iris:predict", {"instances": [[1]]}, 400, "[-1, 4]", id="wrong shape"),
        pytest.param("/v2/repository/models/nobody/load", {}, 404, "nobody", id="nothing to load"),
        pytest.param("/v2/repository/models/corrupt/load", {}, 422, "cannot be read", id="corrupt"),
        pytest.param("/v2/models/iris/generate", {}, 404, "no such path", id="unknown path"),
        pytest.param("/v2/models/iris", {}, 405, "does not take", id="wrong method"),
    ],
)
def test_every_rest_refusal_says_error(
    runtime: Runtime, stub: GRPCInferenceServiceStub, path: str, body: object, status: int, text: str
) -> None:
    assert stub.ModelReady(pb.ModelReadyRequest(name="iris")).ready
    given, answer = runtime.rest(path, body)
    assert given == status
    assert text in answer["error"]


def test_rest_loads_lists_and_unloads(runtime: Runtime, stub: GRPCInferenceServiceStub) -> None:
    load = "/v2/repository/models/other/load"
    assert runtime.rest(load, method="POST") == (200, {"name": "other", "load": True})
    _, index = runtime.rest("/v2/repository/index", {"ready": True})
    assert [model["name"] for model in index] == ["iris", "other"]
    assert runtime.rest("/v2/repository/models/other/unload", method="POST")[0] == 200
    assert not stub.ModelReady(pb.ModelReadyRequest(name="other")).ready


def test_an_unmodified_tritonclient(runtime: Runtime, classifier: LogisticRegression) -> None:
    addresses = [f"127.0.0.1:{port}" for port in (runtime.grpc_port, runtime.rest_port)]
    done = subprocess.run(
        [sys.executable, str(CLIENT), *addresses], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for seen in told.values():
        assert (seen["live"], seen["ready"], seen["before"], seen["after"]) == (True, True, False, True)
        assert seen["predict"] == seen["usual"] == classifier.predict(ROWS).tolist()
        assert seen["predict_proba"] == classifier.predict_proba(ROWS).tolist()
        assert (seen["id"], seen["large"]) == ("41", [300_000])
        assert "[-1, 4]" in seen["wrong_shape"]
        assert "Model iris is not loaded" in seen["unloaded"]
        assert "nobody does not exist" in seen["unknown"]
    assert told["http"]["gzip"] == classifier.predict(ROWS).tolist()


def test_many_models_come_and_go_in_the_same_memory(tmp_path: Path, classifier: LogisticRegression) -> None:
    for number in range(300):
        (tmp_path / f"m{number}").mkdir()
        joblib.dump(classifier, tmp_path / f"m{number}" / "model.joblib")
    with running(tmp_path, "--rest-port", "off") as runtime, ThreadPoolExecutor(4) as pool:
        stub, proc = runtime.stub(), Path("/proc") / str(runtime.process.pid)

        def call(method: Any, message: Any) -> None:
            list(pool.map(lambda n: method(message(model_name=f"m{n}")), range(300)))

        seen = []
        for _ in range(6):
            call(stub.RepositoryModelLoad, pb.RepositoryModelLoadRequest)
            list(pool.map(lambda n: stub.ModelInfer(a_request(f"m{n}")), range(300)))
            call(stub.RepositoryModelUnload, pb.RepositoryModelUnloadRequest)
            rss = int((proc / "statm").read_text().split()[1])
            seen.append((rss, len(list((proc / "task").iterdir())), len(list((proc / "fd").iterdir()))))
        assert seen[-1][0] < seen[0][0] * 1.15
        assert seen[-1][1] <= seen[1][1] + 4, "threads must not grow with models"
        assert seen[-1][2] <= seen[0][2] + 2, "open files must not grow with models"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as runtime:
        runtime.process.send_signal(number)
        assert runtime.process.wait(20) == 0


def test_it_listens_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    path.touch()  # left behind by a process that was killed
    (tmp_path / "models").mkdir()
    with (
        running(tmp_path / "models", "--grpc-socket", str(path)),
        grpc.insecure_channel(f"unix:{path}") as channel,
    ):
        assert GRPCInferenceServiceStub(channel).ServerLive(pb.ServerLiveRequest(), wait_for_ready=True).live


def test_mlservers_environment_is_understood(tmp_path: Path) -> None:
    env = {"MLSERVER_MODELS_DIR": str(tmp_path), "MLSERVER_GRPC_PORT": "0", "MLSERVER_HTTP_PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "runtimes.python_runtime"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
    with process:
        assert process.stderr is not None
        assert LISTENING.search(process.stderr.readline())
        process.terminate()


def test_an_address_that_is_taken_ends_it_with_a_reason(runtime: Runtime, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runtimes.python_runtime", "--models-dir", str(tmp_path)]
    for flags in (
        ["--grpc-port", str(runtime.grpc_port), "--rest-port", "off"],
        ["--grpc-port", "0", "--rest-port", str(runtime.rest_port)],
    ):
        done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert "cannot listen" in done.stderr
