"""Whether something listens yet, for the supervisor's `ready`."""

import asyncio

PROBE_S_MAX = 2.0


async def port_accepts(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a connection is accepted."""
    try:
        async with asyncio.timeout(PROBE_S_MAX):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def http_answers(port: int, path: str, *, host: str = "127.0.0.1") -> bool:
    """Whether a GET of this path is answered with status 200."""
    request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n"
    try:
        async with asyncio.timeout(PROBE_S_MAX):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request.encode())
                status_line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
    return status_line.split(b" ")[1:2] == [b"200"]
