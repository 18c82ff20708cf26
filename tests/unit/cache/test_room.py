import pytest

from adapter.cache.room import Room
from adapter.domain.ids import ModelId

IRIS = ModelId("iris")


def room(capacity: int = 100, *, taken: int = 0) -> Room:
    made = Room(capacity)
    if taken:
        made.take(taken)
    return made


def figures(room: Room) -> dict[str, int]:
    room.check()
    return {"used": room.used_bytes, "free": room.free_bytes, "deficit": room.deficit_bytes}


def test_what_is_taken_is_not_free() -> None:
    assert figures(room(taken=60)) == {"used": 60, "free": 40, "deficit": 0}


@pytest.mark.parametrize("size", [41, 0, -1])
def test_more_than_is_free_is_never_taken(size: int) -> None:
    with pytest.raises(AssertionError, match=f"{size} bytes wanted, 40 free"):
        room(taken=60).take(size)


def test_what_is_unloading_is_taken_until_it_is_gone() -> None:
    it = room(taken=100)
    it.begin_unload(30)
    assert figures(it) == {"used": 100, "free": 0, "deficit": 0}
    it.end_unload(30)
    assert figures(it) == {"used": 70, "free": 30, "deficit": 0}


def test_a_size_bigger_than_predicted_is_a_deficit_until_so_much_is_gone() -> None:
    it = room(taken=90)
    it.correct(before_bytes=50, after_bytes=80)
    assert (figures(it), it.surplus_bytes) == ({"used": 120, "free": -20, "deficit": 20}, 20)
    it.begin_unload(15)
    assert (it.deficit_bytes, it.surplus_bytes) == (20, 5)
    it.end_unload(15)
    assert (it.deficit_bytes, it.surplus_bytes) == (5, 5)
    it.give_back(10)
    assert figures(it) == {"used": 95, "free": 5, "deficit": 0}


def test_what_is_stranded_makes_the_room_smaller_until_it_is_loaded_again() -> None:
    it = room(taken=50)
    it.begin_unload(30)
    it.end_unload(30)
    it.strand(IRIS, 30)
    assert (it.capacity_bytes, it.stranded_bytes, figures(it)["free"]) == (70, 30, 50)
    it.recover(IRIS)
    it.recover(ModelId("mnist"))
    assert (it.capacity_bytes, it.stranded_bytes) == (100, 0)


def test_what_is_stranded_twice_counts_once_and_a_restart_frees_it() -> None:
    it = room()
    it.strand(IRIS, 30)
    it.strand(IRIS, 40)
    it.strand(ModelId("mnist"), 80)
    assert (it.stranded_bytes, it.capacity_bytes) == (120, 0)
    it.recover_all()
    assert figures(it) == {"used": 0, "free": 100, "deficit": 0}


def test_a_smaller_room_is_a_deficit() -> None:
    it = room(taken=90)
    it.resize(70)
    assert figures(it) == {"used": 90, "free": -20, "deficit": 20}
