"""Whether something listens yet, for the supervisor's `ready`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

PROBE_S_MAX = 2.0


async def port_accepts(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a connection is accepted."""
    try:
        async with asyncio.timeout(PROBE_S_MAX), _connected(asyncio.open_connection(host, port)):
            return True
    except (OSError, TimeoutError):
        return False


async def socket_accepts(path: Path) -> bool:
    """Whether a connection to this unix socket is accepted."""
    try:
        async with asyncio.timeout(PROBE_S_MAX), _connected(asyncio.open_unix_connection(str(path))):
            return True
    except (OSError, TimeoutError):
        return False


async def http_answers(port: int, path: str, *, host: str = "127.0.0.1") -> bool:
    """Whether a GET of this path is answered with status 200."""
    request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n"
    try:
        opening = asyncio.open_connection(host, port)
        async with asyncio.timeout(PROBE_S_MAX), _connected(opening) as (reader, writer):
            writer.write(request.encode())
            status_line = await reader.readline()
    except (OSError, TimeoutError, ValueError):  # ValueError: a line without an end
        return False
    return status_line.split(b" ")[1:2] == [b"200"]


@asynccontextmanager
async def _connected(
    opening: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await opening
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):  # the other side may have been quicker
            await writer.wait_closed()
