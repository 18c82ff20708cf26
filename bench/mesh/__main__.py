r"""What a mesh costs: loads, writes to etcd, latency, memory, cold calls.

All of it, or less of everything:
  make bench NAME=mesh [ARGS=--quick]
One measure, in plain Python:
  python -m bench.mesh --quick --only headline --plain
Another checkout's instance, with the registry that it has in itself:
  python -m bench.mesh --quick --only headline --registry embedded \
    --instance 'env PYTHONSAFEPATH=1 PYTHONPATH=/elsewhere .venv/bin/python -m adapter instance'
"""

import json
import signal
import sys
import tempfile
from pathlib import Path

from bench import harness
from bench.mesh import cache, cold, headline, registered, sklearn
from bench.mesh.figures import Results, figures, table
from bench.mesh.options import Options, read
from bench.mesh.stage import Stage
from bench.processes import Broken


def main() -> None:
    """Measure and report; the status is 1 if anything failed."""
    options = read(__doc__)
    # SIGTERM ends it as Ctrl-C does, so that what was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = _sit(options)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    told = {**figures(results), "quick": options.quick}
    if options.save:
        options.save.write_text(json.dumps({"figures": told, "machine": harness.machine()}, indent=1))
    if options.quick:
        print("NOTE: --quick measures fewer models than the names of the figures say")
    print("\n".join(table(told)))
    harness.report("mesh", told)
    sys.exit(1 if results.broken or told["failed"] else 0)


def _sit(options: Options) -> Results:
    results = Results()
    for name in options.measures:
        print(f"== {name}", flush=True)
        try:
            with tempfile.TemporaryDirectory(prefix=f"remesh-{name}-") as folder:
                _measure(name, Stage(options, Path(folder)), results)
        except Broken as error:
            results.broken.append(f"{name}: {error}")
            print(f"{name} FAILED: {error}", flush=True)
    return results


def _measure(name: str, stage: Stage, results: Results) -> None:
    if name == "headline":
        results.headline = headline.measure(stage)
    elif name == "cold":
        results.cold = cold.measure(stage)
    elif name == "registered":
        results.registered = registered.measure(stage)
    elif name == "sklearn":
        results.sklearn = sklearn.measure(stage)
    elif name == "cache":
        results.load_seconds = cache.measure(stage)


if __name__ == "__main__":
    main()
