import pytest

from adapter.http2.flow import Allowance, Counts


def test_so_many_at_once_are_allowed() -> None:
    allowance = Allowance(3)
    assert [allowance.take(0.0) for _ in range(4)] == [True, True, True, False]


def test_a_tenth_is_allowed_again_each_second() -> None:
    allowance = Allowance(20)
    assert all(allowance.take(5.0) for _ in range(20))
    assert not allowance.take(5.2)
    assert [allowance.take(6.3) for _ in range(3)] == [True, True, False]


def test_no_more_is_saved_than_the_burst() -> None:
    allowance = Allowance(2)
    assert allowance.take(0.0)
    assert [allowance.take(1000.0) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("burst", [1, 10, 1000])
def test_a_steady_tenth_is_always_allowed(burst: int) -> None:
    allowance = Allowance(burst)
    assert all(allowance.take(number * 10 / burst) for number in range(500))


def test_counters_begin_at_their_first_note() -> None:
    counts = Counts()
    for name in ("a", "b", "a"):
        counts.note(counts.retries, name)
    assert counts.retries == {"a": 2, "b": 1}
