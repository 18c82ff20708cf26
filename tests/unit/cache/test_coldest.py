from adapter.cache.coldest import STEPS_MAX, Coldest
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId


def worths(count: int) -> list[Worth]:
    return [Worth(model=ModelId(f"m{number}"), used_s=float(number)) for number in range(count)]


def coldest_of(each: list[Worth]) -> Coldest:
    coldest = Coldest()
    for worth in each:
        coldest.put(worth)
    return coldest


def test_of_none_none_is_the_coldest() -> None:
    assert Coldest().used_s() is None


def test_the_coldest_is_the_one_that_is_unused_for_longest() -> None:
    a, b = worths(2)
    coldest = coldest_of([a, b])
    assert coldest.used_s() == 0.0
    a.used_s = 7.0
    assert coldest.used_s() == 1.0
    coldest.discard(b)
    coldest.discard(b)
    assert coldest.used_s() == 7.0
    coldest.check([a])


def test_many_uses_are_caught_up_with_bit_by_bit() -> None:
    each = worths(3 * STEPS_MAX)
    coldest = coldest_of(each)
    for worth in each:
        worth.used_s += 1000.0
    told = [coldest.used_s() or 0.0 for _ in range(4)]
    assert told == sorted(told)
    assert told[0] <= 1000.0 == told[-1]
