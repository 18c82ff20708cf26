from adapter.cache.departures import Departures
from adapter.cache.entry import Cause
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId

A = ModelId("a")


def leaves(
    gone: Departures, model: str, now_s: float = 100.0, because: str = "evicted to make room for b"
) -> None:
    worth = Worth(model=ModelId(model), used_s=90.0, size_bytes=7, load_s=2.0, uses=5)
    gone.add(worth, cause=Cause.EVICTED, because=because, now_s=now_s)


def test_what_it_was_worth_then_is_remembered() -> None:
    gone = Departures()
    leaves(gone, "a")
    departure = gone.latest(A)
    assert departure is not None
    assert (departure.at_s, departure.cause, departure.uses) == (100.0, Cause.EVICTED, 5)
    assert (departure.size_bytes, departure.load_s, departure.used_s) == (7, 2.0, 90.0)
    assert str(departure) == "evicted to make room for b, after 5 uses, the last 10.0 s before"


def test_the_latest_counts() -> None:
    gone = Departures()
    leaves(gone, "a", 100.0)
    leaves(gone, "a", 200.0)
    assert (departure := gone.latest(A)) is not None
    assert departure.at_s == 200.0
    assert gone.latest(ModelId("never here")) is None


def test_who_left_first_is_forgotten_first() -> None:
    gone = Departures(latest_max=2)
    for name in "abac":
        leaves(gone, name)
    assert len(gone) == 2
    assert gone.latest(ModelId("b")) is None
