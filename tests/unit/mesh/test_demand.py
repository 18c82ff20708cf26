from adapter.mesh.copy_facts import ScalingRules
from adapter.mesh.demand import Demand, Noted
from tests.unit.mesh.scaling_builders import MODEL, NOW_MS

RULES = ScalingRules(rpm_max=600)


def second(demand: Demand, number: int, *, calls: int = 0, in_flight: int = 0) -> Noted:
    for _ in range(calls):
        demand.rates.count(MODEL)
    return demand.tick(
        now_s=float(number), now_ms=NOW_MS + 1000 * number, in_flight={MODEL: in_flight} if in_flight else {}
    )


def test_a_burst_of_ten_times_is_noted_in_its_first_second() -> None:
    demand = Demand(0.0, rules=RULES)
    for number in range(1, 20):
        assert second(demand, number, calls=9) == Noted()
    assert second(demand, 20, calls=90) == Noted(busy=(MODEL,))


def test_three_quarters_of_the_limit_are_heavy_use() -> None:
    demand = Demand(0.0, rules=RULES)
    assert second(demand, 1, calls=7) == Noted()
    assert demand.marks.heavy_ms(MODEL) is None
    assert second(demand, 2, calls=8) == Noted()
    assert demand.marks.heavy_ms(MODEL) == NOW_MS + 2000


def test_calls_at_a_time_count_by_the_limit_of_the_runtime() -> None:
    limits = {MODEL: 2}
    demand = Demand(0.0, rules=RULES, limit_of=limits.__getitem__)
    assert second(demand, 1, in_flight=1) == Noted()
    assert second(demand, 2, in_flight=3).busy == (MODEL,)
    assert second(Demand(0.0, rules=RULES), 1, in_flight=3) == Noted()


def test_that_a_copy_was_asked_for_is_remembered_for_a_minute() -> None:
    demand = Demand(0.0, rules=RULES)
    demand.asked(MODEL, NOW_MS)
    second(demand, 59)
    assert demand.asked_ms(MODEL) == NOW_MS
    second(demand, 60)
    assert demand.asked_ms(MODEL) == 0


def test_steady_use_is_noted() -> None:
    demand = Demand(0.0, rules=RULES)
    assert second(demand, 1, calls=1).steady == ()
    assert second(demand, 600, calls=1).steady == (MODEL,)
    assert second(demand, 601, calls=1).steady == ()


def test_a_new_threshold_holds_from_the_next_second_on() -> None:
    demand = Demand(0.0)
    assert second(demand, 1, calls=20) == Noted()
    demand.rules = RULES
    assert second(demand, 2, calls=20).busy == (MODEL,)
