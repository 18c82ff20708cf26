"""The small HTTP door with clients that are slow, many, or asking while it closes."""

import asyncio
from email.utils import parsedate_to_datetime

import pytest

from adapter.aio.clock import LoopClock
from adapter.servers import small_http
from adapter.servers.listening import bound
from adapter.servers.small_http import Receive, Scope, Send, http_serving

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Held:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ends = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.began.set()
        await self.ends.wait()
        await app(scope, receive, send)


async def test_an_answer_has_a_date() -> None:
    async with http_serving(app, bound("127.0.0.1", 0), connections_max=2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert await reader.readexactly(2) == b"ok"
        writer.close()
    (date,) = [line.partition(": ")[2] for line in head.splitlines() if line.startswith("date")]
    assert parsedate_to_datetime(date).year >= 2024
    assert "server:" not in head


async def test_who_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_http, "FIRST_S_MAX", 0.1)
    async with http_serving(app, bound("127.0.0.1", 0), connections_max=2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET[:5])
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_so_many_connect_at_once_and_no_more() -> None:
    async with http_serving(app, bound("127.0.0.1", 0), connections_max=2) as port:
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        statuses = []
        for reader, writer in clients:
            writer.write(GET)
            statuses.append((await reader.readline())[9:12])
        assert statuses == [b"503", b"200", b"200"]
        for _, writer in clients:
            writer.close()


@pytest.mark.parametrize("ends", [True, False], ids=["in time", "never"])
async def test_what_was_begun_may_end_when_the_door_closes(
    ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_http, "GRACE_S", 10.0 if ends else 0.2)
    held = Held()
    async with asyncio.TaskGroup() as owner:
        async with http_serving(held, bound("127.0.0.1", 0), connections_max=2) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            await held.began.wait()
            if ends:
                owner.create_task(_soon(held))
        said = await asyncio.wait_for(_read(reader), 10)
        writer.close()
    assert said.endswith(b"ok") is ends


async def _soon(held: Held) -> None:
    await LoopClock().sleep(0.05)
    held.ends.set()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
