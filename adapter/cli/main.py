"""The `remesh` command."""

import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line; the entry point of the package."""
    # The first process of a container outlives signals that it has not asked for, and is killed only when the
    # grace of its pod is over. To import the rest takes longer than some pods live.
    signal.signal(signal.SIGTERM, _end)
    from adapter.cli.commands import application

    application(sys.argv[1] if len(sys.argv) > 1 else "")()


def _end(number: int, _frame: FrameType | None) -> None:
    """Until a command says otherwise: end as who is ended by a signal does."""
    raise SystemExit(128 + number)
