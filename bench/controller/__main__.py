r"""What the controller costs: reconciling one change, memory, a start, with 5,000 InferenceServices there.

  make bench NAME=controller [ARGS=--quick]

Figures: `reconcile_ms` (a spec changed by the API server, until its status says that the new one is loaded;
the median, with `reconcile_p99_ms`), `rss_mib` (of the controller after that; `rss_peak_mib`: the most that
it ever had), `resync_s` (from the start of the process until it has looked at each model and is idle; with
`resync_cpu_s`). Neither etcd syncs to the disk.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Final

import pytest

from adapter.cluster.kubernetes import KubernetesCluster
from adapter.cluster.kubernetes_api import Account
from bench import harness
from bench.controller.declared import Declared
from bench.controller.figures import figures, table
from bench.controller.measures import Measured, Sitting
from bench.processes import Broken
from tests.integration import control_plane
from tests.integration.controllers import managed

MODELS: Final = 5000
MODELS_QUICK: Final = 200
CHANGES: Final = 100
CHANGES_QUICK: Final = 20
RESYNCS: Final = 3
RESYNCS_QUICK: Final = 1
SEED: Final = 6


def main() -> None:
    """Measure and report; the status is 1 if it failed."""
    asked = _arguments()
    # SIGTERM ends it as Ctrl-C does, so that what was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="remesh-controller-") as folder:
            measured = _sit(Path(folder), asked)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Broken as error:
        raise SystemExit(f"FAILED: {error}") from error
    except pytest.skip.Exception as missing:
        raise SystemExit(f"this bench needs the control plane of `make tools`: {missing}") from missing
    told = {**figures(measured), "quick": asked.quick}
    print("\n".join(table(told)))
    harness.report("controller", told)
    sys.exit(1 if measured.failures else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.controller", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a rougher result of fewer models, sooner")
    parser.add_argument("--models", type=int, help=f"default: {MODELS}, or {MODELS_QUICK}")
    parser.add_argument("--changes", type=int, help=f"default: {CHANGES}, or {CHANGES_QUICK}")
    parser.add_argument("--resyncs", type=int, help=f"default: {RESYNCS}, or {RESYNCS_QUICK}")
    asked = parser.parse_args()
    asked.models = asked.models or (MODELS_QUICK if asked.quick else MODELS)
    asked.changes = asked.changes or (CHANGES_QUICK if asked.quick else CHANGES)
    asked.resyncs = asked.resyncs or (RESYNCS_QUICK if asked.quick else RESYNCS)
    return asked


def _sit(folder: Path, asked: argparse.Namespace) -> Measured:
    print("starting a control plane and a mesh", flush=True)
    with control_plane.running(folder / "plane") as plane, managed(plane, folder) as it:
        measured = Measured(models=asked.models)
        account = Account.found(kubeconfig=plane.kubeconfig())

        async def sit() -> None:
            async with (
                KubernetesCluster.connected(account, manager="people") as cluster,
                Declared.followed(cluster) as declared,
            ):
                sitting = Sitting(managed=it, declared=declared, measured=measured)
                await sitting.fill()
                print(f"{measured.models} declared and loaded in {measured.settled_s:.1f} s", flush=True)
                for _ in range(asked.resyncs):
                    await sitting.resync()
                    print(f"  {measured.resyncs[-1]}", flush=True)
                await sitting.change(asked.changes, random=Random(SEED))

        asyncio.run(sit())
        return measured


if __name__ == "__main__":
    main()
