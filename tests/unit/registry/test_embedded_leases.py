from adapter.registry.embedded_leases import Leases
from adapter.registry.sqlite_store import LeaseChange


def granted(*leases: int, ttl_s: int = 10, now_s: float = 0.0) -> Leases:
    found = Leases({}, now_s=now_s)
    found.changed([LeaseChange(lease, ttl_s, lives=True) for lease in leases], now_s=now_s)
    return found


def test_a_lease_is_due_when_its_time_is_over() -> None:
    leases = granted(1, 2)
    assert leases.due(now_s=9.9) == []
    assert leases.due(now_s=10.0) == [1, 2]


def test_a_lease_that_is_kept_alive_has_its_whole_time_again() -> None:
    leases = granted(1, 2)
    assert leases.keep_alive(2, now_s=9.0) == 10
    assert leases.due(now_s=18.9) == [1]
    assert leases.left_s(2, now_s=9.5) == (9, 10)


def test_what_is_over_can_be_kept_alive_until_its_end_has_begun() -> None:
    leases = granted(1, 2)
    assert leases.keep_alive(1, now_s=10.5) == 10
    assert leases.due(now_s=11.0) == [2]
    assert leases.keep_alive(2, now_s=11.0) == 0
    assert leases.left_s(2, now_s=11.0) == (0, 10)


def test_an_end_that_has_begun_is_due_until_it_is_done() -> None:
    leases = granted(1)
    assert [leases.due(now_s=now_s) for now_s in (10.0, 11.0)] == [[1], [1]]
    leases.changed([LeaseChange(1, 10, lives=False), LeaseChange(1, 10, lives=True)], now_s=12.0)
    assert leases.due(now_s=12.0) == []
    assert leases.keep_alive(1, now_s=13.0) == 10


def test_a_lease_that_the_store_has_ended_is_forgotten() -> None:
    leases = granted(1)
    leases.changed([LeaseChange(1, 10, lives=False), LeaseChange(2, 10, lives=False)], now_s=1.0)
    assert (len(leases), leases.keep_alive(1, now_s=1.0), leases.left_s(1, now_s=1.0)) == (0, 0, None)


def test_after_a_restart_each_has_its_whole_time() -> None:
    leases = Leases({1: 10, 2: 20}, now_s=1000.0)
    assert leases.due(now_s=1009.9) == []
    assert leases.due(now_s=1010.0) == [1]


def test_of_many_that_are_due_the_first_come_first() -> None:
    leases = Leases({1: 30, 2: 10, 3: 20}, now_s=0.0)
    assert leases.due(now_s=100.0) == [2, 3, 1]


def test_who_was_stopped_gives_all_of_them_that_time() -> None:
    leases = granted(1, 2)
    leases.postpone(60.0)
    assert leases.due(now_s=69.9) == []
    assert leases.due(now_s=70.0) == [1, 2]
