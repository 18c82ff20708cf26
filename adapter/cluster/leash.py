"""Run a command that ends when its parent does, even by `kill -9`: `leash.py PARENT_PID COMMAND...`.

Executed as a file between the supervisor and the command, which it becomes. Linux only; elsewhere the command
runs without the leash. What the command itself starts is not on it.
"""

import ctypes
import os
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1
NOT_STARTED = 127
"""The exit status of a command that could not be started, as shells have it."""


def main(arguments: list[str]) -> NoReturn:
    """Become the command."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it ended before the line above
            sys.exit(NOT_STARTED)
    try:
        os.execvp(command[0], command)  # noqa: S606 - a shell in between would not be on the leash
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
        sys.exit(NOT_STARTED)


if __name__ == "__main__":
    main(sys.argv[1:])
