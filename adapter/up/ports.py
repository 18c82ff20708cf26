"""Ports of this machine that belong to one child for as long as the mesh is up, over its restarts too."""

import socket
import sys
from typing import Final

from adapter.servers.grpc_server import CannotListen

HOST: Final = "127.0.0.1"
LOOKED_AT_MAX: Final = 100
"""So many ports from the wanted one upwards are tried before any other will do."""
_LAST_PORT: Final = 65_535


class HeldPort:
    """One port on loopback.

    On Linux it stays bound, without listening: the kernel then gives it to nobody who wants any port, and
    lets the child, which names it, listen there all the same. Elsewhere it is only known to have been free.
    """

    def __init__(self, bound: socket.socket) -> None:
        self.port: Final[int] = bound.getsockname()[1]
        self._bound = bound
        # Only now: with it two meshes could hold the same port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform != "linux":
            bound.close()

    def __repr__(self) -> str:
        return f"<HeldPort {self.port}>"

    def close(self) -> None:
        """Anyone may have it."""
        self._bound.close()


def held_port(wanted: int = 0) -> HeldPort:
    """The first free port from the wanted one upwards; any for 0. Raises `CannotListen`."""
    nearest = range(wanted, min(wanted + LOOKED_AT_MAX, _LAST_PORT + 1)) if wanted else ()
    for port in (*nearest, 0):
        bound = socket.socket()
        try:
            bound.bind((HOST, port))
        except OSError:
            bound.close()
        else:
            return HeldPort(bound)
    raise CannotListen("this machine has no free port")
