import asyncio
from collections.abc import Callable

import pytest

from adapter.servers.rest_joining import JOINED_BYTES_MAX, JoinedWrites

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
LARGE = bytes(JOINED_BYTES_MAX + 1)


class Sent(asyncio.Transport):
    """What goes out, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:  # type: ignore[override]  # bytes are all that is written here
        self.pieces.append(data)

    def close(self) -> None:
        self.pieces.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.pieces

    def get_write_buffer_size(self) -> int:
        return 7


def says(*pieces: bytes) -> Callable[[JoinedWrites], None]:
    def say(joined: JoinedWrites) -> None:
        for piece in pieces:
            joined.write(piece)

    return say


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        pytest.param((HEAD, b"body"), [HEAD + b"body"], id="a head and its body"),
        pytest.param((HEAD, b"a", b"b"), [HEAD + b"a", b"b"], id="a body in pieces"),
        pytest.param((HEAD, LARGE), [HEAD, LARGE], id="a large body"),
        pytest.param(
            (b"HTTP/1.1 100 Continue\r\n\r\n",), [b"HTTP/1.1 100 Continue\r\n\r\n"], id="a continue"
        ),
        pytest.param((HEAD,), [], id="a head alone"),
    ],
)
def test_head_and_body_go_together(said: tuple[bytes, ...], sent: list[bytes]) -> None:
    transport = Sent()
    says(*said)(JoinedWrites(transport))
    assert transport.pieces == sent


def test_a_head_without_a_body_goes_at_the_end() -> None:
    transport = Sent()
    joined = JoinedWrites(transport)
    joined.write(HEAD)
    joined.flush()
    joined.flush()
    joined.write(HEAD)
    joined.close()
    assert transport.pieces == [HEAD, HEAD, b"closed"]
    assert joined.is_closing()


def test_all_else_is_the_transports() -> None:
    assert JoinedWrites(Sent()).get_write_buffer_size() == 7
