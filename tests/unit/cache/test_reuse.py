import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapter.cache.reuse import ReuseTimes
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId

DEEDS = ["meet", "part", "forget", "use", "look"]


def worth(model: str, used_s: float = 0.0) -> Worth:
    return Worth(model=ModelId(model), used_s=used_s)


def times() -> ReuseTimes:
    return ReuseTimes(random.Random(1).random)


def use(known: ReuseTimes, each: Worth, now_s: float) -> None:
    known.note(each, now_s - each.used_s)
    each.used_s = now_s


def test_models_that_are_used_as_far_apart_are_of_one_group() -> None:
    known, a, b, c = times(), worth("a"), worth("b"), worth("c")
    for each, gap_s in ((a, 10.0), (b, 12.0), (c, 1000.0)):
        known.meet(each)
        for number in range(1, 6):
            use(known, each, number * gap_s)
    assert a.group == b.group != c.group


def test_a_model_that_is_used_otherwise_than_before_changes_its_group() -> None:
    known, a = times(), worth("a")
    known.meet(a)
    groups = []
    for number in range(1, 40):
        use(known, a, a.used_s + (1.0 if number < 20 else 500.0))
        groups.append(a.group)
    assert groups[18] < groups[-1]
    assert all(after - before <= 2 for before, after in pairwise(groups[18:]))


def test_it_is_learnt_how_long_models_wait_for_their_uses() -> None:
    """Two of three are used each minute, the third never again."""
    known = times()
    models = [worth(f"m{n}") for n in range(30)]
    for each in models:
        known.meet(each)
    for now_s in range(1, 3000):
        for number, each in enumerate(models):
            if number % 3 and (now_s + number) % 60 == 0:
                use(known, each, float(now_s))
        known.look(float(now_s))
    known.check()
    used, unused = models[1], models[0]
    assert known.density(used, used.used_s + 50.0) > 100 * known.density(unused, 3000.0)


def test_who_left_and_comes_back_is_known_and_has_waited() -> None:
    known, a = times(), worth("a")
    known.meet(a)
    for now_s in (10.0, 20.0, 30.0):
        use(known, a, now_s)
    known.part(a)
    again = worth("a", 40.0)
    known.meet(again)
    known.check()
    assert (again.group, len(known)) == (a.group, 1)
    assert again.gap == a.gap


def test_a_load_for_nobody_is_no_use() -> None:
    known, a = times(), worth("a", 50.0)
    known.meet(a)
    known.part(a)
    again = worth("a", 7.0)
    known.meet(again)
    assert (again.used_s, again.group) == (50.0, 0)


def test_who_left_first_is_forgotten_first() -> None:
    known = ReuseTimes(random.Random(1).random, departed_max=2)
    for name in "abcd":
        each = worth(name)
        known.meet(each)
        known.part(each)
        known.check()
    assert len(known) == 2
    known.meet(worth("a"))
    assert len(known) == 3, "nothing was known of it any more"


def test_what_is_unregistered_is_forgotten_wherever_it_is() -> None:
    known, a, b = times(), worth("a"), worth("b")
    known.meet(a)
    known.meet(b)
    known.forget(a)
    known.part(b)
    known.check()
    known.forget_departed(ModelId("b"))
    known.forget_departed(ModelId("never here"))
    assert len(known) == 0


@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 4)), max_size=60))
def test_the_places_are_kept_in_any_order_of_events(events: list[tuple[str, int]]) -> None:
    known, here, now_s = times(), dict[int, Worth](), 0.0
    for deed, number in events:
        now_s += 1.0
        if deed == "meet" and number not in here:
            here[number] = worth(str(number), now_s)
            known.meet(here[number])
        elif deed == "use" and number in here:
            use(known, here[number], now_s)
        elif deed == "part" and number in here:
            known.part(here.pop(number))
        elif deed == "forget" and number in here:
            known.forget(here.pop(number))
        elif deed == "look":
            known.look(now_s)
        known.check()
        assert len(known) >= len(here)
