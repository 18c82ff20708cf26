import random

import pytest

from adapter.cache.candidates import SAMPLE, ByKey, BySample, Candidates
from adapter.cache.reuse import ReuseTimes
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId


def by_sample() -> BySample:
    chance = random.Random(1).random
    return BySample(ReuseTimes(chance), chance)


def worth(number: int, *, load_s: float = 1.0, used_s: float = 0.0) -> Worth:
    model = ModelId(f"m{number}")
    return Worth(model=model, order=number, size_bytes=100, load_s=load_s, used_s=used_s, priority=load_s)


@pytest.fixture(params=[ByKey, by_sample], ids=["by key", "by sample"])
def candidates(request: pytest.FixtureRequest) -> Candidates:
    made: Candidates = request.param()
    return made


def test_the_least_valuable_is_first_and_stays(candidates: Candidates) -> None:
    dear, cheap = worth(1, load_s=9.0), worth(2, load_s=1.0)
    candidates.put(dear)
    candidates.put(cheap)
    assert candidates.first(10.0) is cheap
    assert candidates.has(cheap)
    candidates.check()


def test_nobody_is_first_of_none(candidates: Candidates) -> None:
    assert candidates.first(0.0) is None


def test_who_came_to_be_in_use_is_left_out_until_he_is_put_back(candidates: Candidates) -> None:
    dear, cheap = worth(1, load_s=9.0), worth(2, load_s=1.0)
    for each in (dear, cheap):
        candidates.put(each)
    cheap.pins = 1
    assert candidates.first(10.0) is dear
    assert not candidates.has(cheap)
    cheap.pins = 0
    candidates.put(cheap)
    candidates.put(cheap)
    assert candidates.first(10.0) is cheap
    candidates.check()


def test_who_is_discarded_is_not_first(candidates: Candidates) -> None:
    a, b = worth(1), worth(2)
    candidates.put(a)
    candidates.put(b)
    candidates.discard(a)
    candidates.discard(a)
    assert candidates.first(10.0) is b
    candidates.discard(b)
    assert candidates.first(10.0) is None


def test_of_many_one_of_the_least_valuable_is_found_and_the_next_are_remembered() -> None:
    candidates = by_sample()
    worths = [worth(number, load_s=float(number + 1)) for number in range(1000)]
    for each in worths:
        candidates.put(each)
    gone = []
    for _ in range(100):
        first = candidates.first(10.0)
        assert first is not None
        candidates.discard(first)
        gone.append(first.order)
    candidates.check()
    assert sum(gone) / len(gone) < 100, "with all of them in order it would be 50"


def test_the_free_ones_are_found_among_many_in_use() -> None:
    candidates = by_sample()
    worths = [worth(number) for number in range(10 * SAMPLE)]
    for each in worths:
        candidates.put(each)
        each.pins = 1
    worths[7].pins = 0
    assert candidates.first(10.0) is worths[7]
    assert len(candidates) == 1
