"""Three instances as far as the relay goes: one that clients ask, and two that it forwards to; all processes.

What becomes of one of those two costs the clients nothing but time.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapter.domain.errors import Code
from tests.integration import certificates, mesh
from tests.integration.certificates import Certificates
from tests.integration.clients import meshes
from tests.integration.clients.meshes import EchoRuntime
from tests.integration.raw_http2 import Answer, RawClient, grpc_message
from tests.integration.test_relay_upstreams import TAKES_20_MS
from tests.integration.watched import BIDI, UNARY

RATE = 300
CALLS = 900
FROZEN_S_MAX = 5.0
"""What a frozen instance may cost those who wait for it; 3.5 s, and a busy machine."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@dataclass(frozen=True, kw_only=True)
class Three:
    """Where clients ask, and the two instances behind, each with its runtime."""

    port: int
    second: mesh.Process
    third: mesh.Process
    in_second: EchoRuntime
    in_third: EchoRuntime


def relay(stack: ExitStack, folder: Path, name: str, *arguments: str) -> tuple[mesh.Process, int]:
    port = mesh.free_port()
    command = [sys.executable, "-m", "tests.integration.relay_pair", f"127.0.0.1:{port}", *arguments]
    process = stack.enter_context(mesh.started(command, output=folder / f"{name}.log"))
    mesh.wait_until_serving(port, process)
    return process, port


@contextmanager
def three(folder: Path, made: Certificates, *second: str) -> Iterator[Three]:
    """`second` are further arguments of the second one."""
    with ExitStack() as stack:
        runtimes, peers = [], []
        for name, more in (("second", second), ("third", ())):
            (folder / name).mkdir()
            runtime = stack.enter_context(meshes.echo_runtime(folder / name, made))
            runtimes.append(runtime)
            peers.append(relay(stack, folder, name, f"127.0.0.1:{runtime.port}", "--for-peers", *more))
        behind = [f"127.0.0.1:{port}" for _, port in peers]
        first, port = relay(stack, folder, "first", *behind, "--peers")
        yield Three(
            port=port,
            second=peers[0][0],
            third=peers[1][0],
            in_second=runtimes[0],
            in_third=runtimes[1],
        )
        for process in (first, peers[0][0], peers[1][0]):
            assert "Traceback" not in process.said


def at_a_rate(port: int, *, halfway: Callable[[], object]) -> list[tuple[Answer, float]]:
    """Unary calls, 300 a second; the answers, and after how many seconds each was read."""
    with RawClient(port) as client:
        began_s = time.monotonic()
        streams: list[tuple[int, float]] = []
        for number in range(CALLS):
            if number == CALLS // 2:
                halfway()
            while (left_s := began_s + number / RATE - time.monotonic()) > 0:
                client.read(left_s)
            streams.append((client.call(UNARY, b"%d" % number, TAKES_20_MS), time.monotonic()))
        return [(client.answer(stream), time.monotonic() - asked_s) for stream, asked_s in streams]


def check_all(answers: list[tuple[Answer, float]]) -> None:
    """Each call has its own answer, whole and once."""
    assert len(answers) == CALLS
    for number, (answer, _) in enumerate(answers):
        assert answer.status == Code.OK, number
        assert answer.data == grpc_message(b"%d" % number)


@pytest.mark.timeout(120)
def test_an_instance_that_is_killed_costs_nothing(tmp_path: Path, made: Certificates) -> None:
    with three(tmp_path, made) as up:
        answers = at_a_rate(up.port, halfway=up.second.kill)
        check_all(answers)
        assert up.in_third.counts()["answered"] > CALLS * 0.6


@pytest.mark.timeout(120)
def test_an_instance_that_freezes_costs_seconds_once_and_comes_back(
    tmp_path: Path, made: Certificates
) -> None:
    with three(tmp_path, made) as up:
        freeze = lambda: up.second.child.send_signal(signal.SIGSTOP)  # noqa: E731 - a step of the story
        try:
            answers = at_a_rate(up.port, halfway=freeze)
            check_all(answers)
            assert max(took_s for _, took_s in answers) < FROZEN_S_MAX
            with RawClient(up.port) as client:
                began_s = time.monotonic()
                calls = [client.call(UNARY, b"x") for _ in range(50)]
                assert {client.answer(call).status for call in calls} == {Code.OK}
                assert time.monotonic() - began_s < 1.0, "it is avoided now"
        finally:
            up.second.child.send_signal(signal.SIGCONT)
        before = up.in_second.counts()["answered"]
        comes_back(up, before)


def comes_back(up: Three, before: int) -> None:
    """The instance is given calls again, soon."""
    ends_s = time.monotonic() + 20
    with RawClient(up.port) as client:
        while up.in_second.counts()["answered"] <= before + 10:
            assert time.monotonic() < ends_s
            calls = [client.call(UNARY, b"x") for _ in range(20)]
            assert {client.answer(call).status for call in calls} == {Code.OK}


def test_an_instance_that_is_restarted_comes_back(tmp_path: Path, made: Certificates) -> None:
    with three(tmp_path, made) as up:
        answers = at_a_rate(up.port, halfway=up.second.child.terminate)
        check_all(answers)
        assert up.second.child.wait(timeout=10) == 0
        command = [str(word) for word in up.second.child.args]  # type: ignore[union-attr] # it is a list
        with mesh.started(command, output=tmp_path / "again.log"):
            comes_back(up, up.in_second.counts()["answered"])


def test_what_one_refuses_another_answers_and_no_client_hears_of_it(
    tmp_path: Path, made: Certificates
) -> None:
    with three(tmp_path, made, "--refuse-every", "2") as up, RawClient(up.port) as client:
        calls = [client.call(UNARY, b"%d" % number) for number in range(300)]
        answers = [client.answer(call) for call in calls]
        assert [answer.data for answer in answers] == [grpc_message(b"%d" % number) for number in range(300)]
        assert not any("mm-refused" in answer.headers for answer in answers)
        in_second, in_third = up.in_second.counts()["answered"], up.in_third.counts()["answered"]
        assert 50 < in_second < in_third - 100


def test_streams_go_through_both_relays(tmp_path: Path, made: Certificates) -> None:
    with three(tmp_path, made) as up, RawClient(up.port) as client:
        stream = client.begin(BIDI)
        client.data(stream, grpc_message(b"one"))
        client.read_until(lambda: bool(client.answer_so_far(stream).data))
        client.data(stream, grpc_message(b"two"))
        client.data(stream, grpc_message(b"three"), end=True)
        answer = client.answer(stream)
    assert answer.status == Code.OK
    assert answer.data == b"".join(map(grpc_message, (b"one", b"two", b"three")))
