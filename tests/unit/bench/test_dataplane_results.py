import pytest

from bench.dataplane.figures import everything, figures
from bench.dataplane.results import Results, Run
from bench.dataplane.spread import Spread, significant

MIB = 2**20


def run(cpu_us: float | None = None, **latency_us: float) -> Run:
    return Run(calls=1000, seconds=0.5, cpu_us=cpu_us, busy=0.9 if cpu_us else None, latency_us=latency_us)


def results(*rows: tuple[str, str, list[Run]]) -> Results:
    made = Results()
    for target, case, runs in rows:
        for number, each in enumerate(runs):
            made.add(target, case, number, each)
    return made


def test_a_ratio_is_formed_in_each_round() -> None:
    # The machine became twice as slow in the third round, for both.
    made = results(("ours", "1k", [run(10), run(12), run(20)]), ("nginx", "1k", [run(20), run(20), run(40)]))
    assert made.ratio("ours", "1k", "nginx") == Spread(median=0.5, least=0.5, most=0.6)


def test_a_round_that_one_of_them_did_not_end_counts_for_neither() -> None:
    made = results(("ours", "1k", [run(10), run(10)]))
    made.add("nginx", "1k", 1, run(40))
    assert made.ratio("ours", "1k", "nginx") == Spread(median=0.25, least=0.25, most=0.25)


def test_what_a_proxy_adds_is_told_against_the_same_round_without_one() -> None:
    made = results(
        ("direct", "open", [run(p99=100), run(p99=900)]),
        ("ours", "open", [run(30, p99=600), run(30, p99=1500)]),
    )
    added = made.added_p99_ms("ours")
    assert added
    assert (added.least, added.most) == pytest.approx((0.5, 0.6))


def test_the_figures_have_the_names_that_were_promised() -> None:
    made = results(
        *(
            (target, case, [run(cpu_us, p99=1.0)])
            for target, cpu_us in (("ours", 30), ("nginx", 60), ("aio", 300))
            for case in ("1k", "64k", "4m", "open", "rest")
        ),
        ("direct", "open", [run(p99=0.5)]),
    )
    told = figures(made)
    assert {
        name: told[name] for name in ("cpu_1k_vs_nginx", "cpu_1k_vs_grpc_aio", "rest_64_vs_nginx_1k")
    } == {
        "cpu_1k_vs_nginx": 0.5,
        "cpu_1k_vs_grpc_aio": 0.1,
        "rest_64_vs_nginx_1k": 0.5,
    }
    assert told.keys() >= {"cpu_64k_vs_nginx", "cpu_4m_vs_nginx", "added_p99_ms", "cpu_1k_us", "rest_64_us"}


def test_plain_python_is_told_beside_what_is_compiled() -> None:
    made = results(("ours-plain", "1k", [run(30)]), ("ours", "1k", [run(15)]), ("nginx", "1k", [run(20)]))
    made.compiled = True
    told = figures(made)
    assert (told["cpu_1k_vs_nginx"], told["plain_cpu_1k_vs_nginx"]) == (0.75, 1.5)
    assert told["compiled"] is True


def test_what_was_not_measured_is_left_out() -> None:
    told = everything(results(("nginx", "1k", [run(33)])))
    assert "cpu_1k_us" not in told
    assert told["cpu_us"] == {"1k": {"nginx": [33, 33, 33]}}


def test_a_failure_is_told_with_its_round() -> None:
    made = Results()
    made.fail("nginx", "4m", 1, RuntimeError("12 of 80 calls failed"))
    assert figures(made)["failed"] == ["round 2, nginx, 4m: 12 of 80 calls failed"]


def test_memory_is_told_in_messages() -> None:
    made = Results()
    made.add_growth("ours", "4m-one", 0, 6 * MIB)
    assert figures(made)["memory_4m_1_messages"] == 1.5


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0.0, 0.0), (123456.0, 123500.0), (0.0123456, 0.01235), (-1.23456, -1.235)],
    ids=["zero", "large", "small", "negative"],
)
def test_digits_are_counted_from_the_first_that_says_something(value: float, rounded: float) -> None:
    assert significant(value) == pytest.approx(rounded)


def test_nothing_has_no_median() -> None:
    assert Spread.of([]) is None
