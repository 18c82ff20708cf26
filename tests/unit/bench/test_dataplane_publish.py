import pytest

from bench.dataplane.publish import BEGIN, END, filled

FIGURES = {
    "cpu_1k_vs_nginx": 0.5,
    "ranges": {"cpu_1k_vs_nginx": [0.5, 0.45, 0.61]},
    "cpu_us": {
        "1k": {"nginx": [33.0, 32.0, 34.0], "ours": [16.5, 15.0, 20.0]},
        "open": {"nginx": [85.0, 85.0, 85.0]},
    },
    "vs_nginx": {"1k": {"ours": [0.5, 0.45, 0.61]}},
    "latency_ms": {"p99": {"ours": [0.6, 0.5, 0.7]}},
    "failed": [],
}
MACHINE = {"cpus": 2, "cpu": "X", "python": "3.11"}
PAGE = f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe rest.\n"


def test_what_is_between_the_marks_is_replaced() -> None:
    page = filled(PAGE, FIGURES, MACHINE)
    assert "old" not in page
    assert page.startswith(f"# Title\n\n{BEGIN}\n")
    assert page.endswith(f"{END}\n\nThe rest.\n")
    assert filled(page, FIGURES, MACHINE) == page


@pytest.mark.parametrize(
    "row",
    [
        "| `cpu_1k_vs_nginx`: CPU of a 1 KiB call, by nginx's | 0.5 [0.45-0.61] | 1.0 |",
        "| 1 KiB, 64 in flight | 33 [32-34] | 16.5 [15-20] | 0.5 [0.45-0.61] |",
        "| Remesh | 0.6 [0.5-0.7] |",
    ],
    ids=["promise", "cost", "latency"],
)
def test_the_tables_have_what_was_measured(row: str) -> None:
    assert row in filled(PAGE, FIGURES, MACHINE).splitlines()


def test_a_failure_is_published_too() -> None:
    page = filled(PAGE, {**FIGURES, "failed": ["round 1, ours, rest: refused"]}, MACHINE)
    assert "- failed: round 1, ours, rest: refused" in page


def test_a_page_without_marks_is_left_alone() -> None:
    with pytest.raises(SystemExit):
        filled("# Title\n", FIGURES, MACHINE)
