"""What one row through a small scikit-learn model costs, ours beside MLServer.

Both servers run at once and are asked in turns, over gRPC, by the same client with the same bytes: raw
contents, one row of FP64, LogisticRegression with 4 columns and 3 classes. MLServer has `parallel_workers:
0`, its cheapest mode. Both answers are compared with what the library itself gives.

Figures: `cpu_us`, CPU of our process for one request, and `cpu_vs_mlserver`, ours divided by MLServer's:
medians over the rounds with one caller, who asks again when answered. The same with 8 callers at once
stands beside them, and medians with ranges of both servers.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from adapter.stubs.inference import open_inference_pb2 as pb
from bench.harness import (
    Process,
    Spread,
    aio_method,
    arguments,
    free_port,
    method,
    python_runtime,
    report,
    started,
    tool,
    wait_until_live,
)

MODEL = "iris"
FILE_NAME = "model.joblib"
CALLERS = (1, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One of the two."""

    name: str
    process: Process
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one request in one round."""

    cpu_us: float
    wall_us: float


@contextmanager
def both(folder: Path) -> Iterator[list[Server]]:
    """The two servers, each with the model loaded."""
    lay_out(folder / "ours", settings={})
    lay_out(folder / "mlserver", settings={"parallel_workers": 0, "load_models_at_startup": True})
    port = free_port()
    with python_runtime(folder / "ours", port=port) as ours, mlserver(folder / "mlserver") as theirs:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            method(channel, "RepositoryModelLoad")(
                pb.RepositoryModelLoadRequest(model_name=MODEL).SerializeToString()
            )
        yield [Server(name="ours", process=ours, port=port), theirs]


def lay_out(models_dir: Path, *, settings: dict[str, object]) -> None:
    """The model as both servers take it."""
    folder = models_dir / MODEL
    folder.mkdir(parents=True)
    joblib.dump(the_model(), folder / FILE_NAME)
    (models_dir / "settings.json").write_text(json.dumps(settings))
    model_settings = {
        "name": MODEL,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": f"./{FILE_NAME}"},
    }
    (folder / "model-settings.json").write_text(json.dumps(model_settings))


@contextmanager
def mlserver(models_dir: Path) -> Iterator[Server]:
    """The real one, from its own environment."""
    ports = {name: free_port() for name in ("grpc", "http", "metrics")}
    env = {f"MLSERVER_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    command = [str(tool("mlserver")), "start", str(models_dir)]
    log = models_dir / ".log"
    with started(command, log=log, env={**env, "MLSERVER_HOST": "127.0.0.1"}) as process:
        wait_until_live(ports["grpc"], process, log=log)
        yield Server(name="mlserver", process=process, port=ports["grpc"])


def the_model() -> LogisticRegression:
    """The same whenever it is trained."""
    rows, classes = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=500).fit(rows, classes)


def the_request(row: np.ndarray) -> bytes:
    """Encoded, with raw contents."""
    request = pb.ModelInferRequest(model_name=MODEL, id="1", raw_input_contents=[row.tobytes()])
    request.inputs.add(name="input", datatype="FP64", shape=[1, row.size])
    return request.SerializeToString()


def answered(answer: bytes) -> int:
    """The class in an answer, raw or typed."""
    response = pb.ModelInferResponse.FromString(answer)
    if response.raw_output_contents:
        return int(np.frombuffer(response.raw_output_contents[0], "<i8")[0])
    return response.outputs[0].contents.int64_contents[0]


async def ask(server: Server, *, callers: int, requests: int, body: bytes) -> Cost:
    """So many requests by so many callers; their mean cost."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = aio_method(channel, "ModelInfer")

        async def caller(count: int) -> None:
            for _ in range(count):
                await call(body)

        await asyncio.gather(*(caller(5) for _ in range(callers)))
        cpu_s, started_s = server.process.cpu_s(), time.perf_counter()
        await asyncio.gather(*(caller(requests // callers) for _ in range(callers)))
        cpu_s, took_s = server.process.cpu_s() - cpu_s, time.perf_counter() - started_s
    asked = requests // callers * callers
    return Cost(cpu_us=cpu_s / asked * 1e6, wall_us=took_s / asked * 1e6)


def check_answers(servers: list[Server]) -> None:
    """Every server gives what the library gives, for every row of the data set."""
    rows = load_iris(return_X_y=True)[0]
    expected = the_model().predict(rows).tolist()
    for server in servers:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            call = method(channel, "ModelInfer")
            answers = [answered(call(the_request(row))) for row in rows]
        assert answers == expected, f"{server.name} does not answer as the library does"


def run(*, rounds: int, requests: int) -> dict[str, object]:
    """The figures."""
    costs: dict[tuple[str, int], list[Cost]] = {}
    body = the_request(load_iris(return_X_y=True)[0][0])
    with tempfile.TemporaryDirectory(prefix="remesh-runtime-") as folder, both(Path(folder)) as servers:
        check_answers(servers)
        for number in range(rounds):
            for callers in CALLERS:
                for server in servers if number % 2 else servers[::-1]:
                    cost = asyncio.run(ask(server, callers=callers, requests=requests, body=body))
                    costs.setdefault((server.name, callers), []).append(cost)
    return figures(costs)


def figures(costs: dict[tuple[str, int], list[Cost]]) -> dict[str, object]:
    """Medians over rounds; ratios are formed in each round, where both servers met the same machine."""
    told: dict[str, object] = {}
    for callers in CALLERS:
        ours, theirs = costs["ours", callers], costs["mlserver", callers]
        for name, of in (("ours", ours), ("mlserver", theirs)):
            cpu = Spread.of([cost.cpu_us for cost in of])
            wall = Spread.of([cost.wall_us for cost in of])
            print(f"{name}, {callers} callers: {cpu} us CPU, {wall} us a request", flush=True)
            told[f"{name}_{callers}_cpu_us"] = cpu.rounded()
            told[f"{name}_{callers}_wall_us"] = wall.rounded()
        ratios = Spread.of([mine.cpu_us / other.cpu_us for mine, other in zip(ours, theirs, strict=True)])
        ending = "" if callers == 1 else f"_{callers}_callers"
        told[f"cpu_vs_mlserver{ending}"] = round(ratios.median, 3)
        told[f"cpu_us{ending}"] = round(Spread.of([cost.cpu_us for cost in ours]).median, 1)
    return {key: told[key] for key in sorted(told, key=lambda key: not key.startswith("cpu"))}


if __name__ == "__main__":
    quick = arguments(__doc__).quick
    report("runtime", run(rounds=5 if quick else 15, requests=800 if quick else 2000))
