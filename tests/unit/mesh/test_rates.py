import pytest

from adapter.domain.ids import ModelId
from adapter.mesh.rates import Rates

A, B = ModelId("a"), ModelId("b")


def after(*calls: int, model: ModelId = A) -> Rates:
    """So many calls in each of these seconds."""
    rates = Rates(0.0)
    for second, count in enumerate(calls, 1):
        for _ in range(count):
            rates.count(model)
        rates.tick(float(second))
        rates.check()
    return rates


def test_before_the_first_tick_there_are_no_rates() -> None:
    rates = Rates(0.0)
    rates.count(A)
    assert (rates.rpm(A), rates.concurrency(A), rates.total_rpm) == (0, 0, 0)
    assert rates.busy(rpm=0, concurrency=0) == []


def test_it_is_known_when_there_was_something_to_do() -> None:
    rates = after(1, 0, 2, 0)
    assert rates.used_s == 3.0
    rates.tick(5.0, {A: 1})
    assert (rates.used_s, Rates(7.0).used_s) == (5.0, 7.0)


@pytest.mark.parametrize(
    ("calls", "rpm"),
    [
        pytest.param([10, 10, 10, 10, 10], 600, id="steady"),
        pytest.param([8, 12, 10, 9, 11], 600, id="wavering"),
        pytest.param([10, 10, 10, 10, 0], 480, id="ended"),
        pytest.param([10, 10, 10, 10, 100], 6000, id="a burst of ten times counts within its first second"),
        pytest.param([0, 0, 0, 0, 50], 3000, id="a burst out of nothing"),
        pytest.param([10, 10, 10, 10, 16], 672, id="a little more is no burst"),
        pytest.param([100, 10, 10, 10, 10, 10], 600, id="what is six seconds old is forgotten"),
        pytest.param([30], 1800, id="a short time is measured by itself"),
    ],
)
def test_the_rate_of_a_model(calls: list[int], rpm: int) -> None:
    assert after(*calls).rpm(A) == pytest.approx(rpm)


def test_a_tick_that_comes_late_does_not_make_a_rate_seem_higher() -> None:
    rates = Rates(0.0)
    for _ in range(40):
        rates.count(A)
    rates.tick(4.0)
    assert rates.rpm(A) == pytest.approx(600)


def test_a_tick_without_time_in_between_counts_nothing_yet() -> None:
    rates = after(5)
    rates.count(A)
    assert not rates.tick(1.0)
    assert rates.tick(2.0) == {A: 1}


def test_a_tick_returns_the_calls_of_its_second() -> None:
    rates = Rates(0.0)
    for model in (A, B, A):
        rates.count(model)
    assert rates.tick(1.0) == {A: 2, B: 1}
    assert rates.tick(2.0) == {}


def test_calls_at_a_time_are_the_mean_of_the_samples() -> None:
    rates = Rates(0.0)
    for second, in_flight in enumerate([{A: 4}, {A: 2, B: 1}, {}, {A: 2}], 1):
        rates.tick(float(second), in_flight)
    assert rates.concurrency(A) == pytest.approx(2.0)
    assert rates.concurrency(B) == pytest.approx(0.25)


def test_a_sample_is_a_copy_of_what_the_caller_goes_on_changing() -> None:
    rates, in_flight = Rates(0.0), {A: 4}
    rates.tick(1.0, in_flight)
    in_flight.clear()
    assert rates.concurrency(A) == 4.0


def test_busy_are_those_with_the_rate_or_with_the_calls_at_a_time() -> None:
    rates = after(10, 10, 10, 10, 9)
    rates.count(B)
    rates.tick(6.0, {B: 50})
    assert rates.busy(rpm=500, concurrency=100) == []
    assert rates.busy(rpm=460, concurrency=100) == [A]
    assert rates.busy(rpm=460, concurrency=10) == [A, B]


def test_the_whole_instance_is_measured_over_a_minute() -> None:
    rates = after(*[10] * 600)
    assert rates.total_rpm == pytest.approx(600)
    for second in range(601, 631):
        rates.tick(float(second))
    assert rates.total_rpm == pytest.approx(300)
    for second in range(631, 661):
        rates.tick(float(second))
    rates.check()
    assert rates.total_rpm == 0.0
