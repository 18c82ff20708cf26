import pytest

from adapter.mesh.wording import ago, in_bytes, lasting, listed, times, within


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (3000 << 40, "3000.0 TiB"),
    ],
)
def test_sizes(size_bytes: int, words: str) -> None:
    assert in_bytes(size_bytes) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1.0, "0 ms"),
        (0.25, "250 ms"),
        (0.9999, "999 ms"),
        (1.0, "1.0 s"),
        (9.96, "10 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (7199.0, "2 h"),
        (36_000.0, "10 h"),
        (864_000.0, "10 days"),
    ],
)
def test_times_that_something_lasts(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_times_before_and_after_now() -> None:
    assert [ago(then_ms, 10_000) for then_ms in (7_000, 9_500, 99_000)] == [
        "3.0 s ago",
        "a moment ago",
        "a moment ago",
    ]
    assert [within(then_ms, 10_000) for then_ms in (70_000, 10_000, 0)] == ["in 60 s", "at once", "at once"]


def test_counts_and_lists() -> None:
    assert [times(count) for count in (0, 1, 2, 3)] == ["0 times", "once", "twice", "3 times"]
    names = ["a", "b", "c", "d"]
    assert [listed(names[:count]) for count in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert listed(names, most=2) == "a, b and 2 more"
