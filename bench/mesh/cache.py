"""Seconds of loading that the cache spends, by LRU's, on traces: `bench.mesh_cache` is a bench of its own."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.mesh.stage import Stage
from bench.processes import Broken, ran

PATIENCE_S: Final = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSeconds:
    """By trace; LRU's are 1."""

    promised: Mapping[str, float]
    """The traces that the promise is about, as that bench names them."""
    every: Mapping[str, float]
    """Those, and the ones that were made to find where a policy does badly."""


def measure(stage: Stage) -> LoadSeconds:
    """As that bench tells them in its last line. Raises `Broken`."""
    command = [sys.executable, "-m", "bench.mesh_cache", *(["--quick"] if stage.options.quick else [])]
    said = ran(command, patience_s=PATIENCE_S)
    table, _, last = said.strip().rpartition("\n")
    print(table, flush=True)
    figures = json.loads(last)["figures"]
    try:
        return LoadSeconds(promised=figures["the_three"], every=figures["load_seconds_vs_lru"])
    except KeyError as missing:
        raise Broken(f"bench.mesh_cache tells no {missing}, but {', '.join(figures)}") from None
