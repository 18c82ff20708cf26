import random

import pytest

from adapter.cache.shadow import ShadowFigures, ShadowLru
from adapter.cache.worth import Worth
from adapter.domain.ids import ModelId


def saved_s(told: ShadowFigures) -> float:
    """Load seconds that LRU would have spent beyond ours."""
    return told.lru_spent_s - told.spent_s


class Shade:
    """A shadow of a room for two models of 100 bytes, in which one costs two seconds."""

    def __init__(self, room_bytes: int = 200, followed_max: int = 4096) -> None:
        self.lru = ShadowLru(followed_max=followed_max)
        self.room_bytes = room_bytes
        self.worths: dict[str, Worth] = {}

    def load(self, model: str, *, waiting: bool = True, load_s: float = 2.0) -> None:
        worth = Worth(model=ModelId(model), used_s=0.0, size_bytes=100, load_s=load_s)
        self.worths[model] = worth
        self.lru.loaded(worth, waiting=waiting, room_bytes=self.room_bytes)
        self.lru.check()

    def use(self, *models: str) -> None:
        for model in models:
            if self.worths[model].sampled:
                self.lru.used(self.worths[model], room_bytes=self.room_bytes)
            self.lru.check()

    def counts(self) -> tuple[float, float, int, int]:
        told = self.lru.figures
        return told.spent_s, told.lru_spent_s, told.lru_hits, told.lru_misses


def test_what_both_must_load_costs_both_the_same() -> None:
    shade = Shade()
    shade.load("a")
    shade.load("b")
    shade.use("a", "b")
    assert shade.counts() == (4.0, 4.0, 2, 2)
    assert saved_s(shade.lru.figures) == 0.0


def test_what_is_still_here_and_lru_would_have_evicted_is_saved() -> None:
    shade = Shade()
    for model in "abc":
        shade.load(model)
    assert ModelId("a") not in shade.lru
    shade.use("a")
    assert shade.counts() == (6.0, 8.0, 0, 4)
    assert saved_s(shade.lru.figures) == 2.0


def test_what_lru_would_have_kept_is_lost() -> None:
    shade = Shade()
    shade.load("a")
    shade.load("a")
    assert shade.counts() == (4.0, 2.0, 1, 1)


def test_a_load_that_nobody_waits_for_costs_nothing_and_saves_one_when_it_is_used() -> None:
    shade = Shade()
    shade.load("a", waiting=False)
    assert shade.counts() == (0.0, 0.0, 0, 0)
    shade.use("a")
    assert shade.counts() == (0.0, 2.0, 0, 1)


def test_what_left_for_another_reason_is_no_loss_of_either() -> None:
    shade = Shade()
    shade.load("a")
    shade.lru.discard(ModelId("a"))
    shade.lru.discard(ModelId("a"))
    shade.load("a")
    assert saved_s(shade.lru.figures) == 0.0
    shade.lru.clear()
    assert len(shade.lru) == 0
    shade.lru.check()


def test_of_many_models_a_sample_stands_for_all() -> None:
    """A true LRU of 400 copies, asked for 1,000 models at random; the shadow follows 128 at most."""
    rng, shade, exact = random.Random(4), Shade(room_bytes=40_000, followed_max=128), dict[str, None]()
    misses = 0
    for _ in range(30_000):
        model = f"m{rng.randrange(1000)}"
        if exact.pop(model, True) is None:
            shade.use(model)
        else:
            misses += 1
            shade.load(model)
        exact[model] = None
        if len(exact) > 400:
            del exact[next(iter(exact))]
    told = shade.lru.figures
    assert len(shade.lru) <= 128
    assert told.lru_misses == pytest.approx(misses, rel=0.1)
    assert saved_s(told) == pytest.approx(0.0, abs=0.05 * told.lru_spent_s)
