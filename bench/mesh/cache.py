"""Seconds of loading that the cache spends, by LRU's, on traces: `bench.mesh_cache` is a bench of its own."""

import json
import sys
from collections.abc import Sequence
from typing import Final

from bench.mesh.stage import Stage
from bench.processes import Broken, ran

FIGURE: Final = "load_seconds_vs_lru"
PATIENCE_S: Final = 1800.0


def measure(stage: Stage) -> Sequence[float]:
    """By trace, as it tells them in its last line. Raises `Broken`."""
    command = [sys.executable, "-m", "bench.mesh_cache", *(["--quick"] if stage.options.quick else [])]
    said = ran(command, patience_s=PATIENCE_S)
    print(said, flush=True)
    figures = json.loads(said.strip().rpartition("\n")[2])["figures"]
    if not isinstance(ratios := figures.get(FIGURE), list):
        raise Broken(f"bench.mesh_cache tells no {FIGURE}: {figures}")
    return ratios
