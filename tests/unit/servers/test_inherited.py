import os
import socket
from collections.abc import Iterator

import pytest

from adapter.servers.inherited import SOCKETS_MAX, BadSockets, handed_over, opened

PID = 4711


def told(fds: object, names: str | None, pid: object = PID) -> dict[str, str]:
    env = {"LISTEN_PID": str(pid), "LISTEN_FDS": str(fds)}
    return env if names is None else {**env, "LISTEN_FDNAMES": names}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({}, id="nothing was handed over"),
        pytest.param(told(2, "grpc:rest", pid=PID + 1), id="to another process, which started us"),
        pytest.param({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "grpc:rest"}, id="to nobody"),
    ],
)
def test_there_may_be_no_sockets(env: dict[str, str]) -> None:
    assert handed_over(env, pid=PID) == {}


def test_they_lie_where_systemd_puts_them() -> None:
    assert handed_over(told(2, "rest:grpc"), pid=PID) == {"rest": 3, "grpc": 4}


@pytest.mark.parametrize(
    ("env", "complaint"),
    [
        pytest.param(told("two", "grpc"), "LISTEN_FDS: 'two' is no number", id="no number"),
        pytest.param(told(0, ""), "LISTEN_FDS: '0' is no number from 1", id="none"),
        pytest.param(told(SOCKETS_MAX + 1, "x"), f"from 1 to {SOCKETS_MAX}", id="very many"),
        pytest.param(
            told(1, None), "0 names for 1 sockets; each must be called one of grpc, rest", id="no names"
        ),
        pytest.param(told(2, "grpc"), "1 names for 2 sockets", id="too few names"),
        pytest.param(told(1, "http"), "'http' is none of grpc, rest", id="an unknown name"),
        pytest.param(told(2, "grpc:grpc"), "'grpc' is there twice", id="a name twice"),
    ],
)
def test_what_cannot_be_understood_is_complained_about(env: dict[str, str], complaint: str) -> None:
    with pytest.raises(BadSockets, match=complaint):
        handed_over(env, pid=PID)


def test_every_complaint_is_made_at_once() -> None:
    with pytest.raises(BadSockets) as raised:
        handed_over(told(4, "x:grpc:y:grpc"), pid=PID)
    assert len(str(raised.value).splitlines()) == 3


def test_a_socket_is_opened_and_kept_from_our_children(listener: socket.socket) -> None:
    fd = os.dup(listener.fileno())
    os.set_inheritable(fd, True)
    with opened({"grpc": fd})["grpc"] as handed:
        assert handed.getsockname() == listener.getsockname()
        assert not handed.get_inheritable()
        with socket.create_connection(handed.getsockname()):
            handed.accept()[0].close()


def test_only_sockets_that_listen_will_do(listener: socket.socket) -> None:
    good = os.dup(listener.fileno())
    silent = socket.socket()
    read, write = os.pipe()
    with pytest.raises(BadSockets) as raised:
        opened({"grpc": good, "rest": silent.detach(), "x": read})
    os.close(read)
    os.close(write)
    first, second = str(raised.value).splitlines()
    assert "(rest) is no socket that listens" in first
    assert "(x) is no socket: " in second
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(good)
