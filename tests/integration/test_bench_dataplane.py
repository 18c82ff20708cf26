"""The bench is to be believed: what was not served, or not answered well, is no call that was made."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import harness
from bench.dataplane.cases import CASES
from bench.dataplane.ends import backend
from bench.dataplane.measure import Bench
from bench.dataplane.proxies import Target, aio_proxy
from bench.processes import Broken, Watched, cores, started

pytestmark = pytest.mark.skipif(not shutil.which("go"), reason="the load generator is written in Go")

GRPC = ["1k", "1k-header", "1k-huffman", "1k-one", "64k", "4m"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("dataplane")
    with backend(folder) as behind:
        yield Bench(backend=behind, folder=folder, seconds=0.05)


@pytest.mark.parametrize("name", GRPC)
def test_without_a_proxy_every_call_is_served(bench: Bench, name: str) -> None:
    target = Target(name="direct", address=bench.backend.address)
    before = int(bench.backend.told()["served"])
    run = bench.run(target, CASES[name])
    assert int(bench.backend.told()["served"]) - before > run.calls
    assert run.latency_us["p50"] <= run.latency_us["p99"] <= run.latency_us["max"]


def test_a_proxy_is_measured(bench: Bench, tmp_path: Path) -> None:
    with aio_proxy(tmp_path, bench.backend.address) as target:
        run = bench.run(target, CASES["1k"])
    assert run.cpu_us is not None
    assert run.cpu_us > 20


@pytest.mark.parametrize("name", ["1k", pytest.param("1k-fixed", id="h2load")])
def test_calls_that_end_with_an_error_are_a_failure(bench: Bench, tmp_path: Path, name: str) -> None:
    nobody = f"127.0.0.1:{harness.free_port()}"
    case = CASES[name]
    with aio_proxy(tmp_path, nobody) as target, pytest.raises(Broken, match=r"failed|served 0"):
        bench.load(target, case, calls=100)


def test_a_server_that_ends_is_a_failure(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(["false"], core=cores()[0], log=log) as process, pytest.raises(Broken, match="status 1"):
        _watch_until_it_ends(process)


def _watch_until_it_ends(process: Watched) -> None:
    while True:
        process.check_alive()


def test_what_a_process_started_is_counted_with_it(tmp_path: Path) -> None:
    child = "import time\nwhile time.process_time() < 0.3: pass"
    parent = (
        f"import signal, subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); signal.pause()"
    )
    with started([sys.executable, "-c", parent], core=cores()[0], log=tmp_path / "log") as process:
        while process.cpu_s() < 0.3:
            process.check_alive()
