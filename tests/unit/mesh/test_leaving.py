import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.domain.ids import ModelId
from adapter.domain.records import CopyRules
from adapter.mesh.leaving import AT_ONCE_MAX, Held, LeavingPlan, leaving_plan
from adapter.mesh.view import InstanceState
from tests.unit.mesh.scaling_builders import HOUR_MS, MINUTE_MS, NOW_MS, an_instance

PINNED = CopyRules(pinned=True)


def held(name: str = "m", *, minutes_ago: int = 5, **changes: object) -> Held:
    return Held(model=ModelId(name), used_ms=NOW_MS - minutes_ago * MINUTE_MS, **changes)  # type: ignore[arg-type]


def plan(*copies: Held, others: list[InstanceState] | None = None, budget_s: float = 30.0) -> LeavingPlan:
    others = [an_instance("b")] if others is None else others
    return leaving_plan(copies, others, now_ms=NOW_MS, budget_s=budget_s)


@pytest.mark.parametrize(
    ("copy", "because"),
    [
        pytest.param(held(), "it was used 5 min ago, and nobody else has it", id="used lately"),
        pytest.param(held(minutes_ago=600, in_use=1), "it is in use, and nobody else has it", id="in use"),
        pytest.param(
            held(minutes_ago=600, rules=PINNED), "it is pinned, and nobody else has it", id="pinned"
        ),
        pytest.param(
            held(loading=True, in_use=2), "it is in use, and nobody else has it", id="calls wait for its load"
        ),
    ],
)
def test_what_is_needed_is_waited_for(copy: Held, because: str) -> None:
    [move] = plan(copy).moves
    assert (move.because, move.wait, move.used_ms) == (because, True, copy.used_ms)


@pytest.mark.parametrize(
    ("copy", "because"),
    [
        pytest.param(
            held(rules=CopyRules(copies_min=2), loaded_elsewhere=1),
            "its registration asks for it",
            id="minCopies",
        ),
        pytest.param(
            held(minutes_ago=600, rules=CopyRules(copies_min=1)),
            "its registration asks for it",
            id="minCopies, cold",
        ),
        pytest.param(
            held(loaded_elsewhere=1, busy=True),
            "it is used heavily, and the other copies would have to do its work",
            id="the others have enough to do",
        ),
        pytest.param(
            held(load_s=31.0),
            "it was used 5 min ago, and nobody else has it; its load takes 31 s, too long for the 30 s left",
            id="too slow for what is left",
        ),
    ],
)
def test_what_is_useful_is_asked_for_and_not_waited_for(copy: Held, because: str) -> None:
    [move] = plan(copy).moves
    assert (move.because, move.wait) == (because, False)


@pytest.mark.parametrize(
    ("copy", "because"),
    [
        pytest.param(held(minutes_ago=61), "it was used 61 min ago", id="cold"),
        pytest.param(held(loaded_elsewhere=2, in_use=1), "others have it loaded (2)", id="there are others"),
        pytest.param(held(loading=True), "nobody waits for its load", id="its load is for nobody"),
        pytest.param(
            held(loaded_elsewhere=1, busy=True, rules=CopyRules(copies_max=1)),
            "others have it loaded (1)",
            id="maxCopies",
        ),
    ],
)
def test_the_rest_is_given_up(copy: Held, because: str) -> None:
    leaving = plan(copy)
    assert [(each.model, each.because) for each in leaving.given_up] == [(copy.model, because)]
    assert (leaving.moves, leaving.at_once, leaving.expected_s) == ((), 0, 0.0)


def test_what_is_in_use_goes_first_then_the_most_recently_used_then_what_nobody_waits_for() -> None:
    leaving = plan(
        held("older", minutes_ago=9),
        held("busy", minutes_ago=1, loaded_elsewhere=1, busy=True),
        held("newer", minutes_ago=2),
        held("in use", minutes_ago=50, in_use=1),
    )
    assert [move.model for move in leaving.moves] == ["in use", "newer", "older", "busy"]


def test_alone_there_is_nothing_to_be_done() -> None:
    alone = plan(held(in_use=1), others=[an_instance("b", draining=True)])
    assert [each.because for each in alone.given_up] == ["no other instance stays"]


def test_so_many_at_once_as_the_others_can_load_and_so_long_it_takes() -> None:
    others = [an_instance("b", loading_slots=2), an_instance("c", loading_slots=1)]
    leaving = plan(*[held(f"m{number}", load_s=6.0) for number in range(20)], others=others)
    assert (leaving.at_once, leaving.expected_s) == (6, 40.0)
    assert plan(held(load_s=6.0), held("n", load_s=1.0), others=others).expected_s == 6.0


@given(
    st.lists(
        st.builds(
            held,
            st.text("abcdef", min_size=1, max_size=3),
            minutes_ago=st.integers(0, 200),
            loaded_elsewhere=st.integers(0, 2),
            in_use=st.integers(0, 1),
            loading=st.booleans(),
            busy=st.booleans(),
            load_s=st.floats(0, 60),
        ),
        unique_by=lambda copy: copy.model,
        max_size=30,
    ),
    st.integers(0, 50),
)
def test_each_copy_has_one_fate_and_nothing_needed_is_given_up(copies: list[Held], slots: int) -> None:
    leaving = plan(*copies, others=[an_instance("b", loading_slots=slots)])
    moved, given_up = {m.model for m in leaving.moves}, {g.model for g in leaving.given_up}
    assert len(leaving.moves) + len(leaving.given_up) == len(copies) == len(moved | given_up)
    assert {c.model for c in copies if c.in_use and not c.loaded_elsewhere} <= moved
    assert (0 < leaving.at_once <= AT_ONCE_MAX) if moved else leaving.at_once == 0
    assert [m.wait for m in leaving.moves] == sorted([m.wait for m in leaving.moves], reverse=True)
    lately = [c.model for c in copies if now_used(c) and not c.loaded_elsewhere and not c.loading]
    assert set(lately) <= moved


def now_used(copy: Held) -> bool:
    return NOW_MS - copy.used_ms <= HOUR_MS
