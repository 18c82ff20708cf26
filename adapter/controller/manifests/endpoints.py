"""`port:N` and `unix:PATH` (reference: serving controller 1.3).

ModelMesh takes whatever does not begin with `port:` for a path; here it says `unix:`, and is absolute, since
its folder is mounted into both containers.
"""

import re
from pathlib import PurePosixPath
from typing import Final

from adapter.controller.manifests.shapes import PORT_MAX
from adapter.domain.specs import Endpoint

FORMS: Final = "must be port:N, such as port:8085, or unix:PATH, such as unix:/run/runtime/grpc.sock"
SOCKET_CHARS_MAX: Final = 107
"""What an address of a Unix socket holds."""

_PORT: Final = re.compile(r"port:([0-9]{1,5})")


def parse_endpoint(text: str) -> Endpoint:
    """Read one. Raises `ValueError` with what to write."""
    if found := _PORT.fullmatch(text):
        port = int(found[1])
        if not 1 <= port <= PORT_MAX:
            raise ValueError(f"must be a port from 1 to {PORT_MAX}")
        return Endpoint(port=port)
    if not text.startswith("unix:"):
        raise ValueError(FORMS)
    path = text.removeprefix("unix://").removeprefix("unix:")
    if "\0" in path or not path.startswith("/") or path.endswith("/") or ".." in PurePosixPath(path).parts:
        raise ValueError("must be the absolute path of a socket, such as unix:/run/runtime/grpc.sock")
    if len(PurePosixPath(path).parts) <= 2:  # noqa: PLR2004 - the root, and the socket
        raise ValueError("must be in a folder, which the containers share: unix:/run/runtime/grpc.sock, say")
    if len(path.encode(errors="replace")) > SOCKET_CHARS_MAX:
        raise ValueError(f"must be a path of at most {SOCKET_CHARS_MAX} characters")
    return Endpoint(socket=path)


def unused_endpoint(text: str) -> Endpoint | None:
    """The same for what ModelMesh accepts in any form and never uses; None: it is in another."""
    try:
        return parse_endpoint(text)
    except ValueError:
        return None
