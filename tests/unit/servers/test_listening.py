import socket

import pytest

from adapter.servers.grpc_server import CannotListen
from adapter.servers.listening import bound, port_of, told


def test_a_port_that_is_taken_is_an_error() -> None:
    with bound("127.0.0.1", 0) as taken, pytest.raises(CannotListen, match=r"cannot listen on 127\.0\.0\.1:"):
        bound("127.0.0.1", port_of(taken))


def test_a_port_that_nobody_insists_on_is_replaced() -> None:
    with bound("127.0.0.1", 0) as taken, bound("127.0.0.1", port_of(taken), replaceable=True) as other:
        assert port_of(other) not in {0, port_of(taken)}


def test_an_address_of_another_machine_cannot_be_had_at_any_port() -> None:
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:0"):
        bound("192.0.2.1", 80, replaceable=True)


def test_both_protocols_are_served_where_nothing_else_is_said() -> None:
    with bound("[::]", 0) as both, socket.create_connection(("127.0.0.1", port_of(both))):
        both.accept()[0].close()


def test_people_are_told_the_address() -> None:
    assert told("unix:/tmp/x.sock") == "unix:/tmp/x.sock"
    with bound("127.0.0.1", 0) as listener:
        assert told(listener) == f"127.0.0.1:{port_of(listener)}"
    with socket.socket(socket.AF_UNIX) as unnamed:
        assert (told(unnamed), port_of(unnamed)) == ("unix:", 0)
