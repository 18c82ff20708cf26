from adapter.mesh.room import Room, room_of
from tests.unit.mesh.scaling_builders import GIB, HOUR_MS, NOW_MS, an_instance


def test_no_instances_have_no_room() -> None:
    room = room_of([])
    assert (room, room.free_share, room.age_ms(NOW_MS)) == (Room(), 0.0, 0)


def test_the_room_of_those_that_stay_is_added_up() -> None:
    room = room_of(
        [
            an_instance("a", free_bytes=GIB // 2, coldest_ms=NOW_MS - 2 * HOUR_MS),
            an_instance("b", coldest_ms=NOW_MS - HOUR_MS),
            an_instance("c", draining=True, coldest_ms=1),
        ]
    )
    assert (room.instances, room.capacity_bytes, room.free_bytes) == (2, 2 * GIB, GIB * 3 // 2)
    assert room.free_share == 0.75
    assert room.age_ms(NOW_MS) == 2 * HOUR_MS


def test_what_is_left_in_a_full_instance_is_no_room() -> None:
    assert room_of([an_instance("a", free_bytes=GIB // 21), an_instance("b", free_bytes=0)]).free_bytes == 0


def test_a_copy_that_was_used_in_the_future_is_not_old() -> None:
    assert room_of([an_instance("a", coldest_ms=NOW_MS + HOUR_MS)]).age_ms(NOW_MS) == 0
