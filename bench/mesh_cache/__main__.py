"""What the model cache spends on loading beside LRU: ten traces, and what each step of it costs.

The real `ModelCache` is played ten traces with each policy (see `traces` for their shapes and sources). The
measure is the seconds of loading that the requests after the warm-up cost, as a share of LRU's.

Figures: `load_seconds_vs_lru` (by trace), `worst_of_ten`, `the_three`, `gdsf_vs_lru` (greedy-dual-size-
frequency, by trace), `hit_ratio` and `lru_hit_ratio`; for a cache of 20,000 copies `use_us` (acquire and
release), `load_us` (all of a load that evicts another model) and `entry_bytes` (memory of one entry).
"""

import time

from bench.harness import arguments, report
from bench.mesh_cache.entries import cost_of_entries
from bench.mesh_cache.replay import Spent, replay
from bench.mesh_cache.traces import SHAPES, THE_THREE

FULL_MODELS, FULL_REQUESTS = 20_000, 400_000
QUICK_MODELS, QUICK_REQUESTS = 2000, 40_000


def main() -> None:
    """Print the table, and the figures."""
    quick = arguments(__doc__).quick
    models, requests = (QUICK_MODELS, QUICK_REQUESTS) if quick else (FULL_MODELS, FULL_REQUESTS)
    played: dict[str, dict[str, Spent]] = {}
    print("| trace | requests | LRU: load s (hits) | GDSF | LHD (hits) | took |")
    print("|---|---|---|---|---|---|", flush=True)
    for shape in SHAPES:
        began_s = time.monotonic()
        trace = shape.trace(models=models, requests=requests)
        by = played[shape.name] = {policy: replay(trace, policy) for policy in ("lru", "gdsf", "lhd")}
        lru, gdsf, lhd = by["lru"], by["gdsf"], by["lhd"]
        print(
            f"| {shape.name} | {len(trace.requests)} | {lru.load_s:.0f} ({lru.hit_ratio:.3f}) "
            f"| {gdsf.load_s / lru.load_s:.3f} | {lhd.load_s / lru.load_s:.3f} ({lhd.hit_ratio:.3f}) "
            f"| {time.monotonic() - began_s:.0f} s |",
            flush=True,
        )
    report("mesh_cache", {**figures(played), **cost_of_entries(FULL_MODELS)})


def figures(played: dict[str, dict[str, Spent]]) -> dict[str, object]:
    """By trace, and the worst."""

    def against_lru(policy: str) -> dict[str, float]:
        return {name: round(by[policy].load_s / by["lru"].load_s, 3) for name, by in played.items()}

    ours = against_lru("lhd")
    return {
        "load_seconds_vs_lru": ours,
        "worst_of_ten": max(ours.values()),
        "the_three": {name: ours[name] for name in THE_THREE},
        "gdsf_vs_lru": against_lru("gdsf"),
        "hit_ratio": {name: round(by["lhd"].hit_ratio, 3) for name, by in played.items()},
        "lru_hit_ratio": {name: round(by["lru"].hit_ratio, 3) for name, by in played.items()},
    }


if __name__ == "__main__":
    main()
