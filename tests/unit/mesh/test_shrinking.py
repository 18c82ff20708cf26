from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.ids import InstanceId, ModelId
from adapter.domain.records import CopyRules, CopyState
from adapter.mesh.copy_facts import Copied, Mesh
from adapter.mesh.shrinking import fewer_copies, first_to_go, surplus_copies
from tests.unit.mesh.scaling_builders import (
    GIB,
    HOUR_MS,
    MIB,
    MINUTE_MS,
    MODEL,
    NOW_MS,
    a_copy,
    a_mesh,
    an_instance,
    crowded,
    ids,
    loaded_in,
)

IDLE = {"used_ms": NOW_MS - 11 * HOUR_MS}


def going(copied: Copied, mesh: Mesh | None = None) -> list[InstanceId]:
    """Which holders would give up their copies now, if each were told the same."""
    mesh = mesh or crowded(5)
    return [id_ for id_ in copied.copies if fewer_copies(copied, replace(mesh, here=id_))]


def goes(copied: Copied, mesh: Mesh | None = None) -> bool:
    return bool(going(copied, mesh))


# Of two.


def test_of_two_idle_copies_exactly_one_goes_where_memory_is_scarce() -> None:
    copied = loaded_in("a", "b", **IDLE)
    [here] = going(copied)
    because = fewer_copies(copied, replace(crowded(5), here=here))
    assert because == "memory is scarce, there is another copy, and this one was not used for 11 h"


@pytest.mark.parametrize(
    ("age_ms", "idle_ms", "heavy_ms", "leaves"),
    [
        pytest.param(20 * HOUR_MS, 2 * HOUR_MS, None, False, id="a tenth of the cache's age"),
        pytest.param(20 * HOUR_MS, 2 * HOUR_MS + 1, None, True, id="more than a tenth"),
        pytest.param(500 * HOUR_MS, 10 * HOUR_MS, None, False, id="ten hours are the most"),
        pytest.param(500 * HOUR_MS, 10 * HOUR_MS + 1, None, True, id="more than ten hours"),
        pytest.param(
            500 * HOUR_MS, 11 * HOUR_MS, NOW_MS - 99 * HOUR_MS, False, id="heavy use lately lifts that"
        ),
        pytest.param(
            500 * HOUR_MS, 11 * HOUR_MS, NOW_MS - 101 * HOUR_MS, True, id="heavy use long ago does not"
        ),
    ],
)
def test_how_long_a_second_copy_may_be_idle(
    age_ms: int, idle_ms: int, heavy_ms: int | None, leaves: bool
) -> None:
    copied = loaded_in("a", "b", used_ms=NOW_MS - idle_ms, heavy_ms=heavy_ms)
    assert goes(copied, crowded(5, age_ms=age_ms)) is leaves


def test_a_second_copy_that_is_new_stays() -> None:
    young = {InstanceId("a"): a_copy(), InstanceId("b"): a_copy(age_ms=9 * MINUTE_MS)}
    assert not goes(loaded_in(copies=young, **IDLE))


@pytest.mark.parametrize(
    "copied",
    [
        pytest.param(loaded_in("a", **IDLE), id="the only one"),
        pytest.param(loaded_in("a", "b", rules=CopyRules(copies_min=2), **IDLE), id="as many are asked for"),
        pytest.param(loaded_in("a", "b", rules=CopyRules(pinned=True), **IDLE), id="pinned"),
        pytest.param(
            loaded_in(copies={InstanceId("a"): a_copy(), InstanceId("b"): a_copy(CopyState.LOADING)}, **IDLE),
            id="the other is not loaded yet",
        ),
        pytest.param(loaded_in("a", "away", **IDLE), id="the other is in an instance that nobody knows"),
    ],
)
def test_copies_that_stay_although_idle(copied: Copied) -> None:
    assert not goes(copied)


def test_a_copy_that_leaves_with_its_instance_is_no_other_copy() -> None:
    mesh = crowded(2)
    leaving = an_instance("b", free_bytes=0, draining=True)
    assert not goes(
        loaded_in("a", "b", **IDLE), replace(mesh, instances={**mesh.instances, leaving.id: leaving})
    )


def test_where_memory_is_free_nothing_goes() -> None:
    free = a_mesh(*[an_instance(name, coldest_ms=NOW_MS - 100 * HOUR_MS) for name in "abc"])
    assert not goes(loaded_in("a", "b", "c", **IDLE), free)


# Of more than two.


def further(*, age_ms: int = HOUR_MS, **changes: object) -> Copied:
    copies = {id_: a_copy(age_ms=age_ms) for id_ in ids("a", "b", "c")}
    return loaded_in(copies=copies, **{"rpm": 100.0, **changes})


@pytest.mark.parametrize(
    ("copied", "leaves"),
    [
        pytest.param(further(), True, id="calm"),
        pytest.param(further(rpm=880), True, id="the two others would have two thirds of what is too much"),
        pytest.param(further(rpm=900), False, id="they would have more"),
        pytest.param(further(concurrency=7.0), True, id="few calls at a time"),
        pytest.param(further(concurrency=7.2), False, id="many calls at a time"),
        pytest.param(further(departed_ms=NOW_MS - 79_000), False, id="another one went just now"),
        pytest.param(further(departed_ms=NOW_MS - 80_000), True, id="another one went earlier"),
        pytest.param(further(age_ms=29 * MINUTE_MS), False, id="new"),
        pytest.param(further(heavy_ms=NOW_MS - 180 * MINUTE_MS), False, id="used heavily lately"),
        pytest.param(further(heavy_ms=NOW_MS - 182 * MINUTE_MS), True, id="used heavily earlier"),
    ],
)
def test_of_several_copies_one_goes_when_the_others_can_do_its_work(copied: Copied, leaves: bool) -> None:
    assert len(going(copied)) == int(leaves)


def test_more_copies_than_are_allowed_go_even_where_memory_is_free() -> None:
    free = a_mesh(*[an_instance(name) for name in "abc"])
    copied = loaded_in("a", "b", "c", rules=CopyRules(copies_max=2))
    [here] = going(copied, free)
    assert fewer_copies(copied, replace(free, here=here)) == "there are 3 copies, and maxCopies is 2"


# Who goes.


def test_a_copy_beside_another_one_in_its_zone_or_machine_goes_first() -> None:
    zones = a_mesh(an_instance("a", zone="1"), an_instance("b", zone="2"), an_instance("c", zone="2"))
    machines = a_mesh(
        *[an_instance(n, zone=z, location=at) for n, z, at in [("a", "1", "x"), ("b", "1", "y")]]
    )
    machines = a_mesh(*machines.instances.values(), an_instance("c", zone="2", location="y"))
    for model in map(ModelId, "klmnopqrst"):
        assert first_to_go(model, ids("a", "b", "c"), zones) in ids("b", "c")
        assert first_to_go(model, ids("a", "b", "c"), machines) == "b", "it shares both"


def test_different_models_leave_different_instances() -> None:
    mesh = a_mesh(*[an_instance(name) for name in "abc"])
    first = [first_to_go(ModelId(f"m{number}"), ids("a", "b", "c"), mesh) for number in range(60)]
    assert {first.count(id_) > 10 for id_ in ids("a", "b", "c")} == {True}


@given(
    st.sets(st.sampled_from("abcdefghij"), min_size=2),
    st.dictionaries(st.sampled_from("abcdefghij"), st.just("z")),
)
def test_all_holders_agree_on_who_goes_whatever_the_order_they_see(
    names: set[str], zones: dict[str, str]
) -> None:
    mesh = a_mesh(*[an_instance(name, zone=zones.get(name, "")) for name in sorted(names)])
    holders = ids(*sorted(names))
    assert first_to_go(MODEL, holders, mesh) == first_to_go(MODEL, holders[::-1], mesh)


# In one run.


def test_a_run_gives_up_the_longest_unused_within_its_share() -> None:
    sizes = {"old": 30 * MIB, "older": 40 * MIB, "big": 60 * MIB, "small": 9 * MIB}
    used = {"older": 40, "old": 30, "big": 20, "small": 15}
    copied = [
        replace(
            loaded_in("a", "b"),
            model=ModelId(name),
            size_bytes=sizes[name],
            used_ms=NOW_MS - used[name] * HOUR_MS,
        )
        for name in sizes
    ]
    judged = [
        (each, replace(crowded(2), here=first_to_go(each.model, ids("a", "b"), crowded(2))))
        for each in copied
    ]
    surplus = surplus_copies(judged, capacity_bytes=GIB)
    assert [each.model for each in surplus] == ["older", "small"]


def test_one_copy_may_always_go_however_big() -> None:
    copied = replace(loaded_in("a", "b", **IDLE), size_bytes=GIB)
    [here] = going(copied)
    assert surplus_copies([(copied, replace(crowded(5), here=here))], capacity_bytes=GIB)
