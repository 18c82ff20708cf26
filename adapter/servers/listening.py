"""What a door listens on: an address, or a socket that whoever started this process had open already.

A handed socket may be shared with other processes. Each takes connections from it; that one closes it is no
concern of theirs, and no connection is refused as long as one of them, or who opened it, lives.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapter.servers.grpc_server import CannotListen

log = logging.getLogger(__name__)

UNIX: Final = "unix:"
BACKLOG: Final = 1024

Where = str | socket.socket
"""`host:port`, `unix:path`, or a socket that is bound already, which belongs to the door from then on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A door that takes connections."""

    server: asyncio.Server
    port: int
    """0: a unix socket."""
    path: Path | None = None
    """Of a unix socket that was made here."""

    def stop(self) -> None:
        """Take no more; what was taken goes on."""
        self.server.close()

    def forget(self) -> None:
        """Leave nothing behind."""
        self.stop()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


async def listening(
    make: Callable[[], asyncio.Protocol], where: Where, *, tls: ssl.SSLContext | None = None
) -> Listening:
    """Give each connection a protocol of its own. Raises `CannotListen`."""
    loop, path = asyncio.get_running_loop(), None
    try:
        if isinstance(where, socket.socket):
            server = await loop.create_server(make, sock=where, ssl=tls, backlog=BACKLOG)
        elif where.startswith(UNIX):
            path = Path(where.removeprefix(UNIX))
            server = await loop.create_unix_server(make, str(path), ssl=tls, backlog=BACKLOG)
        else:
            host, _, number = where.rpartition(":")
            server = await loop.create_server(
                make, host.strip("[]"), int(number), ssl=tls, backlog=BACKLOG, reuse_port=False
            )
    except OSError as error:
        raise cannot_listen(told(where)) from error
    port = port_of(server.sockets[0])
    log.info("listening", extra={"address": told(where), "port": port, "tls": tls is not None})
    return Listening(server=server, port=port, path=path)


def bound(host: str, port: int, *, replaceable: bool = False) -> socket.socket:
    """A socket that listens there; one on any free port if the port is taken and `replaceable`.

    Raises `CannotListen`.
    """
    bare = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    both = bare == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((bare, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        if not (replaceable and port):
            raise cannot_listen(f"{host}:{port}") from error
    return bound(host, 0)


def port_of(listener: socket.socket) -> int:
    """The port that it listens on; 0 for a unix socket."""
    if listener.family == socket.AF_UNIX:
        return 0
    port: int = listener.getsockname()[1]
    return port


def told(where: Where) -> str:
    """The address, for people."""
    if isinstance(where, str):
        return where
    name = where.getsockname()
    return f"{UNIX}{name}" if where.family == socket.AF_UNIX else f"{name[0]}:{name[1]}"


def cannot_listen(address: str) -> CannotListen:
    """The error of an address that cannot be had."""
    return CannotListen(
        f"cannot listen on {address}: another program does, or this machine has no such address"
    )
