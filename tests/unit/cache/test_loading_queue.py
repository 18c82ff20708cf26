from adapter.cache.loading_queue import LoadingQueue
from adapter.domain.ids import ModelId


def put(queue: LoadingQueue, model: str, *, used_s: float = 0.0, waiting: bool = False) -> None:
    queue.put(ModelId(model), waiting=waiting, used_s=used_s)
    queue.check()


def drained(queue: LoadingQueue) -> list[str]:
    return [model for _ in range(len(queue)) if (model := queue.pop())]


def test_waiting_users_come_first_in_order_of_arrival() -> None:
    queue = LoadingQueue()
    put(queue, "background", used_s=99)
    put(queue, "first", waiting=True, used_s=1)
    put(queue, "second", waiting=True, used_s=2)
    assert drained(queue) == ["first", "second", "background"]


def test_background_work_goes_by_the_newest_use_then_by_arrival() -> None:
    queue = LoadingQueue()
    for model, used_s in [("old", 1), ("new", 3), ("new too", 3), ("middle", 2)]:
        put(queue, model, used_s=used_s)
    assert drained(queue) == ["new", "new too", "middle", "old"]


def test_a_model_moves_forward_when_somebody_waits_for_it_and_never_back() -> None:
    queue = LoadingQueue()
    put(queue, "a", used_s=9)
    put(queue, "b", used_s=1)
    put(queue, "b", waiting=True)
    put(queue, "b", used_s=0)
    assert len(queue) == 2
    assert drained(queue) == ["b", "a"]


def test_a_model_moves_forward_when_it_was_used_again() -> None:
    queue = LoadingQueue()
    put(queue, "a", used_s=2)
    put(queue, "b", used_s=1)
    put(queue, "b", used_s=3)
    assert drained(queue) == ["b", "a"]


def test_a_model_can_be_taken_out() -> None:
    queue = LoadingQueue()
    put(queue, "a")
    put(queue, "b")
    queue.discard(ModelId("a"))
    queue.discard(ModelId("unknown"))
    assert (ModelId("a") in queue, list(queue), drained(queue), queue.pop()) == (False, ["b"], ["b"], None)


def test_the_least_urgent_is_background_work_or_nobody() -> None:
    queue = LoadingQueue()
    assert queue.least_urgent_background() is None
    put(queue, "user", waiting=True)
    assert queue.least_urgent_background() is None
    put(queue, "old", used_s=1)
    put(queue, "new", used_s=2)
    assert queue.least_urgent_background() == "old"


def test_the_place_is_how_many_are_before() -> None:
    queue = LoadingQueue()
    put(queue, "background", used_s=9)
    put(queue, "user", waiting=True)
    assert [queue.position(ModelId(model)) for model in ("user", "background", "nobody")] == [0, 1, None]
