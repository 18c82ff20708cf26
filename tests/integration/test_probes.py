import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from adapter.cluster.probes import http_answers, port_accepts, socket_accepts
from tests.integration.mesh import free_port


@asynccontextmanager
async def a_server_that_says(answer: bytes) -> AsyncIterator[int]:
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.get_running_loop().create_task(talk(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*talks)


@pytest.mark.parametrize(
    ("answer", "well"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", True, id="well"),
        pytest.param(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False, id="not yet"),
        pytest.param(b"", False, id="it hangs up"),
        pytest.param(b"\0" * 100_000, False, id="no HTTP at all"),
    ],
)
async def test_only_status_200_is_an_answer(answer: bytes, well: bool) -> None:
    async with a_server_that_says(answer) as port:
        assert await http_answers(port, "/health") is well
        assert await port_accepts(port)


async def test_where_nobody_listens_nothing_answers() -> None:
    port = free_port()
    assert not await port_accepts(port)
    assert not await http_answers(port, "/")


async def test_a_socket_accepts_while_somebody_listens(tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert not await socket_accepts(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert await socket_accepts(path)
    assert not await socket_accepts(path), "its file is still there"
