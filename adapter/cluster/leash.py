"""Run a command that ends when its parent does, even by `kill -9`: `leash.py PARENT_PID SOCKETS COMMAND...`.

Executed as a file between the supervisor and the command, which it becomes. Linux only; elsewhere the command
runs without the leash. What the command itself starts is not on it.

SOCKETS are listening sockets that the command is handed as systemd does (sd_listen_fds(3)), `name=fd,name=fd`
or empty. It is done here since the protocol names the process that they are for, which this one becomes.
"""

import ctypes
import fcntl
import os
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1
FIRST_FD = 3
NOT_STARTED = 127
"""The exit status of a command that could not be started, as shells have it."""


def main(arguments: list[str]) -> NoReturn:
    """Become the command."""
    parent, sockets, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it ended before the line above
            sys.exit(NOT_STARTED)
    if sockets:
        hand_over(sockets)
    try:
        os.execvp(command[0], command)  # noqa: S606 - a shell in between would not be on the leash
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
        sys.exit(NOT_STARTED)


def hand_over(sockets: str) -> None:
    """Move the sockets to where the command looks for them, and say so in its environment."""
    handed = [each.partition("=") for each in sockets.split(",")]
    # First out of the way of each other.
    aside = [fcntl.fcntl(int(fd), fcntl.F_DUPFD_CLOEXEC, FIRST_FD + len(handed)) for _, _, fd in handed]
    for fd in {fd for _, _, fd in handed}:
        os.close(int(fd))
    for number, moved in enumerate(aside):
        os.dup2(moved, FIRST_FD + number, inheritable=True)
    os.putenv("LISTEN_PID", str(os.getpid()))
    os.putenv("LISTEN_FDS", str(len(handed)))
    os.putenv("LISTEN_FDNAMES", ":".join(name for name, _, _ in handed))


if __name__ == "__main__":
    main(sys.argv[1:])
