from adapter.cache.messages import Dropped, RuntimeReset
from adapter.domain.errors import ModelCorrupt
from adapter.domain.ids import ModelId
from tests.unit.cache.play import Play

A = ModelId("a")


def test_what_is_there_can_be_asked() -> None:
    play = Play(capacity=300)
    play.load("a", size=100)
    play.ask("b")
    view = play.cache
    assert (list(view), len(view)) == ([A, "b"], 2)
    assert (view.capacity_bytes, view.used_bytes, view.deficit_bytes) == (300, 100, 0)


def test_how_many_copies_there_are_and_when_they_were_used() -> None:
    play = Play(capacity=300)
    assert (play.cache.copies, play.cache.coldest_used_s(), play.cache.used_s(A)) == (0, None, None)
    play.load("a", size=100)
    used_s = play.cache.used_s(A)
    assert (play.cache.copies, play.cache.coldest_used_s()) == (1, used_s)
    play.ask("b")
    assert play.cache.copies == 1


def test_what_was_never_let_go_makes_the_room_smaller() -> None:
    play = Play(capacity=300)
    play.load("a", size=100)
    play.tell(Dropped(model=A))
    play.unloaded("a", failure="it will not")
    assert (play.cache.capacity_bytes, play.cache.stranded_bytes) == (200, 100)
    play.tell(RuntimeReset())
    assert play.cache.capacity_bytes == 300


def test_a_load_began_when_it_was_asked_for_until_the_copy_goes() -> None:
    play = Play()
    asked_s = play.now_s
    play.load("a", load_s=3.0)
    assert play.cache.loading_since(A) == asked_s
    play.tell(Dropped(model=A))
    assert play.cache.loading_since(A) is None


def test_a_failure_is_told_as_long_as_it_is_remembered() -> None:
    play = Play()
    play.ask("a")
    play.failed("a", ModelCorrupt("broken"))
    assert play.cache.failure(A, play.now_s) is not None
    assert play.cache.loading_since(A) is None
    assert play.cache.failure(A, play.now_s + 1e6) is None
