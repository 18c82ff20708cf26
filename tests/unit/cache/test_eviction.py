import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapter.cache.candidates import ByKey
from adapter.cache.eviction import EvictionOrder, Policy
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId


def worth(model: str, *, size: int = 100, load_s: float = 1.0, used_s: float = 0.0) -> Worth:
    return Worth(model=ModelId(model), size_bytes=size, load_s=load_s, used_s=used_s)


def order_of(*worths: Worth, policy: Policy = "gdsf") -> EvictionOrder:
    order = EvictionOrder(policy)
    for each in worths:
        order.add(each)
    return order


def use(order: EvictionOrder, worth: Worth, now_s: float = 0.0, *, times: int = 1) -> None:
    for _ in range(times):
        order.use(worth, now_s)
        order.unpin(worth)


def evicted(order: EvictionOrder) -> list[str]:
    out = list[str]()
    while (gone := order.evict(0.0)) is not None:
        out.append(gone.model)
        order.check()
    return out


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param({"load_s": 1.0}, {"load_s": 2.0}, id="what was quick to load"),
        pytest.param({"size": 200}, {"size": 100}, id="what is big"),
        pytest.param({"used_s": 1.0}, {"used_s": 2.0}, id="of equals what was unused for longest"),
        pytest.param({}, {}, id="of those the one that came first"),
    ],
)
def test_what_is_evicted_first(first: dict[str, Any], then: dict[str, Any]) -> None:
    assert evicted(order_of(worth("first", **first), worth("then", **then))) == ["first", "then"]


def test_what_is_used_more_stays() -> None:
    a, b = worth("a"), worth("b")
    order = order_of(a, b)
    use(order, a, times=2)
    use(order, b)
    assert evicted(order) == ["b", "a"]


def test_what_was_used_much_long_ago_is_overtaken() -> None:
    old = worth("old")
    order = order_of(old)
    use(order, old, times=5)
    for number in range(20):
        new = worth(f"new{number}", used_s=float(number))
        order.add(new)
        use(order, new, float(number))
        if order.evict(0.0) is old:
            return
    pytest.fail("it stays for ever")


def test_lhd_evicts_what_is_used_seldom_dearly_kept_or_quick_to_load() -> None:
    often, seldom, quick, big = (
        worth("often"),
        worth("seldom"),
        worth("quick", load_s=0.2),
        worth("big", size=300),
    )
    order = EvictionOrder("lhd")
    for each in (often, seldom, quick, big):
        order.meet(each)
        order.add(each)
    rng = random.Random(3)
    for now_s in range(1, 4001):
        for each, rate in ((often, 0.1), (seldom, 0.002), (quick, 0.1), (big, 0.1)):
            if rng.random() < rate:
                use(order, each, float(now_s))
        order.look(float(now_s))
    order.check()
    gone = [order.evict(4001.0) for _ in range(4)]
    assert [each.model for each in gone if each] == ["seldom", "quick", "big", "often"]


def test_what_is_kept_by_a_rule_is_not_evicted_until_it_is_let_go() -> None:
    a, b = worth("a"), worth("b", load_s=9)
    order = order_of(a, b)
    order.keep(a)
    order.use(a, 1.0)
    assert order.evict(1.0) is b
    order.unpin(a)
    assert (order.evict(1.0), order.pinned_bytes) == (None, 100)
    order.let_go(a)
    order.check()
    assert order.evict(1.0) is a


def test_it_is_told_whether_a_use_is_more_than_one_of_a_flurry() -> None:
    a = worth("a")
    order = order_of(a)
    assert [order.use(a, now_s) for now_s in (1.0, 1.001, 1.002, 1.1)] == [True, False, False, True]


@pytest.mark.parametrize("policy", ["gdsf", "lru"])
def test_only_lhd_learns_when_models_are_used_again(policy: Policy) -> None:
    order, a = EvictionOrder(policy), worth("a")
    order.meet(a)
    order.look(1.0)
    order.part(a, for_good=False)
    order.forget(a.model)
    assert (len(order.reuse), order.uses_expected(a, 1.0)) == (0, None)


def test_lru_evicts_what_was_unused_for_longest_whatever_it_costs() -> None:
    a, b = worth("a", load_s=100, size=1), worth("b")
    order = order_of(a, b, policy="lru")
    use(order, a, 1.0, times=10)
    use(order, b, 2.0)
    assert evicted(order) == ["a", "b"]


def test_what_is_in_use_is_not_evicted_and_can_be_afterwards() -> None:
    a, b = worth("a"), worth("b", load_s=9)
    order = order_of(a, b)
    order.use(a, 1.0)
    order.use(a, 1.0)
    assert order.evict(0.0) is b
    assert order.evict(0.0) is None
    order.unpin(a)
    assert (order.evict(0.0), order.evictable_bytes, order.pinned_bytes) == (None, 0, 100)
    order.unpin(a)
    assert (order.evictable_bytes, order.pinned_bytes) == (100, 0)
    assert order.evict(0.0) is a
    assert len(order) == 0


def test_more_releases_than_uses_are_a_mistake() -> None:
    a = worth("a")
    with pytest.raises(AssertionError, match="a is released more often"):
        order_of(a).unpin(a)


def test_what_was_pinned_before_it_is_listed_stays_pinned() -> None:
    a = worth("a")
    order = EvictionOrder()
    order.use(a, 1.0)
    order.add(a)
    order.check()
    assert (order.evict(0.0), order.pinned_bytes) == (None, 100)


def test_what_is_taken_out_is_not_evicted() -> None:
    a, b = worth("a"), worth("b")
    order = order_of(a, b)
    order.remove(a)
    order.remove(a)
    assert evicted(order) == ["b"]


def test_uses_leave_the_heap_alone() -> None:
    a = worth("a")
    order = order_of(a)
    use(order, a, times=10_000)
    assert isinstance(order._free, ByKey)
    assert len(order._free._heap._heap) == 1


@given(st.integers(0, 2**32))
def test_the_same_uses_evict_alike(seed: int) -> None:
    def once() -> list[str]:
        rng = random.Random(seed)
        worths = [worth(f"m{n}", size=rng.randint(1, 3), load_s=rng.randint(0, 2)) for n in range(20)]
        order = order_of(*worths)
        for now_s in range(50):
            use(order, rng.choice(worths), float(now_s))
        return evicted(order)

    assert once() == once()


class AgainstNaive(RuleBasedStateMachine):
    """The order against one that looks at everything each time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s, self.clock, self.place = 0.0, 0.0, 0
        self.naive: dict[str, list[float]] = {}
        """By name: priority, time of last use, place, uses, pins, load seconds by byte."""
        self.worths: dict[str, Worth] = {}

    @initialize(policy=st.sampled_from(["gdsf", "lru"]))
    def begin(self, policy: Policy) -> None:
        self.lru = policy == "lru"
        self.order = EvictionOrder(policy)

    def rate(self, name: str) -> None:
        row = self.naive[name]
        row[0] = row[1] if self.lru else self.clock + row[3] * row[5]

    @rule(size=st.integers(1, 5), load_s=st.integers(0, 5), wait_s=st.integers(0, 2))
    def add(self, size: int, load_s: int, wait_s: int) -> None:
        self.now_s += wait_s
        self.place += 1
        name = f"m{self.place}"
        self.worths[name] = worth(name, size=size, load_s=load_s, used_s=self.now_s)
        self.order.add(self.worths[name])
        self.naive[name] = [0.0, self.now_s, self.place, 1, 0, load_s / size]
        self.rate(name)

    @precondition(lambda self: self.naive)
    @rule(data=st.data(), wait_s=st.integers(0, 2))
    def use(self, data: st.DataObject, wait_s: int) -> None:
        self.now_s += wait_s
        name = data.draw(st.sampled_from(sorted(self.naive)))
        self.order.use(self.worths[name], self.now_s)
        row = self.naive[name]
        row[1], row[3], row[4] = self.now_s, row[3] + 1, row[4] + 1
        self.rate(name)

    @precondition(lambda self: any(row[4] for row in self.naive.values()))
    @rule(data=st.data())
    def unpin(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(name for name, row in self.naive.items() if row[4])))
        self.order.unpin(self.worths[name])
        self.naive[name][4] -= 1

    @precondition(lambda self: self.naive)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.naive)))
        self.order.remove(self.worths.pop(name))
        del self.naive[name]

    @rule()
    def evict(self) -> None:
        free = [name for name, row in self.naive.items() if not row[4]]
        gone = self.order.evict(0.0)
        if not free:
            assert gone is None
            return
        wanted = min(free, key=lambda name: self.naive[name][:3])
        assert gone is self.worths.pop(wanted)
        if not self.lru:
            self.clock = max(self.clock, self.naive[wanted][0])
        del self.naive[wanted]

    @invariant()
    def holds(self) -> None:
        if self.naive:
            self.order.check()


TestAgainstNaive = AgainstNaive.TestCase
