"""A REST door, and what talks to it over raw sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from adapter.servers.rest_gateway import rest_serving
from adapter.servers.rest_options import RestOptions
from tests.fakes.unary_calls import FakeUnaryCalls

WAIT_S_MAX = 20.0
OPTIONS = RestOptions(body_bytes_max=100_000, stop_grace_s=0.0)
ALIVE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
INFER = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\n"

Story = Callable[[], Awaitable[None]]
Run = Callable[[Story], None]


def run_in(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Run:
    """Runs a story to its end in such a loop."""

    def run(story: Story) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(WAIT_S_MAX):
                await story()

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(bounded())

    return run


@dataclass(frozen=True, slots=True)
class Got:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        told = json.loads(self.body)
        assert told["error"] == told["message"]
        return str(told["error"])


class Talk:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, *pieces: bytes) -> None:
        self.writer.writelines(pieces)

    async def answer(self) -> Got:
        status = int((await self.reader.readline()).split()[1])
        headers = {}
        while line := (await self.reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Got(status, headers, body)

    async def ask(self, *pieces: bytes) -> Got:
        self.say(*pieces)
        return await self.answer()

    async def is_over(self) -> bool:
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def served(
    calls: FakeUnaryCalls | None = None, **options: Any
) -> AsyncIterator[Callable[[], Awaitable[Talk]]]:
    """A door, and what connects to it."""
    talks: list[Talk] = []
    limits = replace(OPTIONS, **options)
    async with rest_serving(calls or FakeUnaryCalls(), host="127.0.0.1", port=0, options=limits) as port:

        async def connect() -> Talk:
            talks.append(Talk(*await asyncio.open_connection("127.0.0.1", port)))
            return talks[-1]

        yield connect
        for talk in talks:
            talk.writer.close()
