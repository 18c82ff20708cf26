"""The table of states, its story, and its drawing, which `python -m tests.unit.cache.test_entry` renews."""

from pathlib import Path

import pytest

from adapter.cache.entry import (
    STORY_STEPS_MAX,
    TRANSITIONS,
    CacheEntry,
    Cause,
    EntryState,
    IllegalTransition,
    as_mermaid,
)
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId

PAGE = Path(__file__).parents[3] / "docs" / "state-machines.md"
BEGIN, END = "<!-- drawn from adapter/cache/entry.py -->\n", "<!-- end -->\n"


def redrawn(page: str) -> str:
    """The page with the drawing that the table gives today."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}```mermaid\n{as_mermaid()}\n```\n{END}{after}"


def an_entry(state: EntryState = EntryState.QUEUED) -> CacheEntry:
    worth = Worth(model=ModelId("iris"), used_s=0.0)
    return CacheEntry(type="t", requested_s=0.0, waiting=True, worth=worth, state=state)


def reached_from(start: EntryState) -> set[EntryState]:
    reached = {start}
    while more := {to for (at, _), to in TRANSITIONS.items() if at in reached} - reached:
        reached |= more
    return reached


@pytest.mark.parametrize(("step", "to"), TRANSITIONS.items(), ids=str)
def test_an_entry_takes_each_step_of_the_table(step: tuple[EntryState, Cause], to: EntryState) -> None:
    entry = an_entry(step[0])
    entry.move(step[1], now_s=1.0)
    assert entry.state is to


@pytest.mark.parametrize("state", EntryState)
def test_what_is_not_in_the_table_raises(state: EntryState) -> None:
    for cause in Cause:
        if (state, cause) not in TRANSITIONS:
            with pytest.raises(IllegalTransition, match=f"iris is {state.value}"):
                an_entry(state).move(cause, now_s=1.0)


def test_an_illegal_step_tells_the_story_so_far() -> None:
    entry = an_entry()
    entry.move(Cause.SLOT_FREED, now_s=1.0)
    entry.move(Cause.PULL_FAILED, now_s=2.5)
    with pytest.raises(IllegalTransition) as raised:
        entry.move(Cause.LOADED, now_s=3.0)
    assert str(raised.value).splitlines() == [
        "iris is failed: 'the runtime loaded it and told its size' cannot happen now",
        "  1.000 s: pulling, because a loading slot is free",
        "  2.500 s: failed, because the pull failed",
    ]
    assert entry.state is EntryState.FAILED


def test_every_state_is_reached_and_every_life_ends() -> None:
    assert reached_from(EntryState.QUEUED) == set(EntryState)
    assert all(EntryState.REMOVED in reached_from(state) for state in EntryState)
    assert not any(at is EntryState.REMOVED for at, _ in TRANSITIONS), "nothing comes back"


def test_every_cause_is_in_the_table() -> None:
    assert {cause for _, cause in TRANSITIONS} == set(Cause)


def test_what_the_runtime_may_hold_is_given_up_by_way_of_an_unload_unless_it_lost_it() -> None:
    lost = {Cause.COPY_LOST, Cause.RUNTIME_RESET}
    held = {EntryState.SIZING, EntryState.ACTIVE}
    ways = {
        cause
        for (at, cause), to in TRANSITIONS.items()
        if at in held and to not in {*held, EntryState.UNLOADING}
    }
    assert ways == lost


def test_the_story_is_bounded_and_keeps_the_latest() -> None:
    entry = an_entry()
    for number in range(STORY_STEPS_MAX + 5):
        entry.state = EntryState.QUEUED
        entry.move(Cause.SLOT_FREED, now_s=float(number))
    assert len(entry.story) == STORY_STEPS_MAX
    assert entry.story[-1].at_s == STORY_STEPS_MAX + 4


def test_the_drawing_in_the_docs_is_that_of_the_table() -> None:
    page = PAGE.read_text()
    assert BEGIN in page
    assert redrawn(page) == page, "stale: run python -m tests.unit.cache.test_entry"


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text()))
