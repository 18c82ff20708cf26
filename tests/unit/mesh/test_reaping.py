from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.ids import ModelId
from adapter.mesh.reaping import Pass, Reaped, Reaper


def done(held: Iterable[str], *pages: Iterable[str]) -> Pass:
    """A complete pass over these pages."""
    looked = Pass(held)
    for page in pages:
        looked.page(page, last=False)
    looked.page((), last=True)
    return looked


@given(
    st.sets(st.text("abc", max_size=3)),
    st.lists(st.lists(st.text("abc", max_size=3), max_size=8), max_size=5),
)
def test_missing_is_what_no_page_had(held: set[str], pages: list[list[str]]) -> None:
    assert done(held, *pages).missing == held - {name for page in pages for name in page}


def test_before_the_last_page_nothing_is_missing() -> None:
    looked = Pass("ab")
    looked.page("a", last=False)
    assert looked.missing == frozenset()
    assert Reaper().judge(looked) == Reaped()
    looked.page("x", last=True)
    assert looked.missing == {"b"}


def test_a_copy_goes_when_two_passes_in_a_row_do_not_find_its_registration() -> None:
    reaper = Reaper()
    judged = [reaper.judge(done("abcd", names)).drop for names in ("abc", "abcd", "abc", "abc", "abcd")]
    assert judged == [(), (), (), ("d",), ()]


def test_a_registry_that_lost_most_of_what_is_held_is_not_believed() -> None:
    reaper = Reaper()
    for _ in range(3):
        reaped = reaper.judge(done("abcdef", "ab"))
        assert reaped.drop == ()
        assert reaped.doubts.startswith("4 of 6 models held here are not registered")
    assert reaper.judge(done("abcdef", "abcde")) == Reaped(drop=(ModelId("f"),)), "the rest is there again"


def test_of_two_copies_both_may_go() -> None:
    reaper = Reaper()
    reaper.judge(done("ab"))
    assert reaper.judge(done("ab")) == Reaped(drop=(ModelId("a"), ModelId("b")))
