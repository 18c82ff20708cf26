"""`/ready`, `/live` and `/prestop`, and a controller's `/healthz` and `/readyz`, asked as kubelet does."""

import asyncio
import http.client
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from adapter.aio.clock import LoopClock
from adapter.servers.grpc_server import CannotListen
from adapter.servers.listening import bound, port_of
from adapter.servers.probes import PreStop, health_serving, prestop_serving, probes_serving

HOST = "127.0.0.1"


@dataclass
class State:
    ready: bool = False
    live: bool = True


@asynccontextmanager
async def probes(state: State, *, port: int = 0, replaceable: bool = False) -> AsyncIterator[int]:
    serving = probes_serving(
        is_ready=lambda: state.ready,
        is_live=lambda: state.live,
        host=HOST,
        port=port,
        replaceable=replaceable,
    )
    async with serving as found:
        yield found


def get(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


async def asked(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    return await asyncio.to_thread(get, port, path, method)


async def test_readiness_and_life_are_told() -> None:
    state = State()
    async with probes(state) as port:
        assert await asked(port, "/ready") == (503, b"")
        assert await asked(port, "/live") == (200, b"")
        state.ready, state.live = True, False
        assert await asked(port, "/ready") == (200, b"")
        assert await asked(port, "/live/") == (500, b"")


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "GET"), ("/readyy", "GET"), ("/prestop", "GET"), ("//ready", "GET"), ("/ready", "POST")],
)
async def test_there_is_nothing_else(path: str, method: str) -> None:
    async with probes(State(ready=True)) as port:
        assert await asked(port, path, method) == (404, b"")


async def test_a_connection_is_kept() -> None:
    async with probes(State(ready=True)) as port:

        def several() -> list[int]:
            connection = http.client.HTTPConnection(HOST, port, timeout=10)
            statuses = []
            for method, path in [
                ("GET", "/ready"),
                ("HEAD", "/live"),
                ("GET", "/nothing"),
                ("GET", "/ready/"),
            ]:
                connection.request(method, path)
                answer = connection.getresponse()
                answer.read()
                statuses.append((answer.status, connection.sock is not None))
            connection.close()
            assert all(kept for _, kept in statuses)
            return [status for status, _ in statuses]

        assert await asyncio.to_thread(several) == [200, 200, 404, 200]


async def test_a_port_that_is_taken_is_replaced_if_it_may_be() -> None:
    with bound(HOST, 0) as taken:
        port = port_of(taken)
        async with probes(State(), port=port, replaceable=True) as found:
            assert found != port
            assert await asked(found, "/live") == (200, b"")
        with pytest.raises(CannotListen):
            async with probes(State(), port=port):
                pass


async def test_a_controller_tells_of_its_health_at_the_paths_of_controllers() -> None:
    state = State()
    async with health_serving(is_ready=lambda: state.ready, host=HOST, port=0) as port:
        assert await asked(port, "/healthz") == (200, b"")
        assert await asked(port, "/readyz") == (503, b"")
        state.ready = True
        assert await asked(port, "/readyz/") == (200, b"")
        assert await asked(port, "/ready") == (404, b"")
        assert await asked(port, "/healthz", "POST") == (404, b"")
        with pytest.raises(CannotListen):
            async with health_serving(is_ready=lambda: True, host=HOST, port=port):
                pass


async def wait_at(port: int) -> bytes:
    """What comes, and when, of a GET of /prestop."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /prestop HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        return await reader.readline()
    finally:
        writer.close()


async def test_all_who_wait_are_let_go_when_the_instance_exits() -> None:
    prestop = PreStop(wait_s_max=60)
    async with asyncio.TaskGroup() as group, prestop_serving(prestop, host=HOST, port=0) as port:
        assert not prestop.asked.is_set()
        waiting = [group.create_task(wait_at(port)) for _ in range(50)]
        await asyncio.wait_for(prestop.asked.wait(), 10)
        await LoopClock().sleep(0.3)
        assert not any(task.done() for task in waiting)
    assert {task.result() for task in waiting} == {b"HTTP/1.1 200 OK\r\n"}


async def test_the_instance_may_say_so_earlier() -> None:
    prestop = PreStop(wait_s_max=60)
    async with prestop_serving(prestop, host=HOST, port=0) as port:
        prestop.exiting()
        assert await asked(port, "/prestop/") == (200, b"")


async def test_nobody_waits_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async with prestop_serving(PreStop(wait_s_max=0.1), host=HOST, port=0) as port:
        assert await asked(port, "/prestop") == (200, b"")
    assert "who waits for this instance to exit is let go" in caplog.text


async def test_who_hangs_up_is_waited_for_no_more() -> None:
    prestop = PreStop(wait_s_max=60)
    async with prestop_serving(prestop, host=HOST, port=0) as port:
        before = len(asyncio.all_tasks())
        _, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET /prestop HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(prestop.asked.wait(), 10)
        assert len(asyncio.all_tasks()) > before
        writer.close()
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > before:
                await LoopClock().sleep(0.02)
