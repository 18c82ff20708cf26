from itertools import accumulate, pairwise
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cache.hit_density import OCTAVES, WIDTHS_S, densities, octave

FIGURES = st.lists(st.floats(0, 1e9), min_size=OCTAVES, max_size=OCTAVES)


def learnt(**uses: float) -> list[float]:
    """Densities after so many uses in each octave, and nobody seen to wait."""
    return densities([float(uses.get(f"o{age}", 0.0)) for age in range(OCTAVES)], [0.0] * OCTAVES)


@pytest.mark.parametrize(
    ("gap_s", "number"),
    [(0.0, 0), (0.015, 0), (1 / 64, 1), (1.0, 7), (1.99, 7), (2.0, 8), (1e12, OCTAVES - 1)],
)
def test_octaves_double(gap_s: float, number: int) -> None:
    assert octave(gap_s) == number


def test_the_octaves_leave_no_gap() -> None:
    for number in range(1, OCTAVES):
        assert octave(sum(WIDTHS_S[:number])) == number


def test_what_nothing_is_known_of_loses_worth_as_it_is_unused() -> None:
    untaught = learnt()
    assert all(later <= earlier * 1.000001 for earlier, later in pairwise(untaught))
    assert untaught[10] > 1.5 * untaught[11]


def test_what_is_used_soon_or_never_loses_worth_fast() -> None:
    waiting_s = [1000 * width for width in WIDTHS_S]
    uses = [1000.0 if age < 8 else 0.0 for age in range(OCTAVES)]
    soon = densities(uses, waiting_s)
    assert soon[7] > 50 * soon[9]


def test_what_comes_round_gains_worth_until_it_is_due() -> None:
    loop = learnt(o12=1000.0)
    assert loop[8] < loop[10] < loop[11] < loop[12]
    assert loop[12] > 10 * loop[13]


def test_uses_at_random_have_one_worth_at_every_age() -> None:
    """A million models, each used at a rate of one in a hundred seconds."""
    ends_s = [0.0, *accumulate(WIDTHS_S)]
    waiting_s = [1e8 * (exp(-begin / 100) - exp(-end / 100)) for begin, end in pairwise(ends_s)]
    steady = densities([seconds / 100 for seconds in waiting_s], waiting_s)
    assert all(worth == pytest.approx(0.01, rel=0.15) for worth in steady[:13])


def test_who_waited_in_vain_makes_it_less() -> None:
    uses = [10.0] * OCTAVES
    assert densities(uses, [1e6] * OCTAVES)[5] < densities(uses, [0.0] * OCTAVES)[5]


@given(uses=FIGURES, seen_s=FIGURES)
def test_whatever_was_seen_there_is_a_worth(uses: list[float], seen_s: list[float]) -> None:
    worths = densities(uses, seen_s)
    assert len(worths) == OCTAVES
    assert all(0.0 <= worth < 1e12 for worth in worths)
