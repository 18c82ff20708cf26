"""Doors on sockets that are shared: several relays listen on one, and each may leave it at any time."""

import os
import socket
from collections import Counter
from collections.abc import Iterator

import grpc
import pytest

from adapter.servers.listening import bound, port_of
from adapter.servers.rest_gateway import rest_serving_on
from tests.fakes.doors import ECHO, a_door, unary


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with bound("127.0.0.1", 0) as made:
        yield made


def again(listener: socket.socket) -> socket.socket:
    """As another process has it."""
    return socket.socket(fileno=os.dup(listener.fileno()))


async def calls(port: int, count: int) -> None:
    """Each with a connection of its own."""
    for number in range(count):
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as client:
            assert await unary(client, ECHO, b"%d" % number) == b"%d" % number


async def test_two_share_a_socket_and_one_may_leave(listener: socket.socket) -> None:
    async with a_door() as first, a_door() as second:
        port = port_of(listener)
        assert await first.server.listen(again(listener)) == port
        assert await second.server.listen(again(listener)) == port
        await calls(port, 5)
        first.server.stop_taking()
        before = len(first.router.routed)
        await calls(port, 20)
        assert len(first.router.routed) == before
        assert len(second.router.routed) >= 20
        await second.server.drain(5)
        third_port = await first.server.listen(again(listener))
        assert third_port == port
        await calls(port, 5)
        assert Counter(bool(call) for call in first.router.ended)[True] >= before + 5


async def test_who_is_here_stays_when_no_more_are_taken(listener: socket.socket) -> None:
    async with a_door() as door:
        port = await door.server.listen(again(listener))
        peers = await door.server.listen("127.0.0.1:0", peers=True)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as client:
            assert await unary(client, ECHO, b"1") == b"1"
            door.server.stop_taking()
            assert await unary(client, ECHO, b"2") == b"2"
        assert [caller.from_peer for _, caller in door.router.planned] == [False, False]
        await calls(peers, 1)
        assert door.router.planned[-1][1].from_peer


async def test_rest_is_served_on_a_socket_that_was_handed_over(listener: socket.socket) -> None:
    async with a_door() as door, rest_serving_on(again(listener), door.server) as port:
        assert port == port_of(listener)
    assert listener.fileno() > 0
