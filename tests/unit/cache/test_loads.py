from adapter.cache.bounds import CacheBounds
from adapter.cache.copies import Copies
from adapter.cache.entry import CacheEntry, Cause
from adapter.cache.loads import Loads
from adapter.cache.messages import CacheCommand, StartLoad, StartPull
from adapter.cache.room import Room
from adapter.cache.sizes import SizePredictor
from adapter.cache.worth import Worth
from adapter.domain.errors import CacheBusy, ModelTooBig
from adapter.domain.ids import ModelId


class Way:
    """Loads on their way into an empty runtime with room for 300 bytes."""

    def __init__(self, *, slots: int = 2, queue_max: int = 3) -> None:
        self.said: list[CacheCommand] = []
        self.room = Room(300)
        bounds = CacheBounds(queue_max=queue_max, waiting_for_room_s_max=30)
        copies = Copies(room=self.room, policy="gdsf", bounds=bounds, emit=self.said.append)
        self.loads = Loads(
            copies=copies,
            room=self.room,
            sizes=SizePredictor(100),
            slots=slots,
            bounds=bounds,
            emit=self.said.append,
        )

    def admit(self, model: str, *, waiting: bool = True, used_s: float = 0.0) -> CacheEntry | None:
        worth = Worth(model=ModelId(model), used_s=used_s)
        return self.loads.admit(CacheEntry(type="t", requested_s=0.0, waiting=waiting, worth=worth))

    def pulled(self, model: str, disk: int, *, waiting: bool = True, now_s: float = 0.0) -> CacheEntry:
        worth = Worth(model=ModelId(model), used_s=0.0)
        entry = CacheEntry(type="t", requested_s=0.0, waiting=waiting, worth=worth)
        self.loads.admit(entry)
        self.loads.fill_slots(now_s)
        self.loads.pulled(entry, disk, now_s)
        self.loads.check()
        return entry

    @property
    def pulls(self) -> list[str]:
        return [command.model for command in self.said if isinstance(command, StartPull)]

    @property
    def begun(self) -> list[tuple[str, int]]:
        return [(c.model, c.size_hint_bytes) for c in self.said if isinstance(c, StartLoad)]


def test_as_many_are_pulled_as_there_are_slots_the_most_urgent_first() -> None:
    way = Way()
    way.admit("background", waiting=False, used_s=9)
    way.admit("a")
    way.admit("b")
    way.loads.fill_slots(0.0)
    way.loads.check()
    assert way.pulls == ["a", "b"]


def test_a_full_queue_takes_nobody() -> None:
    way = Way(queue_max=1)
    assert way.admit("a") is None
    refused = way.admit("b")
    assert refused is not None
    assert refused.model == "b"


def test_in_a_full_queue_background_work_gives_way_to_a_user_and_to_nothing_else() -> None:
    way = Way(queue_max=2)
    way.admit("old", waiting=False, used_s=1)
    way.admit("new", waiting=False, used_s=2)
    assert [out.model for out in [way.admit("other", waiting=False)] if out] == ["other"]
    assert [out.model for out in [way.admit("user")] if out] == ["old"]
    assert [entry.model for entry in way.loads] == ["new", "user"]


def test_what_fits_is_loaded_with_its_predicted_size() -> None:
    way = Way()
    way.pulled("iris", 80)
    assert way.loads.make_room(0.0) == []
    assert (way.begun, way.room.used_bytes) == ([("iris", 100)], 100)


def test_a_waiting_user_gets_the_room_first() -> None:
    way = Way()
    way.pulled("background", 160, waiting=False)
    way.pulled("user", 160)
    way.loads.make_room(0.0)
    assert way.begun == [("user", 200)]


def test_what_can_never_fit_is_told_with_the_figures() -> None:
    way = Way()
    entry = way.pulled("iris", 400)
    [(hopeless, cause, error)] = way.loads.make_room(0.0)
    assert (hopeless, cause, type(error)) == (entry, Cause.NEVER_FITS, ModelTooBig)
    assert "iris needs 400 bytes of memory, and this instance has 300" in str(error)


def test_what_finds_no_room_in_time_is_told_why() -> None:
    way = Way()
    way.room.take(250)
    way.pulled("iris", 80, now_s=10.0)
    assert way.loads.make_room(39.9) == []
    [(_, cause, error)] = way.loads.make_room(40.0)
    assert (cause, type(error)) == (Cause.NO_ROOM_IN_TIME, CacheBusy)
    assert "iris needs 100 bytes, and found no room within 30 s" in str(error)


def test_the_load_time_leaves_out_the_wait_for_room() -> None:
    way = Way()
    entry = way.pulled("iris", 80, now_s=10.0)
    entry.worth.load_s = 3.0
    way.loads.make_room(50.0)
    way.loads.loaded(entry, measured=True, now_s=54.0)
    assert entry.worth.load_s == 7.0


def test_what_is_taken_out_leaves_slot_and_room() -> None:
    way = Way(slots=1)
    entry = way.pulled("iris", 80)
    way.loads.make_room(0.0)
    way.loads.take_out(entry)
    assert (way.room.used_bytes, list(way.loads)) == (0, [])
    way.admit("mnist")
    way.loads.fill_slots(0.0)
    assert way.pulls == ["iris", "mnist"]


def test_the_place_in_the_queue_is_known() -> None:
    way = Way()
    for model in "abc":
        way.admit(model, waiting=model != "a", used_s=9)
    places = [way.loads.position(ModelId(model)) for model in "abcd"]
    assert places == [2, 0, 1, None]


def test_what_a_load_will_take_is_foretold_before_and_after_its_pull() -> None:
    way = Way()
    entry = CacheEntry(type="t", requested_s=0.0, waiting=True, worth=Worth(model=ModelId("a"), used_s=0.0))
    assert way.loads.predicted_bytes(entry) == 100
    entry.disk_bytes = 160
    assert way.loads.predicted_bytes(entry) == 200
