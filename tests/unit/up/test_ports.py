import socket
from contextlib import closing

from adapter.up.ports import HOST, held_port


def test_who_names_a_held_port_may_listen_there_again_and_again() -> None:
    with closing(held_port()) as held:
        for _ in range(2):
            with socket.create_server((HOST, held.port)):
                pass


def test_a_held_port_is_nobody_elses() -> None:
    with closing(held_port()) as held, closing(held_port(held.port)) as next_one:
        assert held.port < next_one.port <= held.port + 100


def test_a_port_on_which_somebody_listens_is_left_alone() -> None:
    with socket.create_server((HOST, 0)) as listener:
        taken = listener.getsockname()[1]
        with closing(held_port(taken)) as held:
            assert held.port != taken


def test_the_last_port_is_followed_by_any() -> None:
    with closing(held_port(65_535)) as last, closing(held_port(65_535)) as other:
        assert last.port != other.port
