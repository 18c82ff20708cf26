"""`python -m runtimes.python_runtime`: see `--help`."""

import os
import signal
import sys
from types import FrameType

from runtimes.python_runtime import allocator
from runtimes.python_runtime.options import BadOptions, read_options

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""How numeric libraries are told to keep to one thread. They read it once, when they are imported."""


def main() -> int:
    """Run until a signal; the exit status."""
    # The first process of a container outlives a signal that it has not asked for; and imports take a while.
    signal.signal(signal.SIGTERM, _end)
    try:
        options = read_options(sys.argv[1:], os.environ)
    except BadOptions as error:
        print(error, file=sys.stderr)  # noqa: T201  there is no log yet
        return 2
    allocator.set_up()
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, str(options.threads_per_request))
    from runtimes.python_runtime.program import run

    return run(options)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
