"""Listening sockets that whoever started this process has opened, and handed over as systemd does.

The protocol is sd_listen_fds(3): `LISTEN_PID` says for which process they are, `LISTEN_FDS` how many there
are, from file descriptor 3 on, and `LISTEN_FDNAMES` what each is called. `remesh up` hands the same sockets
to all of its instances (`cluster.processes`).
"""

import os
import socket
from collections.abc import Collection, Mapping
from typing import Final

from adapter.domain.errors import InvalidRequest

GRPC: Final = "grpc"
"""Inference and management, in the place of `MM_SVC_GRPC_PORT`."""
REST: Final = "rest"
"""REST, in the place of `REST_PROXY_LISTEN_PORT`."""

FIRST_FD: Final = 3
SOCKETS_MAX: Final = 64


class BadSockets(InvalidRequest):
    """What was handed over cannot be used; the text lists every complaint, one a line."""


def handed_over(
    env: Mapping[str, str], *, pid: int, known: Collection[str] = (GRPC, REST)
) -> Mapping[str, int]:
    """The file descriptors for this process, by name. Raises `BadSockets`; nothing is opened."""
    if not env.get("LISTEN_PID") or env["LISTEN_PID"].strip() != str(pid):
        return {}  # there are none, or they are for another process, from which we have the environment
    told = env.get("LISTEN_FDS", "")
    if not told.isdecimal() or not 0 < int(told) <= SOCKETS_MAX:
        raise BadSockets(f"LISTEN_FDS: {told!r} is no number from 1 to {SOCKETS_MAX}")
    count = int(told)
    names = env["LISTEN_FDNAMES"].split(":") if env.get("LISTEN_FDNAMES") else []
    if len(names) != count:
        raise BadSockets(
            f"LISTEN_FDNAMES: {len(names)} names for {count} sockets; "
            f"each must be called one of {', '.join(known)} (FileDescriptorName= in a systemd unit)"
        )
    complaints = [
        f"LISTEN_FDNAMES: {name!r} is none of {', '.join(known)}" for name in names if name not in known
    ]
    complaints += [f"LISTEN_FDNAMES: {name!r} is there twice" for name in known if names.count(name) > 1]
    if complaints:
        raise BadSockets("\n".join(complaints))
    return {name: FIRST_FD + number for number, name in enumerate(names)}


def opened(handed: Mapping[str, int]) -> dict[str, socket.socket]:
    """The sockets behind these file descriptors; no child of ours will have them. Raises `BadSockets`."""
    sockets: dict[str, socket.socket] = {}
    complaints = []
    for name, fd in handed.items():
        try:
            os.set_inheritable(fd, False)
            sockets[name] = handed_socket = socket.socket(fileno=fd)
            listens = handed_socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError as error:
            complaints.append(f"file descriptor {fd} ({name}) is no socket: {error.strerror}")
            continue
        if handed_socket.type != socket.SOCK_STREAM or not listens:
            complaints.append(f"file descriptor {fd} ({name}) is no socket that listens for connections")
    if complaints:
        for each in sockets.values():
            each.close()
        raise BadSockets("\n".join(complaints))
    return sockets
