"""Real sockets: the kernel takes a connection, and nobody answers it yet."""

import asyncio
import socket

import pytest

from adapter.up import door_knocks
from adapter.up.door_knocks import DoorKnocks


async def heard(knocks: DoorKnocks, seconds: float = 10.0) -> str:
    async with asyncio.timeout(seconds):
        async for namespace in knocks:
            return namespace
    raise AssertionError


async def is_quiet(knocks: DoorKnocks) -> bool:
    try:
        await heard(knocks, 0.3)
    except TimeoutError:
        return True
    return False


async def test_who_calls_is_heard_while_nobody_is_there() -> None:
    knocks = DoorKnocks()
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        knocks.listen("ns", [one, two])
        knocks.listen("ns", [one, two])
        assert await is_quiet(knocks)
        with socket.create_connection(two.getsockname()):
            assert await heard(knocks) == "ns"
        knocks.close()


async def test_who_comes_home_answers_by_itself() -> None:
    knocks = DoorKnocks()
    with socket.create_server(("127.0.0.1", 0)) as door:
        knocks.listen("ns", [door])
        knocks.leave("ns")
        with socket.create_connection(door.getsockname()):
            assert await is_quiet(knocks)


async def test_who_still_waits_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_knocks, "AGAIN_S", 0.05)
    knocks = DoorKnocks()
    with socket.create_server(("127.0.0.1", 0)) as door:
        knocks.listen("ns", [door])
        with socket.create_connection(door.getsockname()):
            assert [await heard(knocks), await heard(knocks)] == ["ns", "ns"]
        knocks.close()
