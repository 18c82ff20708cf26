"""Both ends of the wire: the backend, and the loads that are put on what is before it."""

import json
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import harness
from bench.dataplane.cases import MODEL, RATE_A_SECOND, Case, Load, grpc_message, rest_body
from bench.dataplane.proxies import Target, obtained
from bench.processes import Broken, cores, ran, started, wait_for_port
from tests.tools.recipe import Recipe, Workshop, cache_folder, go_missing, version_of

SOURCES: Final = Path(__file__).with_name("traffic")
PATIENCE_S: Final = 30.0
"""A run that takes longer has failed."""
OPEN_CONNECTIONS: Final = 4


def _build(workshop: Workshop) -> None:
    place = workshop.cache / "bin" / "remesh-bench-traffic"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(SOURCES, workshop.staging, dirs_exist_ok=True)
    workshop.run("go", "build", "-C", workshop.staging, "-trimpath", "-o", workshop.staging / "traffic", ".")
    (workshop.staging / "traffic").replace(place)


TRAFFIC: Final = Recipe(
    name="remesh-bench-traffic",
    version=version_of(*sorted(SOURCES.glob("*"))),
    program="bin/remesh-bench-traffic",
    takes="a few seconds",
    missing=lambda: go_missing("the load generator"),
    build=_build,
)


def traffic() -> str:
    """The program, built anew when its source has changed."""
    if not TRAFFIC.is_built(cache_folder()):
        if complaint := TRAFFIC.missing():
            raise SystemExit(complaint)
        TRAFFIC.make(cache_folder())
    return str(TRAFFIC.path(cache_folder()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The running one."""

    address: str
    tells_port: int

    def told(self) -> dict[str, int | str]:
        """Its counters since it was started, and the model that the last request named."""
        with socket.create_connection(("127.0.0.1", self.tells_port), timeout=5) as asking:
            text = b"".join(iter(lambda: asking.recv(4096), b""))
        told: dict[str, int | str] = json.loads(text)
        return told


@contextmanager
def backend(folder: Path, *, port: int = 0) -> Iterator[Backend]:
    """Answers ModelInfer at once, with a response as long as the request."""
    port, tells_port = port or harness.free_port(), harness.free_port()
    where = ["-listen", f"127.0.0.1:{port}", "-tell", f"127.0.0.1:{tells_port}"]
    with started([traffic(), "backend", *where], core=cores()[0], log=folder / "backend.log") as process:
        wait_for_port(port, process)
        yield Backend(address=f"127.0.0.1:{port}", tells_port=tells_port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load says of itself."""

    calls: int
    seconds: float
    latency_us: dict[str, float]


def put_load(target: Target, case: Case, *, calls: int, folder: Path) -> Loaded:
    """So many calls of that kind. Raises `Broken` if one of them fails."""
    if case.load is Load.H2LOAD:
        return _h2load(target, case, calls=calls, folder=folder)
    command = [
        traffic(),
        "load",
        "-address",
        target.address,
        "-calls",
        str(calls),
        "-patience",
        f"{PATIENCE_S}s",
    ]
    command += ["-connections", str(case.connections), "-body", str(_body(case, folder))]
    command += ["-rate", str(RATE_A_SECOND)] if case.open_loop else ["-inflight", str(case.in_flight)]
    command += ["-varying"] * case.varying + ["-huffman"] * case.huffman
    command += [word for header in case.headers for word in ("-header", header)]
    told = json.loads(ran(command, core=cores()[0], patience_s=PATIENCE_S + 5))
    if told["failed"]:
        raise Broken(f"{sum(told['failed'].values())} of {told['calls']} calls failed: {told['failed']}")
    return Loaded(calls=told["calls"], seconds=told["seconds"], latency_us=told["latency_us"])


def _body(case: Case, folder: Path) -> Path:
    path = folder / f"{case.name}.body"
    if not path.exists():
        path.write_bytes(rest_body().encode() if case.rest else grpc_message(case))
    return path


def _h2load(target: Target, case: Case, *, calls: int, folder: Path) -> Loaded:
    calls = max(calls, case.in_flight)
    streams = case.in_flight // case.connections
    command = [str(obtained("h2load")), "-n", str(calls), "-c", str(case.connections), "-m", str(streams)]
    command += ["-w", "20", "-W", "24", "-T", "30", "-N", "30", "-d", str(_body(case, folder))]
    if case.rest:
        command += ["--h1", "-H", "content-type: application/json"]
        command.append(f"http://{target.rest_address}/v2/models/{MODEL}/infer")
    else:
        headers = ["content-type: application/grpc", "te: trailers", *case.headers]
        command += [word for header in headers for word in ("-H", header)]
        command.append(f"http://{target.address}/inference.GRPCInferenceService/ModelInfer")
    began_s = time.monotonic()
    said = ran(command, core=cores()[0], patience_s=PATIENCE_S)
    seconds = time.monotonic() - began_s
    requests, statuses = (
        re.search(rf"^{word}: (.*)$", said, re.MULTILINE) for word in ("requests", "status codes")
    )
    if not statuses or f" {calls} 2xx" not in f" {statuses[1]}":
        raise Broken(f"h2load: {requests and requests[1]}; {statuses and statuses[1]}")
    return Loaded(calls=calls, seconds=seconds, latency_us={})
