import pytest

from adapter.cache.eviction import EvictionOrder
from adapter.cache.guards import GUARDED_S_MAX, Guards
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId


class Watch:
    """Copies of 100 bytes that are guarded for ten times their load time."""

    def __init__(self, factor: float = 10.0, **loads_s: float) -> None:
        self.order = EvictionOrder("lru")
        self.guards = Guards(self.order, factor=factor)
        self.worths = {name: self.arrives(name, load_s) for name, load_s in loads_s.items()}

    def arrives(self, name: str, load_s: float, now_s: float = 100.0) -> Worth:
        worth = Worth(model=ModelId(name), used_s=now_s, size_bytes=100, load_s=load_s)
        self.guards.begin(worth, now_s)
        self.order.add(worth)
        return worth

    def expire(self, now_s: float) -> int:
        """The bytes that can be evicted then."""
        self.guards.expire(now_s)
        self.guards.check()
        self.order.check()
        return self.order.evictable_bytes


def test_a_copy_is_kept_for_ten_times_its_load() -> None:
    watch = Watch(a=1.0, b=2.0)
    assert (watch.expire(109.9), watch.guards.guarded_bytes) == (0, 200)
    assert (watch.expire(110.0), watch.guards.guarded_bytes) == (100, 100)
    assert watch.expire(120.0) == 200
    assert len(watch.guards) == 0


def test_the_ends_are_known() -> None:
    watch = Watch(a=2.0, b=1.0)
    assert (watch.guards.next_end_s, watch.guards.last_end_s) == (110.0, 120.0)
    assert watch.guards.until_s(ModelId("a")) == 120.0
    watch.expire(200.0)
    assert (watch.guards.next_end_s, watch.guards.last_end_s) == (None, None)
    assert watch.guards.until_s(ModelId("a")) is None


def test_a_long_load_is_not_kept_for_ever() -> None:
    watch = Watch(a=1000.0)
    assert watch.expire(100.0 + GUARDED_S_MAX) == 100


@pytest.mark.parametrize(
    ("factor", "load_s"), [(0.0, 5.0), (10.0, 0.0)], ids=["switched off", "no load time"]
)
def test_nothing_is_kept_for_no_time(factor: float, load_s: float) -> None:
    assert Watch(factor, a=load_s).expire(100.0) == 100


def test_a_guard_ends_with_its_copy() -> None:
    watch = Watch(a=1.0)
    watch.guards.end(watch.worths["a"])
    watch.guards.end(watch.worths["a"])
    assert watch.expire(100.0) == 100


def test_all_end_when_there_is_something_worse() -> None:
    watch = Watch(a=1.0, b=2.0)
    watch.guards.end_all()
    assert watch.expire(100.0) == 200


def test_a_timer_that_is_a_moment_early_is_in_time() -> None:
    assert Watch(a=1.0).expire(110.0 - 1e-6) == 100
