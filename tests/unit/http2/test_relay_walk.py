"""The relay between peers in random order; `tests/integration/test_relay_fuzz.py` goes on for longer."""

import pytest

from tests.fakes.relay_fuzz import MangledWalk, mangled
from tests.fakes.relay_walk import Walk


@pytest.mark.parametrize("seed", range(25))
def test_what_each_side_gets_is_what_the_other_sent(seed: int) -> None:
    walk = Walk(seed)
    walk.walk(200)
    assert walk.calls


@pytest.mark.parametrize("seed", range(10))
def test_a_peer_whose_bytes_are_changed_does_no_harm_to_others(seed: int) -> None:
    MangledWalk(seed).walk(150)


def test_bytes_are_changed_alike_from_the_same_seed() -> None:
    first, again = MangledWalk(7).random, MangledWalk(7).random
    assert mangled(bytes(100), first) == mangled(bytes(100), again)
