"""The bench of the controller runs to its end, and tells what it promises to tell."""

import json
import subprocess
import sys

import pytest

from bench.controller.figures import PROMISES
from tests.integration.conftest import tool
from tests.integration.meshes import require_traffic
from tests.tools import kubernetes

MODELS = 30
CHANGES = 5
COMMAND = (sys.executable, "-m", "bench.controller", "--quick")
PATIENCE_S = 120.0


@pytest.mark.timeout(PATIENCE_S + 10)
def test_every_figure_is_told() -> None:
    tool(kubernetes.RECIPE)
    require_traffic()
    command = [*COMMAND, "--models", str(MODELS), "--changes", str(CHANGES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    figures = told["figures"]
    assert told["bench"] == "controller"
    assert PROMISES.keys() <= figures.keys()
    assert (figures["models"], figures["changes"], figures["failures"]) == (MODELS, CHANGES, 0)
    assert 0 < figures["reconcile_ms"] <= figures["reconcile_p99_ms"]
    assert figures["resync_looks"] >= MODELS
    assert 0 < figures["rss_mib"] <= figures["rss_peak_mib"]
    assert figures["resync_s"] > 0 < figures["resync_cpu_s"]
