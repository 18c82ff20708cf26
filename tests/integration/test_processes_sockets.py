"""Listening sockets that the supervisor hands to its children, who share them."""

import asyncio
import os
import signal
import socket
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapter.cluster.process_states import Backoff
from adapter.cluster.processes import ProcessSpec
from tests.integration.test_processes import a_supervisor, python, until

SERVE = """
    import asyncio, os, sys
    sys.path.insert(0, sys.argv[1])
    from adapter.servers.inherited import handed_over, opened

    async def main():
        sockets = opened(handed_over(os.environ, pid=os.getpid()))
        said = f"{sys.argv[2]} {','.join(f'{n}:{s.getsockname()[1]}' for n, s in sockets.items())}"

        async def serve(reader, writer):
            writer.write(said.encode())
            writer.close()

        servers = [await asyncio.start_server(serve, sock=each) for each in sockets.values()]
        print("up", flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())
"""
QUICK = Backoff(pause_s_first=0.5, pause_s_max=0.5)


def a_child(name: str, *named: tuple[str, socket.socket]) -> ProcessSpec:
    up = asyncio.Event()

    async def is_up() -> bool:
        return up.is_set()

    return ProcessSpec(
        name=name,
        command=python(SERVE, Path.cwd(), name),
        ready=is_up,
        on_line=lambda line: up.set() if line == "up" else None,
        sockets=dict(named),
        backoff=QUICK,
    )


async def asked(listener: socket.socket) -> str:
    """Who answers; "" if the one who had taken the connection is gone."""
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        return (await reader.read()).decode()
    except ConnectionResetError:
        return ""
    finally:
        writer.close()


@pytest.fixture
def listeners() -> list[socket.socket]:
    return [socket.create_server(("127.0.0.1", 0), backlog=1024) for _ in range(2)]


async def test_each_socket_comes_under_its_name(listeners: list[socket.socket]) -> None:
    grpc, rest = listeners
    async with a_supervisor() as supervisor, AsyncExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        await supervisor.start(a_child("a", ("rest", rest), ("grpc", grpc)))
        said = f"a rest:{rest.getsockname()[1]},grpc:{grpc.getsockname()[1]}"
        assert {await asked(listener) for listener in listeners} == {said}
        await supervisor.stop()
        assert grpc.fileno() > 0, "it stays ours"


async def test_a_child_that_is_killed_costs_no_connection(listeners: list[socket.socket]) -> None:
    """Its neighbour takes what comes meanwhile, and it has the same socket when it comes back."""
    listener, other = listeners
    other.close()
    with listener:
        async with a_supervisor() as supervisor:
            first, _ = [await supervisor.start(a_child(name, ("grpc", listener))) for name in "ab"]
            answers: list[str] = []

            async def ask() -> None:
                while first.pid == killed or len(answers) < 500:
                    answers.extend(await asyncio.gather(*(asked(listener) for _ in range(10))))

            killed = first.pid
            assert killed is not None
            asking = asyncio.gather(ask(), ask())
            await until(lambda: len(answers) > 100)
            os.kill(killed, signal.SIGKILL)
            await asking
            who = Counter(answer[:1] for answer in answers)
            assert who["b"] > 100
            assert who[""] <= 20, "it may have taken all that were under way; none was refused"


async def test_connections_wait_while_nobody_is_there(listeners: list[socket.socket]) -> None:
    listener, other = listeners
    other.close()
    with listener:
        async with a_supervisor() as supervisor:
            child = await supervisor.start(a_child("a", ("grpc", listener)))
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            await until(lambda: child.pid is None)
            assert (await asyncio.wait_for(asked(listener), 30)).startswith("a grpc:")
