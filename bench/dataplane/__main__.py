r"""What the relay costs beside nginx and a grpc.aio proxy: CPU a call, added latency, memory.

All of it, in 5 rounds or in 2 shorter ones:
  make bench NAME=dataplane [ARGS=--quick]
A few seconds, while the relay is being worked on (a minute more after an edit of what is compiled):
  python -m bench.dataplane --only nginx,ours,ours-plain --case 1k --rounds 1
Plain Python in a profiler, which writes its file when the instance is stopped:
  python -m bench.dataplane --only ours-plain --case 1k --rounds 1 --seconds 10 \
    --instance '.venv/bin/python -m cProfile -o relay.prof -m adapter instance'
A proxy that runs already, its upstream on port 7001:
  python -m bench.dataplane --only ours --case 1k --rounds 1 \
    --backend-port 7001 --target 127.0.0.1:8033 --pid 4711
"""

import json
import signal
import sys
from typing import Final

from bench import harness
from bench.dataplane.cases import MODEL
from bench.dataplane.figures import everything, figures
from bench.dataplane.options import Options, read
from bench.dataplane.sitting import Sitting, backed, started_all
from bench.dataplane.tables import tell
from bench.processes import Broken

KINDS: Final = {True: ", compiled", False: ", plain Python"}


def main() -> None:
    """Measure and report; the status is 1 if anything failed."""
    options = read(__doc__)
    # SIGTERM ends it as Ctrl-C does, so that what was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        failed = _sit(options)
    except Broken as error:
        raise SystemExit(f"it could not begin: {error}") from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    sys.exit(1 if failed else 0)


def _sit(options: Options) -> bool:
    with backed(options) as bench, started_all(options, bench) as targets:
        print(f"backend: {bench.backend.address}; the model is named {MODEL}")
        for target in targets:
            pid = f", pid {target.process.pid}" if target.process else ""
            rest = f", REST {target.rest_address}" if target.rest_address else ""
            kind = "" if target.compiled is None else KINDS[target.compiled]
            print(f"{target.name}: {target.address}{rest}{pid}{kind}", flush=True)
        if options.hold:
            signal.pause()
        sitting = Sitting(options, bench)
        sitting.measure(targets)
    tell(sitting.results)
    if options.save:
        told = {"figures": everything(sitting.results), "machine": harness.machine()}
        options.save.write_text(json.dumps(told, indent=1) + "\n")
    harness.report("dataplane", figures(sitting.results))
    return bool(sitting.results.failed)


if __name__ == "__main__":
    main()
