import json
from dataclasses import asdict

from bench.dataplane.spread import Spread
from bench.mesh.cache import LoadSeconds
from bench.mesh.clients import Coldness, Entry, Latencies, Registered, Verdict
from bench.mesh.figures import PROMISES, Results, figures, table
from bench.mesh.headline import Headline
from bench.mesh.registered import ManyRegistered
from bench.mesh.registry import Counted

MIB = 2**20


def times(p99_ms: float) -> dict[str, float]:
    return {"p50_ms": p99_ms / 2, "p90_ms": p99_ms, "p99_ms": p99_ms, "p999_ms": p99_ms, "max_ms": p99_ms}


def verdict(p99_ms: float, failed: int = 0, *, count: int = 10_000) -> Verdict:
    codes = {"INTERNAL": failed} if failed else {}
    entries = {
        "a": Entry(
            **times(p99_ms), count=count, failed=failed, failed_by_code=codes, wrong=0, lost_and_asked_again=0
        ),
        "b": Entry(**times(p99_ms), count=1, failed=1, failed_by_code={}, wrong=0, lost_and_asked_again=0),
    }
    return Verdict(
        **times(p99_ms),
        count=count,
        failed=failed,
        failed_by_code=codes,
        wrong=0,
        asked_again=0,
        seconds=10,
        rate=1000,
        entries=entries,
        runtimes={"stub": count - failed},
        p99_ms_by_second=[p99_ms * 2],
        failed_by_second=[failed],
        examples=["0.1 s, a, m1: INTERNAL: no luck"] if failed else [],
    )


def registered(models: int) -> Registered:
    return Registered(
        models=models,
        seconds=2,
        models_per_s=models / 2,
        failed={},
        examples=[],
        p50_ms=1,
        p99_ms=2,
        max_ms=3,
    )


def a_headline(*runs: Verdict) -> Headline:
    return Headline(
        registered=registered(2000),
        counted=Counted(puts=3999, deletes=1, syncs=100),
        runs=runs,
        zipf=verdict(1),
        cpu_us=Spread(median=80, least=70, most=90),
        resident_bytes=100 * MIB,
    )


def test_the_headline_is_told_as_medians_with_their_ranges() -> None:
    told = figures(Results(headline=a_headline(verdict(3), verdict(1), verdict(2))))
    assert (told["loads_per_s"], told["writes_per_load"], told["rss_mib"]) == (1000, 2, 100)
    assert (told["p50_ms"], told["p99_ms"], told["failed"]) == (1, 2, 0)
    assert told["p99_first_second_ms"] == 6
    ranges = told["ranges"]
    assert isinstance(ranges, dict)
    assert ranges["p99_ms"] == [2, 1, 3]


def test_what_failed_anywhere_is_counted() -> None:
    cold = Coldness(
        models=3,
        failed={"INTERNAL": 2},
        examples=[],
        first_ms=Latencies(**times(4)),
        warm_ms=Latencies(**times(2)),
        overhead_ms=Latencies(**times(2)),
    )
    assert figures(Results(headline=a_headline(verdict(1, failed=5)), cold=cold))["failed"] == 7


def test_memory_is_the_most_that_was_seen() -> None:
    many = ManyRegistered(
        registered=registered(100_000),
        ready_s=1.5,
        resident_bytes=80 * MIB,
        asked_resident_bytes=120 * MIB,
        verdict=verdict(9),
    )
    told = figures(Results(registered=many))
    assert (told["rss_100k_mib"], told["ready_100k_s"]) == (120, 1.5)


def test_only_what_was_measured_is_told() -> None:
    ratios = {"zipf": 0.61, "scan": 0.7}
    told = figures(Results(load_seconds=LoadSeconds(promised=ratios, every={**ratios, "recency": 1.02})))
    assert set(PROMISES) & set(told) == {"failed", "load_seconds_vs_lru", "load_seconds_worst"}
    assert (told["load_seconds_vs_lru"], told["load_seconds_worst"]) == ([0.61, 0.7], 1.02)
    assert len(list(table(told))) == 3


def test_a_verdict_is_read_as_the_client_prints_it() -> None:
    said = verdict(2, failed=3)
    read = Verdict.read(json.dumps(asdict(said)))
    assert read == said
    assert read.failed_but_through("a") == 1
    assert read.failed_but_through("b") == 3
    assert "INTERNAL: no luck" in read.described
