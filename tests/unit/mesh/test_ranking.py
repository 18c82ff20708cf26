from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.mesh.ranking import SAME_LOCATION, SAME_ZONE, Standing, is_full, version_number
from tests.builders import HOUR_MS, MINUTE_MS, NOW_MS, SECOND_MS, AnInstance, an_instance, gib, mib

A, B = an_instance("a"), an_instance("b")
OLD, NEW = "mesh-20240131-7", "mesh-20240201-1"


def standing(instance: AnInstance, **given: int) -> Standing:
    return Standing(instance.state, now_ms=NOW_MS, **given)


# In each case the name of the better one sorts last, so that it is not the name that decides.
@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param(B.of_version(OLD), A.of_version(NEW).draining(), id="does not drain"),
        pytest.param(B.of_version(NEW).full(), A.of_version(OLD), id="newer, though full"),
        pytest.param(
            B.of_version(OLD).full(), A.of_version(NEW).full(unused_ms=MINUTE_MS), id="not saturated"
        ),
        pytest.param(
            B.of_version(OLD), A.of_version(NEW).full(unused_ms=MINUTE_MS), id="has room, newer is saturated"
        ),
        pytest.param(B.with_copies(90), A.full(copies=1), id="has room"),
        pytest.param(B.with_copies(9), A.loading(5), id="a short loading queue"),
        pytest.param(B.full(unused_ms=9, copies=9), A.full(unused_ms=8, copies=1), id="full, colder"),
        pytest.param(B.with_copies(2).with_free(mib(600)), A.with_copies(3), id="fewer copies"),
        pytest.param(B, A.with_free(mib(500)), id="more free"),
        pytest.param(B.with_coldest(9), A.with_coldest(8), id="with room, colder"),
        pytest.param(B.loading(1, slots=3), A.loading(1, slots=2), id="more idle loading slots"),
        pytest.param(B.loading(1), A.loading(2), id="fewer loads"),
        pytest.param(B.with_capacity(gib(3)).with_free(gib(1)), A, id="bigger"),
        pytest.param(B.busy(5), A.busy(6), id="fewer requests"),
        pytest.param(A, B, id="the name"),
    ],
)
def test_which_of_two_is_better(better: AnInstance, worse: AnInstance) -> None:
    assert standing(better).key < standing(worse).key


def test_far_from_the_other_copies_is_better() -> None:
    near, nearer = standing(A, near=SAME_ZONE), standing(an_instance("0"), near=SAME_LOCATION)
    assert standing(B).key < near.key < nearer.key
    assert nearer.key < standing(B.full()).key


def test_what_was_sent_there_and_is_not_there_yet_counts() -> None:
    instance = A.with_copies(4).with_free(mib(500))
    assert (standing(instance, pending=2).copies, standing(instance).copies) == (6, 4)
    assert standing(instance, pending=2, size_bytes=mib(100)).free_bytes == mib(300)
    assert standing(instance, pending=2).free_bytes == mib(500) - 2 * mib(131)
    assert standing(instance, pending=99).free_bytes == 0
    assert standing(instance, pending=99).is_full
    assert standing(A, pending=99).free_bytes == gib(1)  # nobody knows how big copies are


@pytest.mark.parametrize(
    ("free", "a_copy", "slots", "full"),
    [
        pytest.param(mib(51), 0, 1, True, id="sizes unknown, less than a twentieth"),
        pytest.param(mib(52), 0, 1, False, id="sizes unknown, more"),
        pytest.param(mib(99), mib(100), 1, True, id="not even the next one fits"),
        pytest.param(mib(100), mib(100), 9, False, id="a big one fits, and that is a twentieth"),
        pytest.param(mib(19), mib(10), 2, True, id="one for each slot does not fit"),
        pytest.param(mib(20), mib(10), 2, False, id="one for each slot fits"),
        pytest.param(mib(52), mib(10), 99, False, id="more than a twentieth for however many slots"),
        pytest.param(mib(51), mib(10), 99, True, id="less than a twentieth for many slots"),
    ],
)
def test_full_is_who_must_evict_for_the_next_loads(free: int, a_copy: int, slots: int, full: bool) -> None:
    assert is_full(free, gib(1), a_copy_bytes=a_copy, slots=slots) is full


def test_who_is_full_of_nothing_that_can_go_has_nothing_cold() -> None:
    assert standing(A.with_free(0)).coldest_ms == NOW_MS
    assert standing(A.full(unused_ms=SECOND_MS)).key < standing(A.with_free(0)).key


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        pytest.param("mesh-20240131-7", "mesh-20240131-8", id="by number"),
        pytest.param("mesh-20240131-99", "mesh-20240201-1", id="by day"),
        pytest.param("other-20231231-9", "mesh-20240101-1", id="whatever the name"),
        pytest.param("20240131-1201", "20240131-1202", id="by minute"),
        pytest.param("20240131-1201", "20240131-1201-1", id="by minute and number"),
        pytest.param("mesh-20240131-7", "20240131-1201", id="a number of that day and a minute"),
        pytest.param("dev", "mesh-20240131-7", id="none at all"),
    ],
)
def test_the_age_of_a_version(older: str, newer: str) -> None:
    assert version_number(older) < version_number(newer)


@pytest.mark.parametrize(
    "version",
    ["", "dev", "1.2.3", "-20240131-7", "20240131", "mesh-20249931-7", "20240230-1200", "20240131-2400"],
)
def test_versions_without_an_age(version: str) -> None:
    assert version_number(version) == 0


def test_the_age_of_a_version_is_in_milliseconds() -> None:
    assert version_number("mesh-19700102-5") == 24 * HOUR_MS + 5
    assert version_number("19700102-0130-5") == 25 * HOUR_MS + 30 * MINUTE_MS + 5


INSTANCES = st.builds(
    lambda name, free, copies, coldest, version, rpm, loading, draining: (
        an_instance(name)
        .with_free(free)
        .with_copies(copies)
        .but(coldest_ms=coldest, version=version, rpm=rpm, draining=draining)
        .loading(loading)
    ),
    st.sampled_from("abcdefgh"),
    st.sampled_from([0, mib(40), mib(60), gib(1)]),
    st.integers(0, 3),
    st.sampled_from([None, NOW_MS, NOW_MS - HOUR_MS, NOW_MS + HOUR_MS]),
    st.sampled_from(["", OLD, NEW]),
    st.integers(0, 2),
    st.integers(0, 6),
    st.booleans(),
)


@given(st.lists(INSTANCES, unique_by=lambda instance: instance.id))
def test_the_order_is_total(instances: list[AnInstance]) -> None:
    keys = sorted(standing(instance).key for instance in instances)
    assert all(one < other for one, other in pairwise(keys))


def test_it_says_whose_it_is() -> None:
    assert repr(standing(A)) == f"<Standing of a: 0 copies, {gib(1)} bytes free>"
