from hypothesis import given
from hypothesis import strategies as st

from adapter.cache.lazy_heap import OUTDATED_MAX, LazyHeap

PUTS = st.tuples(st.sampled_from("abcdef"), st.integers(0, 5).map(float) | st.none())


def heap_of(**keys: float) -> LazyHeap[str]:
    heap = LazyHeap[str]()
    for item, key in keys.items():
        heap.put(item, (key,))
    return heap


def drained(heap: LazyHeap[str]) -> list[str]:
    return [item for _ in range(len(heap)) if (item := heap.pop())]


def test_the_smallest_key_comes_first_and_of_equals_the_first_put() -> None:
    assert drained(heap_of(c=2, a=1, b=1, d=0)) == ["d", "a", "b", "c"]


def test_an_item_can_be_given_another_key() -> None:
    heap = heap_of(a=1, b=2)
    heap.put("a", (3,))
    assert drained(heap) == ["b", "a"]


def test_an_item_can_be_taken_out() -> None:
    heap = heap_of(a=1, b=2)
    heap.discard("a")
    heap.discard("unknown")
    assert ("a" in heap, heap.first(), len(heap)) == (False, ((2,), "b"), 1)


def test_an_empty_heap_has_nothing() -> None:
    heap = heap_of()
    assert (heap.first(), heap.pop(), len(heap)) == (None, None, 0)


def test_what_is_outdated_does_not_pile_up() -> None:
    heap = heap_of(a=1)
    for number in range(10_000):
        heap.put("a", (float(number),))
    assert len(heap._heap) <= 2 + OUTDATED_MAX


@given(st.lists(PUTS, max_size=300))
def test_it_orders_as_a_sorted_list_does(steps: list[tuple[str, float | None]]) -> None:
    heap, naive = LazyHeap[str](), dict[str, tuple[float, int]]()
    for place, (item, key) in enumerate(steps):
        if key is None:
            heap.discard(item)
            naive.pop(item, None)
        else:
            heap.put(item, (key,))
            naive[item] = (key, place)
        heap.check()
    assert drained(heap) == sorted(naive, key=naive.__getitem__)
