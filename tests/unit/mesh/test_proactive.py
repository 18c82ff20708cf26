import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRecord, CopyState
from adapter.mesh.proactive import Candidate, Candidates, ProactiveLoad, may_be_loaded, proactive_loads
from adapter.mesh.view import InstanceState
from tests.unit.mesh.scaling_builders import (
    GIB,
    HOUR_MS,
    MIB,
    MINUTE_MS,
    NOW_MS,
    a_copy,
    a_failure,
    an_instance,
)


def candidate(name: str, *, minutes_ago: int = 0, size_bytes: int = 0, of_type: str = "t") -> Candidate:
    used_ms = NOW_MS - minutes_ago * MINUTE_MS
    return Candidate(model=ModelId(name), type=of_type, used_ms=used_ms, size_bytes=size_bytes)


def some(count: int, *, size_bytes: int = 0) -> list[Candidate]:
    return [candidate(f"m{n:05}", minutes_ago=n, size_bytes=size_bytes) for n in range(count)]


def anywhere(model_type: str, instance: InstanceState) -> bool:
    return bool(model_type and instance)


def loads(
    candidates: list[Candidate], *instances: InstanceState, default_size_bytes: int = MIB
) -> list[ProactiveLoad]:
    return proactive_loads(
        candidates, instances, may_hold=anywhere, default_size_bytes=default_size_bytes, now_ms=NOW_MS
    )


@pytest.mark.parametrize(
    ("copies", "may"),
    [
        pytest.param([], True, id="nothing is known"),
        pytest.param([a_copy()], False, id="loaded"),
        pytest.param([a_copy(CopyState.LOADING)], False, id="being loaded"),
        pytest.param([a_failure()], True, id="failed once"),
        pytest.param([a_failure(), a_failure()], False, id="failed twice"),
        pytest.param([a_failure(), a_failure(lasts_ms=-1)], True, id="the second failure is forgotten"),
        pytest.param([a_failure(everywhere=True)], False, id="fails everywhere"),
        pytest.param([a_failure(crashes=2)], False, id="quarantined"),
    ],
)
def test_candidates_have_no_copy_and_failed_at_most_once(copies: list[CopyRecord], may: bool) -> None:
    table = {InstanceId(str(number)): copy for number, copy in enumerate(copies)}
    assert may_be_loaded(table, NOW_MS) is may


@given(st.lists(st.integers(0, 1000), max_size=60), st.integers(1, 10))
def test_the_best_of_a_stream_are_the_best_of_all(minutes: list[int], most: int) -> None:
    offered = [candidate(f"m{number}", minutes_ago=ago) for number, ago in enumerate(minutes)]
    kept = Candidates(most)
    for each in offered:
        kept.offer(each)
    best = [each.used_ms for each in kept.best_first()]
    assert best == sorted([each.used_ms for each in offered], reverse=True)[:most]
    assert len(kept) == len(best)


def test_half_of_what_is_free_above_an_eighth_is_filled() -> None:
    chosen = loads(
        some(200, size_bytes=10 * MIB), an_instance("a", free_bytes=GIB // 2), an_instance("b", free_bytes=0)
    )
    # Of 1024 MiB 512 are free, 384 above the eighth: 192 are filled, which is room for 19.
    assert [load.candidate.model for load in chosen] == [each.model for each in some(19)]
    assert chosen[3].because == "it was used 3 min ago, and a has 162.0 MiB to fill"


def test_the_room_of_all_instances_is_filled() -> None:
    assert len(loads(some(500, size_bytes=32 * MIB), *[an_instance(name) for name in "abc"])) == 3 * 14


def test_a_smaller_model_takes_the_room_that_a_bigger_one_has_no_use_for() -> None:
    big, small = candidate("big", size_bytes=2 * GIB), candidate("small", minutes_ago=9, size_bytes=MIB)
    assert [load.candidate for load in loads([big, small], an_instance("a"))] == [small]


@pytest.mark.parametrize(
    ("copies", "used_bytes", "count"),
    [
        pytest.param(2, 80 * MIB, 204, id="with two copies the default"),
        pytest.param(4, 12 * MIB, 176, id="with four the mean of the default and their mean"),
        pytest.param(20, 80 * MIB, 102, id="with many their mean"),
    ],
)
def test_a_size_that_is_not_known_is_guessed(copies: int, used_bytes: int, count: int) -> None:
    instance = an_instance("a", free_bytes=GIB - used_bytes, copies=copies, loading_slots=20)
    chosen = loads(some(500), instance, default_size_bytes=2 * MIB)
    assert len(chosen) == count


def test_only_so_many_loads_are_asked_of_an_instance_at_a_time() -> None:
    assert len(loads(some(500, size_bytes=1), an_instance("a", loading_slots=2))) == 100
    assert len(loads(some(500, size_bytes=1), an_instance("a", loading_slots=2, loading=30))) == 70
    assert (
        len(loads(some(500, size_bytes=1), an_instance("a", loading_slots=2, loading=99, free_bytes=GIB)))
        == 1
    )


def test_a_run_is_bounded() -> None:
    assert len(loads(some(1500, size_bytes=1), an_instance("a", loading_slots=99))) == 1000


def test_where_nothing_is_free_only_what_is_much_newer_comes_in_and_a_twentieth_of_the_room() -> None:
    full = an_instance("a", free_bytes=0, coldest_ms=NOW_MS - 3 * HOUR_MS)
    chosen = loads(some(300, size_bytes=10 * MIB), full)
    assert len(chosen) == 5
    assert chosen[1].because == "it was used 60 s ago, later than much of what a holds"
    # A third of the three hours after the coldest copy was last used is two hours ago.
    assert loads([candidate("m", minutes_ago=119)], full)
    assert not loads([candidate("m", minutes_ago=120)], full)


def test_what_is_young_is_replaced_by_nothing() -> None:
    full = an_instance("a", free_bytes=0, coldest_ms=NOW_MS - 19 * MINUTE_MS)
    assert not loads(some(5), full)


def test_instances_that_leave_or_may_not_hold_the_type_have_no_room() -> None:
    def may_hold(model_type: str, instance: InstanceState) -> bool:
        return model_type in instance.record.labels

    instances = [an_instance("a", labels=("x",)), an_instance("b", labels=("y",), draining=True)]
    chosen = proactive_loads(
        [candidate("1", of_type="x"), candidate("2", of_type="y")],
        instances,
        may_hold=may_hold,
        default_size_bytes=MIB,
        now_ms=NOW_MS,
    )
    assert [load.candidate.model for load in chosen] == ["1"]


def test_without_instances_nothing_is_loaded() -> None:
    assert loads(some(3)) == []
