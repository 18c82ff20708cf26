import pytest

from adapter.mesh.upgrades import leaving
from tests.builders import HOUR_MS, MINUTE_MS, NOW_MS, AnInstance, a_mesh, an_instance

OLD_1, OLD_2 = "8f6c7b-x7k2p", "8f6c7b-m4n5b"
NEW_1, NEW_2 = "5d8f6c-zz9ww", "5d8f6c-kk2jj"


def old(name: str = OLD_1, *, ago_ms: int = 5 * HOUR_MS) -> AnInstance:
    return an_instance(name).started(ago_ms)


def new(name: str = NEW_1, *, ago_ms: int = MINUTE_MS) -> AnInstance:
    return an_instance(name).started(ago_ms)


@pytest.mark.parametrize(
    ("instances", "gone"),
    [
        pytest.param([old(), old(OLD_2), new()], {OLD_1, OLD_2}, id="a rollout has begun"),
        pytest.param([old(), new(ago_ms=10 * MINUTE_MS)], {OLD_1}, id="ten minutes ago"),
        pytest.param([old(), new(ago_ms=11 * MINUTE_MS)], set(), id="longer ago"),
        pytest.param(
            [old().draining(), old(OLD_2), new(ago_ms=19 * MINUTE_MS)],
            {OLD_1, OLD_2},
            id="longer ago, and the old ones still drain",
        ),
        pytest.param(
            [old(ago_ms=14 * MINUTE_MS), new(ago_ms=12 * MINUTE_MS)],
            {OLD_1},
            id="longer ago, and the old one was new itself",
        ),
        pytest.param([old().draining(), new(ago_ms=21 * MINUTE_MS)], set(), id="a rollout that is stuck"),
        pytest.param(
            [old(), new(ago_ms=HOUR_MS), new(NEW_2)], {OLD_1}, id="the newer ones are still being started"
        ),
        pytest.param([old(), old(OLD_2, ago_ms=1), new()], set(), id="the older ones grow too"),
        pytest.param([old(), old(OLD_2)], set(), id="one ReplicaSet"),
        pytest.param([old(ago_ms=2), old(OLD_2, ago_ms=1)], set(), id="one ReplicaSet, started just now"),
        pytest.param([old(), new().draining()], set(), id="a rollout that is undone"),
        pytest.param([old().draining(), new().draining()], set(), id="all go"),
        pytest.param([], set(), id="nobody"),
    ],
)
def test_who_is_being_replaced(instances: list[AnInstance], gone: set[str]) -> None:
    assert leaving(a_mesh(*instances), NOW_MS) == gone


def test_only_the_newest_of_three_replicasets_stays() -> None:
    newer = an_instance("jjjjjj-22222").started(HOUR_MS)
    assert leaving(a_mesh(old(), newer, new()), NOW_MS) == {OLD_1, newer.id}


def test_instances_with_other_labels_are_of_another_deployment() -> None:
    mesh = a_mesh(old().labelled("rt:mlserver"), new().labelled("rt:triton"))
    assert leaving(mesh, NOW_MS) == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("a", "b", id="short names"),
        pytest.param("server-00001", "worker-00002", id="digits and vowels that no hash has"),
        pytest.param("modelmesh-8f6c7b-x7k2p", "modelmesh-5d8f6c-zz9ww", id="longer names"),
    ],
)
def test_ids_that_are_no_ends_of_pod_names_say_nothing(one: str, other: str) -> None:
    assert leaving(a_mesh(old(one), new(other)), NOW_MS) == set()


def test_the_order_of_the_instances_does_not_matter() -> None:
    instances = [old(), old(OLD_2), new(), new(NEW_2)]
    assert leaving(a_mesh(*instances), NOW_MS) == leaving(a_mesh(*reversed(instances)), NOW_MS)
