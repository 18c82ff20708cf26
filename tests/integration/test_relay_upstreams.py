"""Runtimes that die, end, freeze or take few calls at once: clients see as little of it as can be.

An instance knows one runtime; here a relay knows two that have every model (`relay_pair`).
`make soak NAME=upstreams` makes 10,000 calls.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapter.domain.errors import Code
from tests.integration import certificates, mesh
from tests.integration import raw_http2 as raw
from tests.integration.certificates import Certificates
from tests.integration.clients import meshes
from tests.integration.clients.meshes import EchoRuntime
from tests.integration.echo_runtime import Plan
from tests.integration.raw_http2 import Answer, Pair, RawClient, grpc_message
from tests.integration.watched import BIDI, UNARY, Watched, watched

CALLS = int(os.environ.get("REMESH_SOAK_CALLS", "2000"))
RATE = 500
TAKES_20_MS: list[Pair] = [("echo-plan", str(Plan(delay_ms=20)))]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@dataclass(frozen=True, kw_only=True)
class Before:
    """A relay and its two runtimes."""

    port: int
    first: EchoRuntime
    second: EchoRuntime


@contextmanager
def pair(folder: Path, made: Certificates, *arguments: str) -> Iterator[Before]:
    for name in ("first", "second"):
        (folder / name).mkdir()
    port = mesh.free_port()
    module = ("-m", "tests.integration.relay_pair", f"127.0.0.1:{port}")
    with (
        meshes.echo_runtime(folder / "first", made, "--grace-s", "5") as first,
        meshes.echo_runtime(folder / "second", made) as second,
    ):
        upstreams = [f"127.0.0.1:{runtime.port}" for runtime in (first, second)]
        command = [sys.executable, *module, *upstreams, *arguments]
        with mesh.started(command, output=folder / "relay.log") as process:
            mesh.wait_until_serving(port, process)
            yield Before(port=port, first=first, second=second)
            assert "Traceback" not in process.said


def at_a_rate(port: int, calls: int, *, halfway: Callable[[], object]) -> list[Answer]:
    """Unary calls at 500 a second, whatever becomes of them; in the middle something happens."""
    with RawClient(port) as client:
        began_s = time.monotonic()
        streams = []
        for number in range(calls):
            if number == calls // 2:
                halfway()
            while (left_s := began_s + number / RATE - time.monotonic()) > 0:
                client.read(left_s)
            streams.append(client.call(UNARY, b"%d" % number, TAKES_20_MS))
        return [client.answer(stream) for stream in streams]


def failed(answers: list[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.status != Code.OK]


@pytest.mark.timeout(120)
def test_a_killed_runtime_costs_only_the_answers_that_had_begun(tmp_path: Path, made: Certificates) -> None:
    with pair(tmp_path, made) as up:
        answers = at_a_rate(up.port, CALLS, halfway=up.first.process.kill)
        in_second = up.second.counts()
    assert len(answers) == CALLS
    assert not [answer for answer in failed(answers) if not answer.data]
    assert len(failed(answers)) <= 2
    for number, answer in enumerate(answers):
        assert answer.status != Code.OK or answer.data == grpc_message(b"%d" % number)
    assert in_second["answered"] > CALLS * 0.7


def test_a_runtime_that_ends_gracefully_costs_nothing(tmp_path: Path, made: Certificates) -> None:
    with pair(tmp_path, made) as up:
        answers = at_a_rate(up.port, RATE, halfway=up.first.process.child.terminate)
        assert up.first.process.child.wait(timeout=10) == 0
    # It may have taken some from its socket that it has not begun, and says so.
    assert {(answer.status, answer.said) for answer in failed(answers)} <= {(Code.CANCELLED, "CANCELLED")}
    assert len(failed(answers)) < RATE * 0.05


def test_streams_of_a_runtime_that_dies_are_told(tmp_path: Path, made: Certificates) -> None:
    with pair(tmp_path, made) as up, RawClient(up.port) as client:
        streams = [client.begin(BIDI) for _ in range(2)]
        for stream in streams:
            client.data(stream, grpc_message(b"x"))
        client.read_until(lambda: all(client.answer_so_far(each).data for each in streams))
        up.first.process.kill()
        client.read_until(lambda: any(client.answer_so_far(each).is_complete for each in streams))
        dead, alive = sorted(streams, key=lambda each: not client.answer_so_far(each).is_complete)
        assert client.answer(dead).status == Code.UNAVAILABLE
        client.data(alive, grpc_message(b"y"), end=True)
        assert client.answer(alive).status == Code.OK


def test_a_frozen_runtime_costs_deadlines_and_nothing_else(tmp_path: Path, made: Certificates) -> None:
    with pair(tmp_path, made) as up, RawClient(up.port) as client:
        frozen = up.first.process.child
        client.answer(client.call(UNARY, b"x"))
        client.answer(client.call(UNARY, b"x"))
        frozen.send_signal(signal.SIGSTOP)
        try:
            calls = [client.call(UNARY, b"x", [("grpc-timeout", "300m")]) for _ in range(100)]
            began_s = time.monotonic()
            statuses = [client.answer(call).status for call in calls]
        finally:
            frozen.send_signal(signal.SIGCONT)
        assert time.monotonic() - began_s < 1.5
        assert statuses.count(Code.OK) == statuses.count(Code.DEADLINE_EXCEEDED) == 50
        assert {client.answer(client.call(UNARY, b"x")).status for _ in range(10)} == {Code.OK}


def test_who_waits_for_a_frozen_runtime_is_sent_elsewhere(tmp_path: Path, made: Certificates) -> None:
    with pair(tmp_path, made, "--keepalive-s", "0.5") as up, RawClient(up.port) as client:
        frozen = up.first.process.child
        client.answer(client.call(UNARY, b"x"))
        client.answer(client.call(UNARY, b"x"))
        frozen.send_signal(signal.SIGSTOP)
        try:
            calls = [client.call(UNARY, b"x") for _ in range(100)]
            statuses = {client.answer(call).status for call in calls}
        finally:
            frozen.send_signal(signal.SIGCONT)
    assert statuses == {Code.OK}


def test_calls_queue_for_a_runtime_that_takes_one_a_connection(tmp_path: Path) -> None:
    with watched(tmp_path / "up", "--streams-max", "1") as up:
        queued(up)
        up.witness.was_not_disturbed()


def queued(up: Watched) -> None:
    metadata = [("mm-model-id", up.door.model), *TAKES_20_MS]
    with up.connect() as client:
        calls = [client.call(UNARY, b"x", metadata) for _ in range(200)]
        assert [client.answer(call).status for call in calls] == [Code.OK] * 200
        # And those that the client gives up leave the queue.
        for _ in range(100):
            client.send(raw.rst_stream(client.call(UNARY, b"x", metadata)))
        assert client.answer(client.call(UNARY, b"x", metadata)).status == Code.OK
    up.comes_to_rest()
    # Eight towards the runtime, and one to our own doors.
    assert up.figure("remesh_relay_open_connections", side="upstream") <= 9


def test_a_runtime_that_is_not_there_is_told_in_time(tmp_path: Path, made: Certificates) -> None:
    (tmp_path / "runtime").mkdir()
    env = {"MM_METRICS": "disabled", "SHUTDOWN_TIMEOUT_MS": "0"}
    with (
        meshes.echo_runtime(tmp_path / "runtime", made) as runtime,
        meshes.relay(tmp_path / "instance", runtime, made, **env) as door,
        RawClient(door.port) as client,
    ):
        runtime.process.kill()
        began_s = time.monotonic()
        answer = client.answer(
            client.call(UNARY, b"x", [("mm-model-id", door.model), ("grpc-timeout", "1S")])
        )
        assert answer.status in {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}
        assert time.monotonic() - began_s < 2
