from itertools import pairwise

from adapter.registry.backoff import FIRST_S, LONGEST_S, Backoff


def test_waits_grow_to_a_bound() -> None:
    backoff = Backoff()
    waits = [backoff.next_s() for _ in range(20)]
    assert FIRST_S / 2 <= waits[0] <= FIRST_S
    assert all(LONGEST_S / 2 <= wait_s <= LONGEST_S for wait_s in waits[10:])
    assert any(earlier != later for earlier, later in pairwise(waits[10:]))


def test_after_it_went_well_they_begin_anew() -> None:
    backoff = Backoff()
    for _ in range(10):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= FIRST_S
