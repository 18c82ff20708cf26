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


def test_the_size_is_told_before_and_after_it_is_measured() -> None:
    play = Play()
    assert play.cache.size_bytes(A) is None
    play.ask("a")
    assert play.cache.size_bytes(A) == 100
    play.pulled("a", disk=160)
    play.loaded("a", 170)
    assert play.cache.size_bytes(A) == 170


def test_the_place_in_the_queue_is_told() -> None:
    play = Play(slots=1)
    for model in "abc":
        play.ask(model)
    assert [play.cache.queue_position(ModelId(model)) for model in "abc"] == [None, 0, 1]


def test_what_keeping_a_model_is_worth_is_told() -> None:
    play = Play(policy="lhd", churn_factor=10.0)
    play.load("a", load_s=2.0)
    standing = play.cache.worth(A, play.now_s)
    assert standing is not None
    assert (standing.uses, standing.load_s, standing.size_bytes) == (2, 2.0, 100)
    assert (standing.pinned, standing.guarded_until_s) == (False, play.now_s + 20.0)
    assert (standing.saves or 0.0) > 0.0
    assert play.cache.worth(ModelId("nobody"), play.now_s) is None


def test_without_lhd_nothing_is_foretold() -> None:
    play = Play(policy="lru")
    play.load("a")
    standing = play.cache.worth(A, play.now_s)
    assert standing is not None
    assert (standing.uses_expected, standing.saves) == (None, None)


def test_hits_and_misses_are_counted() -> None:
    play = Play()
    play.load("a")
    play.use("a")
    play.use("a")
    play.ask("b", waiting=False)
    assert (play.cache.hits, play.cache.misses) == (2, 1)


def test_what_lru_would_have_spent_is_told() -> None:
    play = Play(capacity=200)
    play.load("dear", load_s=50.0)
    for _ in range(10):
        play.now_s += 1.0
        play.use("dear")
    for model in "ab":
        play.load(model, load_s=1.0)
    play.now_s += 1.0
    play.use("dear")
    told = play.cache.shadow
    assert (told.spent_s, told.lru_spent_s) == (52.0, 102.0)
